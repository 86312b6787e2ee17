"""The LAN asked whether addresses are taken, and told who has them.

Frames are sent and read on packet sockets (packet(7)): the kernel's own ARP and neighbour
discovery would ask only for what is to be used at once, and one address at a time.
"""

import ctypes
import errno
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from vlanlink.kernel import procfs
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.packet import packets
from vlanlink.model import HOST, family_of

SLICE_SECONDS = 0.1
"""How long a wait goes on before it looks whether it is still wanted."""
BUFFER = 8 << 20
_GAP_SECONDS = 0.0005
"""Between two frames, so that neither our buffers nor a switch's storm control drop them."""
_RETRY_SECONDS = 0.002
_RETRIES = 100
_CLOSERS = 128

_ETH_P_ALL = 3
_SOL_PACKET = 263
_ADD_MEMBERSHIP, _IGNORE_OUTGOING = 1, 23
_ALLMULTI = 2
_SO_ATTACH_FILTER, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 26, 32, 33

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ArpProbe:
    """Whether an address is taken on the segment that a link of the host is on."""

    parent_index: int
    parent_mac: str
    address: str
    own: frozenset[str] = frozenset()
    """MACs whose answer to this one is none, beside those that ``probe`` is told of."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """That a link in a namespace has an address."""

    namespace: str
    index: int
    mac: str
    address: str
    by_parent: int = 0
    """The link of the host that sends it in the link's place: to the wire, not to siblings."""


# -- asking ----------------------------------------------------------------------------------------


def probe(
    namespaces: Namespaces,
    questions: Sequence[ArpProbe],
    *,
    own: Collection[str] = (),
    count: int = 2,
    seconds: float = 1.0,
    stop: Event | None = None,
) -> dict[ArpProbe, str]:
    """The questions whose address is taken, and the MAC address that has it.

    All are asked at the same time, ``count`` times each, within ``seconds``; sooner when each is
    answered. What the MACs of ``own`` and of the parents say is no answer. Stopped, it returns
    what it knows. Raises OSError when one could not be asked: nobody then knows about it.
    """
    if not questions:
        return {}
    namespaces.enter(HOST)
    silent = {*(mac.lower() for mac in own), *(q.parent_mac.lower() for q in questions)}
    with _tap(questions) as tap:
        probing = _Probing(tap, questions, silent)
        probing.run(deque(paced(list(dict.fromkeys(questions)), count, seconds)), seconds, stop)
        return probing.taken


def paced(items: Sequence[_T], count: int, seconds: float) -> Iterator[tuple[float, _T]]:
    """When to send each of ``items``, ``count`` times, so that time is left for the last answer."""
    interval = seconds / max(1, count)
    gap = min(_GAP_SECONDS, interval / 2 / max(1, len(items)))
    for turn in range(count):
        for position, item in enumerate(items):
            yield turn * interval + position * gap, item


