"""Netlink messages in words, for the log: ``RTM_NEWADDR create excl, index 3, local 192.0.2.1``.

Numbers are those of linux/rtnetlink.h, if_link.h and if_addr.h. What has no name here is written as
number and hex.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from errno import errorcode
from typing import TYPE_CHECKING, Final

from vlanlink.kernel.netlink.attributes import attributes, ip, text

if TYPE_CHECKING:
    from logging import Logger

_TYPES: Final[Mapping[int, str]] = {
    16: "RTM_NEWLINK",
    17: "RTM_DELLINK",
    18: "RTM_GETLINK",
    19: "RTM_SETLINK",
    20: "RTM_NEWADDR",
    21: "RTM_DELADDR",
    22: "RTM_GETADDR",
    24: "RTM_NEWROUTE",
    25: "RTM_DELROUTE",
    26: "RTM_GETROUTE",
    108: "RTM_NEWLINKPROP",
    109: "RTM_DELLINKPROP",
}
_FLAGS: Final[Mapping[int, str]] = {
    0x100: "replace",
    0x200: "excl",
    0x400: "create",
    0x800: "append",
}
_GETTERS: Final = (18, 22, 26)
_LINK: Final[Mapping[int, str]] = {
    1: "mac",
    3: "name",
    4: "mtu",
    5: "parent",
    13: "txqueuelen",
    18: "linkinfo",
    20: "alias",
    26: "af_spec",
    27: "group",
    28: "netns_fd",
    52: "properties",
}
_LINKINFO: Final[Mapping[int, str]] = {1: "kind", 2: "data"}
_ADDRESS: Final[Mapping[int, str]] = {
    1: "address",
    2: "local",
    4: "broadcast",
    6: "lifetimes",
    8: "flags",
    9: "metric",
    11: "protocol",
}
_ROUTE: Final[Mapping[int, str]] = {
    1: "to",
    4: "dev",
    5: "via",
    6: "metric",
    7: "src",
    15: "table",
    18: "via",
}
_TEXTS: Final = ("name", "alias", "kind")
_ADDRESSES: Final = ("address", "local", "broadcast", "to", "via", "src")
_HEADER: Final = struct.Struct("=IHHII")
_LINK_BODY: Final = struct.Struct("=BxHiII")
_ADDRESS_BODY: Final = struct.Struct("=BBBBI")
_ROUTE_BODY: Final = struct.Struct("=BBBBBBBBI")


def write(logger: "Logger", message: bytes | bytearray, number: int, said: str) -> None:
    """A line for a request: the message, and the kernel's answer (errno or 0, and its text)."""
    answer = f"{errorcode.get(number, number)} {said}" if number else "ok"
    logger.debug("%s: %s", in_words(message), answer.rstrip())


def write_dump(logger: "Logger", message: bytes | bytearray, found: Sequence[bytes]) -> None:
    """A line for a dump: the request, and how many messages answered it."""
    logger.debug("%s: %d messages", in_words(message), len(found))


def write_generic(logger: "Logger", message: bytes | bytearray, found: Sequence[bytes]) -> None:
    """The same for a dump of a generic netlink family."""
    family = _HEADER.unpack_from(message)[1]
    logger.debug("generic netlink, family %d, dump: %d messages", family, len(found))


def in_words(message: bytes | bytearray) -> str:
    """A message of rtnetlink(7) in one line."""
    _, kind, flags, _, _ = _HEADER.unpack_from(message)
    name = _TYPES.get(kind, f"message type {kind}")
    if kind in _GETTERS or kind not in _TYPES:
        return f"{name} dump" if flags & 0x300 == 0x300 else name
    named = [word for bit, word in _FLAGS.items() if flags & bit]
    return ", ".join([" ".join([name, *named]), *_body(kind, bytes(message[16:]))])


def _body(kind: int, body: bytes) -> Iterator[str]:
    if kind in (20, 21):
        _, prefix, flags, _, index = _ADDRESS_BODY.unpack_from(body)
        yield from (f"index {index}", f"prefix {prefix}", *([f"flags {flags:#x}"] if flags else []))
        yield from _attributes(body, _ADDRESS_BODY.size, _ADDRESS)
    elif kind in (24, 25):
        _, prefix, *_ = _ROUTE_BODY.unpack_from(body)
        yield f"prefix {prefix}"
        yield from _attributes(body, _ROUTE_BODY.size, _ROUTE)
    else:
        _, _, index, flags, mask = _LINK_BODY.unpack_from(body)
        yield from [f"index {index}"] if index else []
        yield from ["up" if flags & 1 else "down"] if mask & 1 else []
        yield from _attributes(body, _LINK_BODY.size, _LINK)


def _attributes(data: bytes, offset: int, names: Mapping[int, str]) -> Iterator[str]:
    for number, value in attributes(data, offset):
        name = names.get(number & 0x3FFF, "")
        if name == "linkinfo":
            yield from _attributes(value, 0, _LINKINFO)
        else:
            yield f"{name or f'attribute {number & 0x3FFF}'} {_value(name, value)}"


def _value(name: str, value: bytes) -> str:
    if name in _TEXTS:
        return text(value)
    if name == "mac":
        return value.hex(":")
    if name in _ADDRESSES and len(value) in (4, 16):
        return str(ip(value))
    if name and len(value) in (1, 2, 4):
        return str(int.from_bytes(value, "little" if _LITTLE else "big"))
    return value.hex() or "set"


_LITTLE: Final = struct.pack("=H", 1) == b"\x01\x00"
