"""DHCP messages in UDP, IPv4 and Ethernet frames. Pure.

A client without an address sends and receives whole frames: the kernel's UDP neither sends from
0.0.0.0 nor delivers to an address that is not there yet.
"""

import struct
from socket import AF_INET, inet_pton
from typing import Final

from vlanlink.dhcp.message import Message, build, parse
from vlanlink.kernel.packet.packets import BROADCAST_MAC, checksum, mac_text

SERVER_PORT, CLIENT_PORT = 67, 68
EVERYBODY: Final = "255.255.255.255"

_ETHERNET = struct.Struct("!6s6sH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_ETHERTYPE_IPV4 = 0x0800
_PROTOCOL_UDP = 17
_TTL = 64
_FRAGMENT = 0x3FFF


def build_frame(
    message: Message,
    *,
    mac: str,
    source: str,
    to: str = EVERYBODY,
    to_mac: str = BROADCAST_MAC,
) -> bytes:
    """The frame that carries a message to a server."""
    payload = build(message)
    ends = inet_pton(AF_INET, source), inet_pton(AF_INET, to)
    length = _UDP.size + len(payload)
    ports = CLIENT_PORT, SERVER_PORT
    pseudo = struct.pack("!4s4sBBH", *ends, 0, _PROTOCOL_UDP, length)
    total = checksum(pseudo + _UDP.pack(*ports, length, 0) + payload) or 0xFFFF
    start = 0x45, 0, _IPV4.size + length, 0, 0, _TTL, _PROTOCOL_UDP
    header = _IPV4.pack(*start, checksum(_IPV4.pack(*start, 0, *ends)), *ends)
    ethernet = _ETHERNET.pack(_mac(to_mac), _mac(mac), _ETHERTYPE_IPV4)
    return ethernet + header + _UDP.pack(*ports, length, total) + payload


def parse_frame(data: bytes) -> tuple[str, Message] | None:
    """The sender's MAC and the message to a client's port; None if it is anything else.

    The UDP checksum is not verified: a packet from a sender on this machine has none yet.
    """
    if len(data) < _ETHERNET.size + _IPV4.size:
        return None
    _, sender, kind = _ETHERNET.unpack_from(data)
    first, _, length, _, fragment, _, protocol, *_ = _IPV4.unpack_from(data, _ETHERNET.size)
    packet = data[_ETHERNET.size : _ETHERNET.size + length]
    header = (first & 0xF) * 4
    if kind != _ETHERTYPE_IPV4 or first >> 4 != 4 or protocol != _PROTOCOL_UDP:
        return None
    if header < _IPV4.size or fragment & _FRAGMENT or len(packet) < max(length, header + 8):
        return None
    _, port, size, _ = _UDP.unpack_from(packet, header)
    if port != CLIENT_PORT or size < _UDP.size or header + size > len(packet):
        return None
    message = parse(packet[header + _UDP.size : header + size])
    return (mac_text(sender), message) if message else None


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
