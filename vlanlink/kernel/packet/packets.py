"""Build and parse the frames of address resolution and echo. Pure.

ARP: RFC 826, its probes and announcements: RFC 5227. IPv6 neighbour discovery: RFC 4861, its
duplicate address detection: RFC 4862. Echo: RFC 792 and RFC 4443. ``parse`` accepts any bytes and
returns None for anything but a complete, valid frame of these.
"""

import struct
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from vlanlink.dataclass import dataclass
from vlanlink.model import family_of

ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0806, 0x86DD
ETHERTYPE_VLAN = (0x8100, 0x88A8)

REQUEST, REPLY = 1, 2
"""ARP operations (ar$op)."""

BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
NO_MAC = "00:00:00:00:00:00"
NO_IPV4, NO_IPV6 = "0.0.0.0", "::"
ALL_NODES = "ff02::1"

SOLICITATION, ADVERTISEMENT = 135, 136
_SOURCE_OPTION, _TARGET_OPTION = 1, 2
_ROUTER, _SOLICITED, _OVERRIDE = 0x80000000, 0x40000000, 0x20000000

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_START = (1, 0x0800, 6, 4)  # Ethernet, IPv4, and the lengths of their addresses
_IPV6 = struct.Struct("!IHBB16s16s")
_ICMPV6, _HOP_LIMIT = 58, 255
_DISCOVERY = struct.Struct("!BBHI16s")
_ECHO = struct.Struct("!BBHHH")
ECHO_REQUEST = {4: 8, 6: 128}
ECHO_REPLY = {4: 0, 6: 129}


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP packet. A probe has sender 0.0.0.0; an announcement's sender is its target."""

    operation: int
    sender_mac: str
    sender: str
    target_mac: str
    target: str


@dataclass(frozen=True, slots=True)
class Solicitation:
    """A neighbour solicitation; from ``::`` it is a duplicate address probe."""

    source: str
    destination: str
    target: str
    mac: str | None = None
    """The source link-layer address option."""


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A neighbour advertisement."""

    source: str
    destination: str
    target: str
    mac: str | None = None
    """The target link-layer address option."""
    router: bool = False
    solicited: bool = False
    override: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One of these packets in an Ethernet frame."""

    destination_mac: str
    source_mac: str
    packet: Arp | Solicitation | Advertisement


@dataclass(frozen=True, slots=True)
class Echo:
    """An ICMP or ICMPv6 echo message; the reply repeats all its fields."""

    kind: int
    identifier: int
    sequence: int
    payload: bytes = b""


# -- building --------------------------------------------------------------------------------------


def build(frame: Frame) -> bytes:
    """The bytes of a frame; the link pads short ones. Raises OSError or ValueError."""
    packet = frame.packet
    if isinstance(packet, Arp):
        kind, body = ETHERTYPE_ARP, _build_arp(packet)
    else:
        kind, body = ETHERTYPE_IPV6, _build_discovery(packet)
    start = _ETHERNET.pack(_mac(frame.destination_mac), _mac(frame.source_mac), kind)
    return start + body


def arp_probe(mac: str, address: str) -> bytes:
    """ARP probe for an address: a request that updates no caches (RFC 5227)."""
    packet = Arp(REQUEST, mac, NO_IPV4, NO_MAC, address)
    return build(Frame(BROADCAST_MAC, mac, packet))


def arp_request(mac: str, source: str, address: str) -> bytes:
    """ARP request for an address (RFC 826)."""
    return build(Frame(BROADCAST_MAC, mac, Arp(REQUEST, mac, source, NO_MAC, address)))


def arp_announcement(mac: str, address: str) -> bytes:
    """Announcement to all that ``mac`` has the address (RFC 5227, 3: a request)."""
    return arp_request(mac, address, address)


def neighbour_probe(mac: str, address: str) -> bytes:
    """Duplicate address probe for an IPv6 address (RFC 4862, 5.4.2)."""
    group = solicited_node(address)
    return build(Frame(multicast_mac(group), mac, Solicitation(NO_IPV6, group, address)))


