"""Announce addresses on the LAN: gratuitous ARP, unsolicited neighbour advertisements."""

import errno
import socket
import time
from collections.abc import Sequence
from threading import Event

from vlanlink.dataclass import dataclass
from vlanlink.kernel import procfs
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.packet import packets
from vlanlink.kernel.packet.arp_nd import RETRY_SECONDS
from vlanlink.kernel.packet.sockets import close_all, ethertype
from vlanlink.model import HOST, family_of

_RETRIES = 100


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announcement that a link in a namespace has an address."""

    namespace: str
    index: int
    mac: str
    address: str
    parent: int = 0
    """Ifindex of the parent whose segment is the link's, if that is on the host; else 0."""
    by_parent: bool = False
    """The parent sends it: to the wire, not to siblings."""


def announce(
    namespaces: Namespaces,
    announcements: Sequence[Announcement],
    *,
    times: int = 1,
    apart: float = 0.2,
    stop: Event | None = None,
) -> dict[Announcement, str]:
    """Announce addresses on their segments: gratuitous ARP, unsolicited advertisements.

    Sent from each link's namespace, so that siblings on the host receive them too; ``times`` times,
    ``apart`` seconds apart. Returns the announcements that failed, and why.
    """
    stop = stop or Event()
    failed: dict[Announcement, str] = {}
    crowded = {each.parent for each in announcements if each.by_parent}
    by_namespace: dict[str, list[Announcement]] = {}
    for each in announcements:
        by_namespace.setdefault(each.namespace, []).append(each)
    names = list(by_namespace)
    for turn in range(times):
        if turn and stop.wait(apart):
            break
        for first in range(0, len(names), namespaces.window):
            window = {name: by_namespace[name] for name in names[first : first + namespaces.window]}
            _announce_in(namespaces, window, failed, crowded)
    return failed


def _announce_in(
    namespaces: Namespaces,
    by_namespace: dict[str, list[Announcement]],
    failed: dict[Announcement, str],
    crowded: set[int],
) -> None:
    """Send from the links, or from their parents if those are ``crowded``.

    A broadcast is copied to all siblings before it reaches the parent (macvlan_start_xmit). More
    than fit the backlog (netdev_max_backlog) leave no room where that is a veth or a bridge.
    """
    sockets: list[socket.socket] = []
    for_parents: dict[Announcement, bytes] = {}
    try:
        for name, announcements in by_namespace.items():
            try:
                frames = {each: _frame(namespaces, each) for each in announcements}
                if any(each.parent not in crowded for each in announcements):
                    namespaces.enter(name)
                    sockets.append(_sender())
            except OSError as error:
                failed.update(dict.fromkeys(announcements, error.strerror or str(error)))
                continue
            for each, frame in frames.items():
                full = each.parent not in crowded and _is_full(
                    sockets[-1], each.index, each, frame, failed
                )
                if full and each.parent:
                    crowded.add(each.parent)
                if each.parent in crowded:
                    for_parents[each] = frame
        if for_parents:
            namespaces.enter(HOST)
            sockets.append(_sender())
            for each, frame in for_parents.items():
                _is_full(sockets[-1], each.parent, each, frame, failed)
    finally:
        close_all(sockets)


def _sender() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)


def _is_full(
    sender: socket.socket,
    index: int,
    each: Announcement,
    frame: bytes,
    failed: dict[Announcement, str],
) -> bool:
    """Send an announcement; True if the link had no room for it all the time."""
    for _ in range(_RETRIES):
        try:
            sender.sendto(frame, (socket.if_indextoname(index), ethertype(each.address)))
        except OSError as error:
            failed[each] = error.strerror or str(error)
            if error.errno != errno.ENOBUFS:
                return False
            time.sleep(RETRY_SECONDS)  # until the link's queue has room
        else:
            failed.pop(each, None)
            return False
    return True


def _frame(namespaces: Namespaces, each: Announcement) -> bytes:
    """The frame. Whether it is from an IPv6 router shows in the link's namespace."""
    if family_of(each.address) == 4:
        return packets.arp_announcement(each.mac, each.address)
    namespaces.enter(each.namespace)
    name = socket.if_indextoname(each.index)
    router = procfs.read(f"net/ipv6/conf/{name}/forwarding") not in (None, "0")
    return packets.neighbour_advertisement(each.mac, each.address, router=router)
