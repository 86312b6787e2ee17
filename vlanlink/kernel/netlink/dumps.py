"""The requests for dumps: a header, a body that is nearly empty, at most one attribute."""

import struct
from typing import Final

from vlanlink.kernel.netlink.constants import (
    DUMP,
    EXT_MASK_SKIP_STATS,
    GETADDR,
    GETLINK,
    GETROUTE,
    REQUEST,
    RTN_UNICAST,
)

_HEADER = struct.Struct("=IHHII")
_IFLA_EXT_MASK = 29


def _request(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, REQUEST | DUMP, 0, 0) + body


_LINKS: Final = _request(
    GETLINK, bytes(16) + struct.pack("=HHI", 8, _IFLA_EXT_MASK, EXT_MASK_SKIP_STATS)
)
_ADDRESSES: Final = _request(GETADDR, bytes(8))
_ROUTES: Final = {
    family: _request(GETROUTE, struct.pack("=B6xBI", number, RTN_UNICAST, 0))
    for family, number in ((4, 2), (6, 10))
}


def dump_links() -> bytearray:
    """A request for all links, without their counters."""
    return bytearray(_LINKS)


def dump_addresses() -> bytearray:
    """A request for all addresses."""
    return bytearray(_ADDRESSES)


def dump_routes(family: int) -> bytearray:
    """A request for the unicast routes of a family (4 or 6).

    On a socket that has requests checked strictly the kernel leaves out all others (Linux 4.20);
    that is, most of the table ``local``.
    """
    return bytearray(_ROUTES[family])
