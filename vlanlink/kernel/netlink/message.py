"""Write netlink messages (netlink(7)): header, body, attributes."""

import struct
from socket import AF_INET, AF_INET6, inet_pton

NESTED = 0x8000
"""NLA_F_NESTED, for attributes that Linux doesn't accept without it: those newer than 5.2."""

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_pack_u32 = struct.Struct("=I").pack


def request(kind: int, flags: int, body: bytes, *attributes: bytes) -> bytearray:
    """Return a request; its sequence number is set when it is sent."""
    payload = b"".join((body, *attributes))
    return bytearray(_HEADER.pack(_HEADER.size + len(payload), kind, flags, 0, 0)) + payload


def attribute(number: int, value: bytes) -> bytes:
    """Return a struct nlattr with its value, padded to four bytes."""
    length = len(value)
    return _ATTRIBUTE.pack(4 + length, number) + value + _PADDING[length & 3]


def nested(number: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(number, b"".join(attributes))


def u32(number: int, value: int) -> bytes:
    """Return an attribute that holds a 32-bit number."""
    return attribute(number, _pack_u32(value))


def text(number: int, value: str) -> bytes:
    """Return an attribute that holds a null-terminated string."""
    return attribute(number, value.encode() + b"\0")


def mac(number: int, value: str) -> bytes:
    """Return an attribute that holds a MAC address."""
    return attribute(number, bytes.fromhex(value.replace(":", "")))


def ip(number: int, value: str) -> bytes:
    """Return an attribute that holds an IPv4 or IPv6 address."""
    return attribute(number, inet_pton(AF_INET6 if ":" in value else AF_INET, value))