class _Probing:
    """Questions on their way."""

    def __init__(self, tap: socket.socket, questions: Sequence[ArpProbe], own: set[str]) -> None:
        self.tap = tap
        self.own = own
        self.names = {q.parent_index: "" for q in questions}
        for index in self.names:
            self.names[index] = socket.if_indextoname(index)
        self.open = {(self.names[q.parent_index], _canonical(q.address)): q for q in questions}
        self.unsent = set(questions)
        self.taken: dict[ArpProbe, str] = {}

    def run(
        self, schedule: deque[tuple[float, ArpProbe]], seconds: float, stop: Event | None
    ) -> None:
        poll = select.poll()
        poll.register(self.tap, select.POLLIN)
        start = time.monotonic()
        while self.open and (now := time.monotonic() - start) < seconds:
            if stop and stop.is_set():
                return
            wait = min(self._send_due(schedule, now), seconds - now, SLICE_SECONDS)
            if poll.poll(max(1, int(wait * 1000))):
                self._receive()
        if self.unsent & set(self.open.values()):
            raise OSError(errno.ENOBUFS, "the link took no frames", self._unsent_links())

    def _send_due(self, schedule: deque[tuple[float, ArpProbe]], now: float) -> float:
        """Send what is due; the seconds until something else is."""
        while schedule and schedule[0][0] <= now:
            if not self._send(schedule[0][1]):
                return _RETRY_SECONDS
            schedule.popleft()
        return schedule[0][0] - now if schedule else SLICE_SECONDS

    def _send(self, question: ArpProbe) -> bool:
        """False when there was no room for the frame."""
        if question in self.taken:
            return True
        frame = packets.question(question.parent_mac, question.address)
        name = self.names[question.parent_index]
        try:
            self.tap.sendto(frame, (name, _protocol(question.address)))
        except OSError as error:
            if error.errno in (errno.ENOBUFS, errno.EAGAIN):
                return False
            raise OSError(error.errno, error.strerror, name) from None
        self.unsent.discard(question)
        return True

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(1024):  # then it is time to send again
                data, (name, *_) = self.tap.recvfrom(2048)
                frame = packets.parse(data)
                found = packets.claim(frame) if frame else None
                if not found or (asked := self.open.get((name, found[0]))) is None:
                    continue
                if found[1] not in self.own and found[1] not in asked.own:
                    self.taken[self.open.pop((name, found[0]))] = found[1]

    def _unsent_links(self) -> str:
        return ", ".join(sorted({self.names[q.parent_index] for q in self.unsent}))


def _canonical(address: str) -> str:
    family = socket.AF_INET if family_of(address) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, socket.inet_pton(family, address))


def _protocol(address: str) -> int:
    return packets.ETHERTYPE_ARP if family_of(address) == 4 else packets.ETHERTYPE_IPV6


@contextmanager
def _tap(questions: Sequence[ArpProbe]) -> Iterator[socket.socket]:
    """A socket that hears ARP and neighbour discovery on all links of the namespace.

    One for all parents, however many: each packet socket costs a grace period of the kernel when
    it is closed. It listens to every protocol, not to these two, because the kernel hands packets
    to such a socket before a bridge, macvlan or ipvlan on the link takes them for itself.
    """
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_PACKET, kind, socket.htons(_ETH_P_ALL)) as tap:
        program = ctypes.create_string_buffer(_filter())
        attach = struct.pack("HP", len(program) // 8, ctypes.addressof(program))
        tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attach)
        tap.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        widen(tap)
        # Answers to a probe from :: go to all nodes, others' probes to the address's own group.
        # A link whose IPv6 is disabled listens to neither.
        for index in {q.parent_index for q in questions if family_of(q.address) == 6}:
            membership = struct.pack("iHH8s", index, _ALLMULTI, 0, b"")
            tap.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        with suppress(BlockingIOError):
            while True:
                tap.recv(1)  # what came before the filter was there
        yield tap


def widen(sock: socket.socket) -> None:
    """Have it hold many packets, both ways."""
    ways = (socket.SO_RCVBUF, _SO_RCVBUFFORCE), (socket.SO_SNDBUF, _SO_SNDBUFFORCE)
    for allowed, forced in ways:
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, allowed, BUFFER)