def neighbour_advertisement(mac: str, address: str, *, router: bool = False) -> bytes:
    """Unsolicited advertisement to all nodes that ``mac`` has the IPv6 address (RFC 4861, 7.2.6).

    ``router`` must be right: hosts stop using a router whose advertisement lacks the flag.
    """
    packet = Advertisement(address, ALL_NODES, address, mac, router=router, override=True)
    return build(Frame(multicast_mac(ALL_NODES), mac, packet))


def address_probe(mac: str, address: str) -> bytes:
    """The probe for an address of either family."""
    return (arp_probe if family_of(address) == 4 else neighbour_probe)(mac, address)


def solicited_node(address: str) -> str:
    """Solicited-node multicast group of an IPv6 address (RFC 4291, 2.7.1)."""
    start = bytes.fromhex("ff0200000000000000000001ff")
    return inet_ntop(AF_INET6, start + inet_pton(AF_INET6, address)[13:])


def multicast_mac(group: str) -> str:
    """The MAC address of an IPv6 multicast group (RFC 2464, 7)."""
    return mac_text(b"\x33\x33" + inet_pton(AF_INET6, group)[12:])


def echo(family: int, message: Echo) -> bytes:
    """The bytes of an echo message, with its IPv4 checksum; for IPv6 the kernel sets it."""
    fields = (message.identifier, message.sequence)
    blank = _ECHO.pack(message.kind, 0, 0, *fields) + message.payload
    total = checksum(blank) if family == 4 else 0
    return _ECHO.pack(message.kind, 0, total, *fields) + message.payload


def checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071); 0 over data that includes its checksum."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_text(data: bytes) -> str:
    """``02:42:ac:10:03:0f``."""
    return data.hex(":")


def _mac(text: str) -> bytes:
    data = bytes.fromhex(text.replace(":", ""))
    if len(data) != 6:
        raise ValueError(f"not a MAC address: {text}")
    return data


def _build_arp(packet: Arp) -> bytes:
    sender, target = inet_pton(AF_INET, packet.sender), inet_pton(AF_INET, packet.target)
    macs = _mac(packet.sender_mac), _mac(packet.target_mac)
    return _ARP.pack(*_ARP_START, packet.operation, macs[0], sender, macs[1], target)


def _build_discovery(packet: Solicitation | Advertisement) -> bytes:
    flags, kind, option = 0, SOLICITATION, _SOURCE_OPTION
    if isinstance(packet, Advertisement):
        kind, option = ADVERTISEMENT, _TARGET_OPTION
        flags = packet.router * _ROUTER | packet.solicited * _SOLICITED
        flags |= packet.override * _OVERRIDE
    options = bytes((option, 1)) + _mac(packet.mac) if packet.mac else b""
    source = inet_pton(AF_INET6, packet.source)
    destination = inet_pton(AF_INET6, packet.destination)
    target = inet_pton(AF_INET6, packet.target)
    blank = _DISCOVERY.pack(kind, 0, 0, flags, target) + options
    total = _icmpv6_checksum(source, destination, blank)
    body = _DISCOVERY.pack(kind, 0, total, flags, target) + options
    start = (6 << 28, len(body), _ICMPV6, _HOP_LIMIT)
    return _IPV6.pack(*start, source, destination) + body


def _icmpv6_checksum(source: bytes, destination: bytes, message: bytes) -> int:
    """Over the pseudo-header of RFC 8200, 8.1, and the message."""
    return checksum(source + destination + struct.pack("!II", len(message), _ICMPV6) + message)


# -- parsing ---------------------------------------------------------------------------------------


def parse(data: bytes) -> Frame | None:
    """Parse a frame; None unless it is valid ARP or neighbour discovery."""
    if len(data) < _ETHERNET.size:
        return None
    destination, source, kind = _ETHERNET.unpack_from(data)
    start = _ETHERNET.size
    if kind in ETHERTYPE_VLAN and len(data) >= start + 4:  # a VLAN link without reorder_hdr
        kind = int.from_bytes(data[start + 2 : start + 4], "big")  # leaves the tag in place
        start += 4
    packet: Arp | Solicitation | Advertisement | None = None
    if kind == ETHERTYPE_ARP:
        packet = _parse_arp(data[start:])
    elif kind == ETHERTYPE_IPV6:
        packet = _parse_ipv6(data[start:])
    return Frame(mac_text(destination), mac_text(source), packet) if packet else None


