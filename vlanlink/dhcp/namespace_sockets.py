"""The netlink sockets in a namespace with DHCP endpoints, and what the kernel announces on them."""

import os
import socket
import struct
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.kernel.netlink.attributes import attributes, ip
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.packet.solicit import open_asking

CARRIER: Final = 0x1 | 0x10000
"""IFF_UP and IFF_LOWER_UP, both: the link has carrier (netdevice(7))."""
_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_OPTIONS = struct.Struct("=BxHiBBHI")
"""nduseroptmsg (linux/rtnetlink.h); as long as _LINK."""
_NEWLINK, _DELADDR, _NEWNDUSEROPT, _IFA_LOCAL = 16, 21, 68, 2
_ADVERTISEMENT: Final = 134
"""The ICMPv6 type of router advertisements (RFC 4861, 4.2)."""
_GROUPS: Final = 0x1 | 0x10 | 1 << 19
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTNLGRP_ND_USEROPT (linux/rtnetlink.h)."""


@dataclass(frozen=True, slots=True)
class NamespaceSockets:
    """The sockets in a namespace that its clients share."""

    requests: Socket
    """For addresses to be set and removed."""
    events: socket.socket
    """Notifications; ``notices`` reads them."""
    inode: int
    """Of the namespace; its name may mean another one later."""
    asking: socket.socket | None = None
    """Asks routers, where somebody listens to them."""

    def close(self) -> None:
        """Close them."""
        self.requests.close()
        self.events.close()
        if self.asking:
            self.asking.close()


def open_sockets(*, asking: bool = False) -> NamespaceSockets:
    """The sockets of the calling thread's namespace. Raises OSError."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    events = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    events.bind((0, _GROUPS))
    inode = os.stat("/proc/thread-self/ns/net").st_ino
    return NamespaceSockets(Socket(), events, inode, open_asking() if asking else None)


def notices(data: bytes) -> list[tuple[int, int | str | bytes]]:
    """What notifications tell, with the index of the link.

    Flags of a link, the text of an address removed, options of a router's advertisement.
    """
    found: list[tuple[int, int | str | bytes]] = []
    at = 0
    while at + _HEADER.size + _LINK.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            break
        if kind == _NEWLINK:
            _, _, index, flags, _ = _LINK.unpack_from(data, at + _HEADER.size)
            found.append((index, flags))
        elif kind == _DELADDR:
            *_, index = _ADDRESS.unpack_from(data, at + _HEADER.size)
            body = data[at + _HEADER.size + _ADDRESS.size : at + length]
            local = dict(attributes(body)).get(_IFA_LOCAL, b"")
            found.append((index, ip(local) or ""))
        elif kind == _NEWNDUSEROPT:
            start = at + _HEADER.size
            _, size, index, icmp, *_ = _OPTIONS.unpack_from(data, start)
            options = data[start + _OPTIONS.size : at + length][:size]
            if icmp == _ADVERTISEMENT:
                found.append((index, options))
        at += (length + 3) & ~3
    return found
