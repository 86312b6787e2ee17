"""DHCP messages (RFC 2131, 2; options: RFC 2132) as bytes. Pure.

``parse`` accepts any bytes and returns None for anything but a well-formed reply. The table of
options is short, so there is no library in between; pyroute2's encoder is the tests' oracle.
"""

import struct
from collections.abc import Mapping
from enum import IntEnum
from socket import AF_INET, inet_ntop, inet_pton
from typing import Final

from vlanlink.dataclass import dataclass, field

REQUEST, REPLY = 1, 2
"""BOOTP's op."""
BROADCAST: Final = 0x8000
NO_ADDRESS: Final = "0.0.0.0"

_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE: Final = bytes((99, 130, 83, 99))
_SNAME_AT, _FILE_AT, _OPTIONS_AT = 44, 108, 240
_LEAST: Final = 300
"""Some relays drop messages below BOOTP's size (RFC 1542, 2.1)."""
_LONGEST_PART: Final = 255
_PAD, _END = 0, 255
_IN_FILE, _IN_SNAME = 1, 2


class Kind(IntEnum):
    """Message types (option 53)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7


class Option(IntEnum):
    """The options in use (RFC 2132, 3397, 3442)."""

    MASK = 1
    ROUTERS = 3
    DNS = 6
    HOSTNAME = 12
    DOMAIN = 15
    MTU = 26
    REQUESTED_ADDRESS = 50
    LEASE_SECONDS = 51
    OVERLOAD = 52
    KIND = 53
    SERVER = 54
    PARAMETERS = 55
    TEXT = 56
    LARGEST_MESSAGE = 57
    RENEW_SECONDS = 58
    REBIND_SECONDS = 59
    VENDOR_CLASS = 60
    CLIENT_ID = 61
    SEARCH = 119
    CLASSLESS_ROUTES = 121


@dataclass(frozen=True, slots=True)
class Message:
    """A message between client and server."""

    op: int
    xid: int
    mac: bytes
    options: Mapping[int, bytes] = field(default_factory=dict)
    seconds: int = 0
    flags: int = 0
    client: str = NO_ADDRESS
    """ciaddr: the address that the client has."""
    yours: str = NO_ADDRESS
    """yiaddr: the address that the server gives."""
    relay: str = NO_ADDRESS
    """giaddr."""

    @property
    def kind(self) -> int | None:
        """The message type; None for plain BOOTP."""
        value = self.options.get(Option.KIND, b"")
        return value[0] if len(value) == 1 else None


def build(message: Message) -> bytes:
    """The bytes of a message; values above 255 bytes are split (RFC 3396)."""
    addresses = (message.client, message.yours, NO_ADDRESS, message.relay)
    head = _HEADER.pack(
        message.op,
        1,  # Ethernet
        6,
        0,
        message.xid,
        message.seconds,
        message.flags,
        *(inet_pton(AF_INET, address) for address in addresses),
        message.mac,
        b"",
        b"",
        _COOKIE,
    )
    body = b"".join(_option(number, value) for number, value in message.options.items())
    return (head + body + bytes([_END])).ljust(_LEAST, b"\0")


def _option(number: int, value: bytes) -> bytes:
    parts = [value[at : at + _LONGEST_PART] for at in range(0, len(value), _LONGEST_PART)] or [b""]
    return b"".join(bytes((number, len(part))) + part for part in parts)


def parse(data: bytes) -> Message | None:
    """Parse a message of Ethernet; None if it is malformed."""
    if len(data) < _OPTIONS_AT:
        return None
    op, hardware, length, _, xid, seconds, flags, client, yours, _, relay, mac, *_, cookie = (
        _HEADER.unpack_from(data)
    )
    options = _options(data)
    if cookie != _COOKIE or (hardware, length) != (1, 6) or options is None:
        return None
    addresses = (inet_ntop(AF_INET, each) for each in (client, yours, relay))
    return Message(op, xid, mac[:6], options, seconds, flags, *addresses)


def _options(data: bytes) -> dict[int, bytes] | None:
    """The options, those in the fields of the server's name and boot file included."""
    found: dict[int, bytes] = {}
    if not _collect(data[_OPTIONS_AT:], found):
        return None
    overload = found.get(Option.OVERLOAD, b"\0")
    where = overload[0] if len(overload) == 1 else 0
    if where & _IN_FILE and not _collect(data[_FILE_AT : _OPTIONS_AT - 4], found):
        return None
    if where & _IN_SNAME and not _collect(data[_SNAME_AT:_FILE_AT], found):
        return None
    return found


def _collect(data: bytes, found: dict[int, bytes]) -> bool:
    """Add the options in ``data``, parts joined (RFC 3396); False if one is cut short."""
    at = 0
    while at < len(data) and data[at] != _END:
        number = data[at]
        if number == _PAD:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            return False
        value = data[at + 2 : at + 2 + data[at + 1]]
        found[number] = found.get(number, b"") + value
        at += 2 + len(value)
    return True