def parse_echo(family: int, data: bytes) -> Echo | None:
    """The echo message in data from a raw socket; IPv4 data includes its header (raw(7))."""
    if family == 4:
        data = data[(data[0] & 0xF) * 4 :] if data else data
    if len(data) < _ECHO.size:
        return None
    kind, code, _, identifier, sequence = _ECHO.unpack_from(data)
    if code != 0 or kind not in (ECHO_REQUEST[family], ECHO_REPLY[family]):
        return None
    return Echo(kind, identifier, sequence, data[_ECHO.size :])


def claim(frame: Frame) -> tuple[str, str] | None:
    """The address that a frame's sender has or is about to use, and its MAC; None if there is none.

    The sender has the source address of its ARP packet or solicitation, and the address that it
    advertises; it is about to use the one that it probes for (RFC 5227, 2.1.1; RFC 4862, 5.4.3).
    """
    packet = frame.packet
    if isinstance(packet, Arp):
        if packet.sender != NO_IPV4:
            return packet.sender, packet.sender_mac
        return (packet.target, packet.sender_mac) if packet.operation == REQUEST else None
    if isinstance(packet, Advertisement):
        return packet.target, packet.mac or frame.source_mac
    if packet.source == NO_IPV6:
        return packet.target, frame.source_mac
    return packet.source, packet.mac or frame.source_mac


def _parse_arp(data: bytes) -> Arp | None:
    if len(data) < _ARP.size:
        return None
    *start, operation, sender_mac, sender, target_mac, target = _ARP.unpack_from(data)
    if tuple(start) != _ARP_START or operation not in (REQUEST, REPLY):
        return None
    return Arp(
        operation,
        mac_text(sender_mac),
        inet_ntop(AF_INET, sender),
        mac_text(target_mac),
        inet_ntop(AF_INET, target),
    )


def _parse_ipv6(data: bytes) -> Solicitation | Advertisement | None:
    if len(data) < _IPV6.size:
        return None
    first, length, following, hops, source, destination = _IPV6.unpack_from(data)
    message = data[_IPV6.size : _IPV6.size + length]
    if first >> 28 != 6 or following != _ICMPV6 or hops != _HOP_LIMIT or len(message) < length:
        return None
    if length < _DISCOVERY.size or _icmpv6_checksum(source, destination, message):
        return None
    return _parse_discovery(source, destination, message)


def _parse_discovery(
    source: bytes, destination: bytes, message: bytes
) -> Solicitation | Advertisement | None:
    """Parse a message that passes the checks of RFC 4861, 7.1.1 and 7.1.2."""
    kind, code, _, flags, target = _DISCOVERY.unpack_from(message)
    options = _options(message[_DISCOVERY.size :])
    if code != 0 or target[0] == 0xFF or options is None:
        return None
    ends = inet_ntop(AF_INET6, source), inet_ntop(AF_INET6, destination)
    asked = inet_ntop(AF_INET6, target)
    if kind == SOLICITATION:
        mac = options.get(_SOURCE_OPTION)
        probe = ends[0] == NO_IPV6
        if probe and (mac or ends[1] != solicited_node(asked)):
            return None
        return Solicitation(*ends, asked, mac)
    if kind != ADVERTISEMENT or (flags & _SOLICITED and destination[0] == 0xFF):
        return None
    bits = (bool(flags & bit) for bit in (_ROUTER, _SOLICITED, _OVERRIDE))
    return Advertisement(*ends, asked, options.get(_TARGET_OPTION), *bits)


def _options(data: bytes) -> dict[int, str] | None:
    """Link-layer addresses among the options; None if the options are malformed."""
    found: dict[int, str] = {}
    while data:
        size = data[1] * 8 if len(data) > 1 else 0
        if size == 0 or size > len(data):
            return None
        if data[0] in (_SOURCE_OPTION, _TARGET_OPTION):
            found.setdefault(data[0], mac_text(data[2:8]))
        data = data[size:]
    return found
