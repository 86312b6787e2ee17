"""Packet sockets of DHCP clients: one for each link, with a filter that lets its replies pass.

Without a filter each client of a process would get every broadcast of all of them. It is attached
before the socket is bound, so nothing else ever waits in it (packet(7), linux/filter.h).
"""

import ctypes
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

_ETH_P_ALL: Final = 3
_SO_ATTACH_FILTER: Final = 26
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_ARP, _IPV4, _UDP, _CLIENT_PORT = 0x0806, 0x0800, 17, 68

_BYTE, _HALF, _WORD = 0x30, 0x28, 0x20
"""Load from a fixed place."""
_HALF_AT_X, _WORD_AT_X, _HEADER_TO_X = 0x48, 0x40, 0xB1
_EQUAL, _ANY, _AND, _GIVE = 0x15, 0x45, 0x54, 0x06
_WHOLE = 0xFFFF

Line = tuple[int, int, int, int]
"""Code, jumps (true, false) and operand."""


def open_client(index: int) -> socket.socket:
    """A socket on the link ``index`` of the calling thread's namespace that receives nothing yet.

    Raises OSError.
    """
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    opened = socket.socket(socket.AF_PACKET, kind, 0)
    try:
        attach(opened, NOTHING)
        with suppress(OSError):  # Linux 4.20
            opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        opened.bind((socket.if_indextoname(index), _ETH_P_ALL))
    except OSError:
        opened.close()
        raise
    return opened


def attach(to: socket.socket, lines: Sequence[Line]) -> None:
    """Attach a filter in place of an earlier one."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    packed = struct.pack("HP", len(lines), ctypes.addressof(program))
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, packed)


NOTHING: Final[Sequence[Line]] = ((_GIVE, 0, 0, 0),)


def talk_about(address: str) -> Sequence[Line]:
    """A filter for ARP from who has an address, or probes for it (RFC 5227, 2.1.1).

    Without the address a client would get the probes of all others, which are broadcast.
    """
    return (
        (_HALF, 0, 0, 12),
        (_EQUAL, 0, 6, _ARP),
        *_about(address),
    )


def _about(address: str) -> Sequence[Line]:
    wanted = int.from_bytes(socket.inet_aton(address), "big")
    return (
        (_WORD, 0, 0, 28),  # the sender's address
        (_EQUAL, 3, 0, wanted),
        (_EQUAL, 0, 3, 0),
        (_WORD, 0, 0, 38),  # the target's
        (_EQUAL, 0, 1, wanted),
        (_GIVE, 0, 0, _WHOLE),
        (_GIVE, 0, 0, 0),
    )


def replies(mac: str, xid: int, xid_mask: int, about: str | None) -> Sequence[Line]:
    """A filter for DHCP replies to ``mac`` with the masked ``xid``, and as ``talk_about``."""
    raw = bytes.fromhex(mac.replace(":", ""))
    first, last = int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:], "big")
    return (
        (_HALF, 0, 0, 12),
        (_EQUAL, 17 if about else 16, 0, _ARP),
        (_EQUAL, 0, 15, _IPV4),
        (_BYTE, 0, 0, 23),  # the IPv4 header's protocol
        (_EQUAL, 0, 13, _UDP),
        (_HALF, 0, 0, 20),  # no fragments
        (_ANY, 11, 0, 0x1FFF),
        (_HEADER_TO_X, 0, 0, 14),
        (_HALF_AT_X, 0, 0, 16),  # the UDP destination port
        (_EQUAL, 0, 8, _CLIENT_PORT),
        (_WORD_AT_X, 0, 0, 26),
        (_AND, 0, 0, xid_mask),
        (_EQUAL, 0, 5, xid & xid_mask),
        (_WORD_AT_X, 0, 0, 50),  # chaddr
        (_EQUAL, 0, 3, first),
        (_HALF_AT_X, 0, 0, 54),
        (_EQUAL, 0, 1, last),
        (_GIVE, 0, 0, _WHOLE),
        (_GIVE, 0, 0, 0),
        *(_about(about) if about else ()),
    )
