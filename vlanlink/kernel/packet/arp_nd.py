"""Ask the LAN whether addresses are in use.

Frames are sent and received on packet sockets (packet(7)): the kernel's own ARP and neighbour
discovery resolve only addresses in use, one at a time.
"""

import ctypes
import errno
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Event
from typing import TypeVar

from vlanlink.dataclass import dataclass
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.packet import packets
from vlanlink.kernel.packet.beside import Beside, LinksBeside, links_beside
from vlanlink.kernel.packet.sockets import BUFFER, ethertype, widen
from vlanlink.model import HOST, family_of

SLICE_SECONDS = 0.1
"""Interval at which a wait checks whether it should stop."""
_MOST_QUEUED = BUFFER >> 8
"""Packets that fit into the buffer: each counts with its struct sk_buff."""
_GAP_SECONDS = 0.0005
"""Gap between frames, so that neither our buffers nor a switch's storm control drop them."""
RETRY_SECONDS = 0.002
"""Pause before a frame is sent again that found no room."""
_FULL = (errno.ENOBUFS, errno.EAGAIN)

_ETH_P_ALL = 3
_SOL_PACKET = 263
_ADD_MEMBERSHIP, _IGNORE_OUTGOING = 1, 23
_ALLMULTI, _UNICAST = 2, 3
_SO_ATTACH_FILTER = 26

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ArpProbe:
    """A probe for an address on the segment of a link of the host."""

    parent_index: int
    parent_mac: str
    address: str
    own: frozenset[str] = frozenset()
    """MACs whose replies to this probe don't count, in addition to those passed to ``probe``."""
    beside: Beside | None = None
    """How it reaches other links on the parent; None: only the wire hears it."""


def probe(
    namespaces: Namespaces,
    probes: Sequence[ArpProbe],
    *,
    own: Collection[str] = (),
    count: int = 2,
    seconds: float = 1.0,
    stop: Event | None = None,
) -> dict[ArpProbe, str]:
    """The probes whose address is in use, and the MAC that has it.

    All are sent in parallel, ``count`` times each within ``seconds``; it returns sooner if all are
    answered. Replies from ``own`` MACs and from the parents don't count. If stopped, it returns
    what it knows. Raises OSError if a probe could not be sent: that address is undecided.
    """
    if not probes:
        return {}
    kinds = {p.parent_index: p.beside.kind for p in probes if p.beside}
    ignored = {*(mac.lower() for mac in own), *(p.parent_mac.lower() for p in probes)}
    with ExitStack() as stack:
        beside = stack.enter_context(links_beside(namespaces, kinds)) if kinds else None
        namespaces.enter(HOST)
        sock = stack.enter_context(_packet_socket(probes))
        run = _ProbeRun(sock, beside, probes, ignored)
        run.run(deque(_paced(list(dict.fromkeys(probes)), count, seconds)), seconds, stop)
        return run.in_use


def _paced(items: Sequence[_T], count: int, seconds: float) -> Iterator[tuple[float, _T]]:
    """Send times for each of ``items``, ``count`` times, with time left for the last answer."""
    interval = seconds / max(1, count)
    gap = min(_GAP_SECONDS, interval / 2 / max(1, len(items)))
    for turn in range(count):
        for position, item in enumerate(items):
            yield turn * interval + position * gap, item


