"""A stream of echo requests from namespaces, and the kernel's view of those that fail.

There is one socket per namespace and family; all are polled together. A request is sent as soon as
there is room for it in the neighbour table, and has a time of its own: what stays silent holds up
nothing but its own place.
"""

import errno
import os
import select
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Event

from vlanlink.dataclass import dataclass
from vlanlink.kernel import procfs
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.packet.arp_nd import SLICE_SECONDS
from vlanlink.kernel.packet.echo import EchoReply, EchoRequest, FailureReason
from vlanlink.kernel.packet.neighbours import Hop, Neighbour, forget, neighbours, next_hop
from vlanlink.kernel.packet.pinger import EchoError, Outcome, Pinger
from vlanlink.model import HOST, family_of

ATTEMPTS = 3
_BURST = 32
"""So many unanswered requests are sent at once: no queue overflows."""
_GAP_SECONDS = 0.0005
"""Interval at which one more follows while none is answered."""
_WORTHWHILE = 8
"""Room is made when one part in so many is free to be used again."""
_REQUESTS_PER_SOCKET = 4096
_USUAL_LIMIT = 1024

_Key = tuple[str, int]
"""Namespace and family, which share a socket."""
_Table = Mapping[tuple[int, str], Neighbour]


def ping(
    namespaces: Namespaces,
    requests: Sequence[EchoRequest],
    *,
    seconds: float = 2.0,
    stop: Event | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[EchoRequest, EchoReply]:
    """Send all requests, in their order; a result for each.

    Each has ``seconds`` to be answered. In flight are as many as open files and the kernel's
    neighbour table have room for (some 400 per family). Requests that won't be answered belong at
    the start: the others go on while they wait. ``progress`` gets the number of finished requests.
    If stopped, undecided requests are left out. Raises OSError if a namespace is gone or raw
    sockets are not permitted, LookupError for an unknown namespace.
    """
    stream = _Stream(namespaces, dict.fromkeys(requests), seconds)
    try:
        return stream.run(stop or Event(), progress)
    finally:
        stream.close()


def _key(request: EchoRequest) -> _Key:
    return request.namespace, family_of(request.address)


def _room(namespaces: Namespaces) -> int:
    """Parallel requests that the neighbour table has room for (arp(7)).

    A machine has one table for all namespaces, with 1024 entries by default; a pair with both ends
    on the machine takes two.
    """
    namespaces.enter(HOST)
    limits = (procfs.read(f"net/ipv{v}/neigh/default/gc_thresh3") for v in (4, 6))
    smallest = min(int(limit or _USUAL_LIMIT) for limit in limits)
    return min(_REQUESTS_PER_SOCKET, max(16, smallest * 2 // 5))


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A leaky bucket: each request fills it, each answer and each gap in time makes room."""

    level: float
    at: float

    @property
    def full(self) -> bool:
        return self.level >= _BURST

    def filled(self) -> "_Bucket":
        return _Bucket(self.level + 1, self.at)

    def drained(self, answers: int, now: float) -> "_Bucket":
        return _Bucket(max(0.0, self.level - answers - (now - self.at) / _GAP_SECONDS), now)


@dataclass(frozen=True, slots=True)
class _Turn:
    """When a request without an answer is sent again, or given up after the last attempt."""

    due: float
    pinger: Pinger
    number: int
    attempt: int


class _Stream:
    """Requests to send, requests in flight, and replies."""

    def __init__(
        self, namespaces: Namespaces, requests: Collection[EchoRequest], seconds: float
    ) -> None:
        self.namespaces = namespaces
        self.queue = deque(requests)
        self.room = _room(namespaces)
        self.before = _tables(namespaces, requests, self.room)
        self.interval = seconds / ATTEMPTS
        self.pingers: dict[_Key, Pinger] = {}
        self.by_descriptor: dict[int, Pinger] = {}
        self.poll = select.poll()
        self.in_flight: Counter[int] = Counter()
        self.entries: Counter[int] = Counter()
        """By family, requests that may have an entry in the neighbour table."""
        self.turns: deque[_Turn] = deque()
        """The next due one first: each is due an interval after it was added."""
        self.bucket = _Bucket(0.0, time.monotonic())
        self.found: dict[EchoRequest, EchoReply] = {}

    def close(self) -> None:
        for pinger in self.pingers.values():
            pinger.close()

    def run(self, stop: Event, progress: Callable[[int], None]) -> dict[EchoRequest, EchoReply]:
        """Send and receive until all requests are answered or given up, or until stopped."""
        total = len(self.queue)
        while (self.queue or self.in_flight.total()) and not stop.is_set():
            self._make_room()
            self._send_new()
            now = time.monotonic()  # what arrives before a request is given up is read before, too
            self._receive(self._pause(now))
            self._take_turns(now)
            progress(total - len(self.queue) - self.in_flight.total())
        self._settle()
        return self.found

    # -- sending and receiving ---------------------------------------------------------------------

    def _send_new(self) -> None:
        while self.queue and self._has_room(self.queue[0]) and not self.bucket.full:
            request = self.queue.popleft()
            pinger = self._pinger(_key(request))
            self.in_flight[pinger.family] += 1
            self.entries[pinger.family] += 1
            self.bucket = self.bucket.filled()
            self._send(pinger, pinger.add(request), 1)

    def _send(self, pinger: Pinger, number: int, attempt: int) -> None:
        pinger.send(number)
        self.turns.append(_Turn(time.monotonic() + self.interval, pinger, number, attempt))

    def _pause(self, now: float) -> float:
        """Seconds until there is something to do other than to receive."""
        due = self.turns[0].due - now if self.turns else SLICE_SECONDS
        paced = _GAP_SECONDS if self.queue and self.bucket.full else SLICE_SECONDS
        return min(due, paced, SLICE_SECONDS)

    def _receive(self, wait: float) -> None:
        answers = 0
        for descriptor, _ in self.poll.poll(max(1, int(wait * 1000))):
            pinger = self.by_descriptor[descriptor]
            count = pinger.receive()
            self.in_flight[pinger.family] -= count
            answers += count
        self.bucket = self.bucket.drained(answers, time.monotonic())

    def _take_turns(self, now: float) -> None:
        """Send again, or give up, what is due and not answered."""
        while self.turns and self.turns[0].due <= now:
            turn = self.turns.popleft()
            if turn.number not in turn.pinger.in_flight:
                continue
            if turn.attempt < ATTEMPTS:
                self._send(turn.pinger, turn.number, turn.attempt + 1)
            else:
                turn.pinger.end(turn.number, reached=False)
                self.in_flight[turn.pinger.family] -= 1

    # -- room --------------------------------------------------------------------------------------

    def _pinger(self, key: _Key) -> Pinger:
        if key not in self.pingers:
            namespace, family = key
            self.namespaces.enter(namespace)
            pinger = self.pingers[key] = Pinger(family)
            self.by_descriptor[pinger.socket.fileno()] = pinger
            self.poll.register(pinger.socket, select.POLLIN)
        return self.pingers[key]

    def _has_room(self, request: EchoRequest) -> bool:
        key = _, family = _key(request)
        has_socket = key in self.pingers or len(self.pingers) < self.namespaces.window
        return has_socket and self.entries[family] < self.room

    def _make_room(self) -> None:
        """If the next request has none: settle, as soon as that makes some worth the dumps."""
        if not self.queue or self._has_room(self.queue[0]):
            return
        _, family = _key(self.queue[0])
        if self.entries[family] >= self.room:
            free, most = self.room - self.in_flight[family], self.room
        else:
            free, most = len(self._idle()), self.namespaces.window
        if free * _WORTHWHILE >= most:
            self._settle()

    def _settle(self) -> None:
        """Judge the requests that ended, and free what they took."""
        for key in self.before or self.pingers:
            self._settle_one(key)
        self.entries = self.in_flight.copy()
        if len(self.pingers) >= self.namespaces.window:
            for key in self._idle():
                self._close(key)

    def _settle_one(self, key: _Key) -> None:
        """Remove neighbours that are new, except for those of requests in flight."""
        namespace, family = key
        rtnetlink = self.namespaces.socket(namespace)
        table = neighbours(rtnetlink, family)
        pinger = self.pingers.get(key)
        for ended in pinger.take_ended() if pinger else ():
            self.found[ended.request] = _reply(rtnetlink, table, ended)
        if self.before and (new := table.keys() - self.before[key]):
            waiting = pinger.in_flight.values() if pinger else ()
            forget(rtnetlink, new - _entries(rtnetlink, waiting))

    def _idle(self) -> list[_Key]:
        return [key for key, pinger in self.pingers.items() if not pinger.in_flight]

    def _close(self, key: _Key) -> None:
        pinger = self.pingers.pop(key)
        self.poll.unregister(pinger.socket)
        del self.by_descriptor[pinger.socket.fileno()]
        pinger.close()


def _tables(
    namespaces: Namespaces, requests: Iterable[EchoRequest], room: int
) -> dict[_Key, Collection[tuple[int, str]]]:
    """The neighbour tables before the first request; none if all requests fit in at once."""
    keys = Counter(_key(request) for request in requests)
    families: Counter[int] = Counter()
    for (_, family), count in keys.items():
        families[family] += count
    if max(families.values(), default=0) <= room and len(keys) <= namespaces.window:
        return {}
    return {
        (namespace, family): neighbours(namespaces.socket(namespace), family).keys()
        for namespace, family in keys
    }


# -- judging results ------------------------------------------------------------------------------


def _entries(rtnetlink: Socket, requests: Iterable[EchoRequest]) -> set[tuple[int, str]]:
    """The keys in the neighbour table of the requests' next hops."""
    found = set()
    for request in requests:
        with suppress(OSError):  # no route
            hop = next_hop(rtnetlink, request.address, request.index, request.source)
            found.add((hop.index, hop.address))
    return found


def _reply(rtnetlink: Socket, table: _Table, ended: Outcome) -> EchoReply:
    request = ended.request
    try:
        hop = next_hop(rtnetlink, request.address, request.index, request.source)
    except OSError as error:
        return _without_route(error, reached=ended.reached)
    return _judge(hop, table, ended.error, reached=ended.reached)


def _without_route(error: OSError, *, reached: bool) -> EchoReply:
    if reached:
        return EchoReply(True)
    return EchoReply(False, None, FailureReason.NO_ROUTE, os.strerror(error.errno or 0))


def _judge(
    hop: Hop,
    table: _Table,
    error: EchoError | None,
    *,
    reached: bool,
) -> EchoReply:
    seen = table.get((hop.index, hop.address))
    mac = seen.mac if seen else None
    if reached:
        return EchoReply(True, mac)
    own = error and error.number == errno.EHOSTUNREACH and error.offender in (None, hop.source)
    if own or (seen and seen.silent):
        return EchoReply(
            False, None, FailureReason.NO_NEIGHBOUR, f"nobody answers for {hop.address}"
        )
    if error and error.offender:
        return EchoReply(False, mac, FailureReason.REJECTED, str(error))
    if error:
        return EchoReply(False, mac, FailureReason.NOT_SENT, str(error))
    if seen and seen.confirmed:
        return EchoReply(False, mac, FailureReason.NO_ECHO, f"{hop.address} is at {mac}")
    was = f"{hop.address} was last known at {mac}" if mac else ""
    return EchoReply(False, mac, FailureReason.UNKNOWN, was)