def _filter() -> bytes:
    """ARP and neighbour discovery, untagged or of VLAN 0 (linux/filter.h).

    The kernel takes tags off and keeps them beside the packet. A tagged one belongs to a VLAN
    link, where it is seen once more without its tag. One with a tag still in it, as links
    without reorder_hdr leave them, is let through for ``packets.parse`` to look at.
    """
    load_byte, load_half, load_word = 0x30, 0x28, 0x20
    jump_equal, jump_any, give = 0x15, 0x45, 0x06
    ancillary = 0xFFFFF000
    tag, tag_present = ancillary + 44, ancillary + 48
    arp, ipv6 = packets.ETHERTYPE_ARP, packets.ETHERTYPE_IPV6
    lines = [
        (load_word, 0, 0, tag_present),
        (jump_equal, 2, 0, 0),
        (load_word, 0, 0, tag),
        (jump_any, 11, 0, 0xFFF),
        (load_half, 0, 0, 12),
        (jump_equal, 8, 0, arp),
        (jump_equal, 7, 0, packets.ETHERTYPE_VLAN[0]),
        (jump_equal, 6, 0, packets.ETHERTYPE_VLAN[1]),
        (jump_equal, 0, 6, ipv6),
        (load_byte, 0, 0, 20),  # the IPv6 header's next header
        (jump_equal, 0, 4, 58),
        (load_byte, 0, 0, 54),  # the ICMPv6 type
        (jump_equal, 1, 0, packets.SOLICITATION),
        (jump_equal, 0, 1, packets.ADVERTISEMENT),
        (give, 0, 0, 0xFFFF),
        (give, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


# -- telling ---------------------------------------------------------------------------------------


def announce(
    namespaces: Namespaces,
    announcements: Sequence[Announcement],
    *,
    times: int = 1,
    apart: float = 0.2,
    stop: Event | None = None,
) -> dict[Announcement, str]:
    """Tell each segment who has an address now: gratuitous ARP, unsolicited advertisements.

    Sent from inside each link's namespace, so that siblings on the host hear it as well. ``times``
    times, ``apart`` seconds. Returns those that could not be sent at all, and why.
    """
    stop = stop or Event()
    failed: dict[Announcement, str] = {}
    by_namespace: dict[str, list[Announcement]] = {}
    for each in announcements:
        by_namespace.setdefault(each.namespace, []).append(each)
    names = list(by_namespace)
    for turn in range(times):
        if turn and stop.wait(apart):
            break
        for first in range(0, len(names), namespaces.window):
            window = names[first : first + namespaces.window]
            _announce_in(namespaces, {name: by_namespace[name] for name in window}, failed)
    return failed


def _announce_in(
    namespaces: Namespaces,
    by_namespace: dict[str, list[Announcement]],
    failed: dict[Announcement, str],
) -> None:
    sockets: list[socket.socket] = []
    for_parents: dict[Announcement, bytes] = {}
    try:
        for name, announcements in by_namespace.items():
            try:
                namespaces.enter(name)
                frames = {each: _frame(each) for each in announcements}
                for_parents |= {each: frame for each, frame in frames.items() if each.by_parent}
                if not all(each.by_parent for each in announcements):
                    sockets.append(_sender())
            except OSError as error:
                failed.update(dict.fromkeys(announcements, error.strerror or str(error)))
                continue
            for each, frame in frames.items():
                if not each.by_parent:
                    _send_announcement(sockets[-1], each.index, each, frame, failed)
        if for_parents:
            namespaces.enter(HOST)
            sockets.append(_sender())
            for each, frame in for_parents.items():
                _send_announcement(sockets[-1], each.by_parent, each, frame, failed)
    finally:
        _close(sockets)


def _sender() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)


def _send_announcement(
    sender: socket.socket,
    index: int,
    each: Announcement,
    frame: bytes,
    failed: dict[Announcement, str],
) -> None:
    for _ in range(_RETRIES):
        try:
            sender.sendto(frame, (socket.if_indextoname(index), _protocol(each.address)))
        except OSError as error:
            failed[each] = error.strerror or str(error)
            if error.errno != errno.ENOBUFS:
                return
            time.sleep(_RETRY_SECONDS)  # the link's queue is full: it empties
        else:
            failed.pop(each, None)
            return


def _frame(each: Announcement) -> bytes:
    """To be made in the link's namespace: a router says in IPv6 that it is one."""
    if family_of(each.address) == 4:
        return packets.arp_announcement(each.mac, each.address)
    name = socket.if_indextoname(each.index)
    router = procfs.read(f"net/ipv6/conf/{name}/forwarding") not in (None, "0")
    return packets.neighbour_advertisement(each.mac, each.address, router=router)


def _close(sockets: Sequence[socket.socket]) -> None:
    """Close packet sockets, many at a time.

    The kernel waits for a grace period (some 6 ms) in each close, and lets those that come at the
    same time wait for the same one.
    """
    if len(sockets) == 1:
        sockets[0].close()
    elif sockets:
        with ThreadPoolExecutor(min(_CLOSERS, len(sockets)), "vlanlink-close") as closers:
            list(closers.map(socket.socket.close, sockets))