class _ProbeRun:
    """Probes in flight."""

    def __init__(
        self,
        sock: socket.socket,
        beside: LinksBeside | None,
        probes: Sequence[ArpProbe],
        ignored: set[str],
    ) -> None:
        self.socket = sock
        self.beside = beside
        self.ignored = ignored
        self.names = {p.parent_index: "" for p in probes}
        for index in self.names:
            self.names[index] = socket.if_indextoname(index)
        self.open = {(self.names[p.parent_index], _canonical(p.address)): p for p in probes}
        self.unsent = set(probes)
        self.in_use: dict[ArpProbe, str] = {}

    def run(
        self, schedule: deque[tuple[float, ArpProbe]], seconds: float, stop: Event | None
    ) -> None:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        start = time.monotonic()
        while self.open and (now := time.monotonic() - start) < seconds:
            if stop and stop.is_set():
                return
            wait = min(self._send_due(schedule, now), seconds - now, SLICE_SECONDS)
            if poll.poll(max(1, int(wait * 1000))):
                self._receive()
        if self.unsent & set(self.open.values()):
            raise OSError(errno.ENOBUFS, "the link accepted no frames", self._unsent_links())

    def _send_due(self, schedule: deque[tuple[float, ArpProbe]], now: float) -> float:
        """Send due probes; seconds until the next one is due."""
        while schedule and schedule[0][0] <= now:
            if not self._send(schedule[0][1]):
                return RETRY_SECONDS
            schedule.popleft()
        return schedule[0][0] - now if schedule else SLICE_SECONDS

    def _send(self, probe: ArpProbe) -> bool:
        """Send a probe; False if there was no room for the frame."""
        if probe in self.in_use:
            return True
        frame = packets.address_probe(probe.parent_mac, probe.address)
        name = self.names[probe.parent_index]
        if self.beside and probe.beside:
            self._send_beside(self.beside, probe, probe.beside)
        try:
            self.socket.sendto(frame, (name, ethertype(probe.address)))
        except OSError as error:
            if error.errno in _FULL:
                return False
            raise OSError(error.errno, error.strerror, name) from None
        self.unsent.discard(probe)
        return True

    def _send_beside(self, links: LinksBeside, probe: ArpProbe, beside: Beside) -> None:
        """Send it to the other links on the parent, too.

        The wire gets a copy, after them: with a thousand of them that one may be dropped, which is
        one reason for sending from the parent, too. The other: a station with this MAC can't answer
        it.
        """
        to = links.names[probe.parent_index], ethertype(probe.address)
        try:
            links.socket.sendto(beside.frame(probe.address), to)
        except OSError as error:
            if error.errno not in _FULL:
                raise OSError(error.errno, error.strerror, self.names[probe.parent_index]) from None

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(1024):  # bounded, so that sending gets its turn
                data, (name, *_) = self.socket.recvfrom(2048)
                frame = packets.parse(data)
                found = packets.claim(frame) if frame else None
                if not found or (probe := self.open.get((name, found[0]))) is None:
                    continue
                if found[1] in self.ignored or found[1] in probe.own:
                    continue
                if probe.beside and data.startswith(probe.beside.frame(probe.address)):
                    continue  # the probe itself, on its way out or reflected by a switch
                self.in_use[self.open.pop((name, found[0]))] = found[1]

    def _unsent_links(self) -> str:
        return ", ".join(sorted({self.names[p.parent_index] for p in self.unsent}))


def _canonical(address: str) -> str:
    family = socket.AF_INET if family_of(address) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, socket.inet_pton(family, address))


@contextmanager
def _packet_socket(probes: Sequence[ArpProbe]) -> Iterator[socket.socket]:
    """A socket that receives ARP and neighbour discovery from all links of the namespace.

    One for all parents: closing a packet socket costs a grace period of the kernel. It is bound to
    ETH_P_ALL, not to these two protocols, because the kernel delivers packets to such a socket
    before the rx_handler of a bridge, macvlan or ipvlan on the link takes them.
    """
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_PACKET, kind, socket.htons(_ETH_P_ALL)) as sock:
        program = ctypes.create_string_buffer(_filter())
        attach = struct.pack("HP", len(program) // 8, ctypes.addressof(program))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attach)
        # A link sends its answer through the parent if no other link there has the asker's MAC.
        sock.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, not any(p.beside for p in probes))
        widen(sock)
        for membership in _memberships(probes):
            sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        with suppress(BlockingIOError):
            for _ in range(_MOST_QUEUED):  # a flood that the filter lets in would never end
                sock.recv(1)  # packets from before the filter was attached
        yield sock


def _memberships(probes: Iterable[ArpProbe]) -> Iterator[bytes]:
    """What the parents have to receive (struct packet_mreq, packet(7)).

    Answers to a probe from :: go to all nodes, others' probes to the address's group; a link with
    IPv6 disabled receives neither. Answers to a MAC that the parent does not have are filtered out
    by its NIC.
    """
    for index in {p.parent_index for p in probes if family_of(p.address) == 6}:
        yield struct.pack("iHH8s", index, _ALLMULTI, 0, b"")
    for index, mac in {(p.parent_index, p.beside.mac) for p in probes if p.beside}:
        yield struct.pack("iHH8s", index, _UNICAST, 6, bytes.fromhex(mac.replace(":", "")))


def _filter() -> bytes:
    """A filter for ARP and neighbour discovery, untagged or with VLAN id 0 (linux/filter.h).

    The kernel strips tags into packet metadata. A tagged packet belongs to a VLAN link, where it
    appears again without its tag. Packets with an in-band tag, from links without reorder_hdr, pass
    and are left to ``packets.parse``.
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
