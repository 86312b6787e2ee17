"""Requests for dumps: a header, a nearly empty body, at most one attribute."""

import struct
from typing import Final

from vlanlink.kernel.netlink import message
from vlanlink.kernel.netlink.constants import (
    DUMP,
    EXT_MASK_SKIP_STATS,
    GETADDR,
    GETLINK,
    GETNEIGH,
    GETROUTE,
    REQUEST,
    RTN_UNICAST,
)

_IFLA_EXT_MASK = 29
_AF_INET6, _AF_BRIDGE = 10, 7


_DUMP = REQUEST | DUMP
_LINKS: Final = bytes(
    message.request(GETLINK, _DUMP, bytes(16), message.u32(_IFLA_EXT_MASK, EXT_MASK_SKIP_STATS))
)
_ROUTES: Final = {
    family: bytes(message.request(GETROUTE, _DUMP, struct.pack("=B6xBI", number, RTN_UNICAST, 0)))
    for family, number in ((4, 2), (6, 10))
}


def dump_links() -> bytearray:
    """A request for all links, without their counters."""
    return bytearray(_LINKS)


def dump_tokens() -> bytearray:
    """A request for what IPv6 knows of all links: with their counters, but it alone has tokens."""
    return message.request(GETLINK, _DUMP, struct.pack("=B15x", _AF_INET6))


def dump_addresses(index: int = 0) -> bytearray:
    """A request for all addresses, or those of one link (Linux 5.0)."""
    return message.request(GETADDR, _DUMP, struct.pack("=4xI", index))


def dump_forwarding(index: int) -> bytearray:
    """A request for the forwarding entries of a link, its list of unicast addresses among them."""
    return message.request(GETNEIGH, _DUMP, struct.pack("=BxxxiI", _AF_BRIDGE, index, 0))


def dump_routes(family: int) -> bytearray:
    """A request for the unicast routes of a family (4 or 6).

    On a socket that has requests checked strictly the kernel leaves out all others (Linux 4.20);
    that is, most of the table ``local``.
    """
    return bytearray(_ROUTES[family])
