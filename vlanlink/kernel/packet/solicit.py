"""Ask the routers of a link to advertise at once (RFC 4861, 4.1)."""

import errno
import socket
from contextlib import suppress
from typing import Final

_ICMPV6_FILTER: Final = 1
"""linux/icmpv6.h; Python has no name for it."""
_NOTHING: Final = b"\xff" * 32
_SOLICITATION: Final = bytes((133, 0, 0, 0, 0, 0, 0, 0))
"""The kernel fills in the checksum."""
_ROUTERS: Final = "ff02::2"
_HOPS: Final = 255


def open_asking() -> socket.socket | None:
    """A socket of the calling thread's namespace that only sends; None in a kernel without IPv6.

    Raises OSError.
    """
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    try:
        opened = socket.socket(socket.AF_INET6, kind, socket.IPPROTO_ICMPV6)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return None
        raise
    try:
        opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, _NOTHING)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
    except OSError:
        opened.close()
        raise
    return opened


def solicit(through: socket.socket, index: int) -> None:
    """Ask on a link. What can't be sent (no address yet) is lost, as it may be on the way."""
    with suppress(OSError):
        through.sendto(_SOLICITATION, (_ROUTERS, 0, 0, index))
