"""Echo requests from namespaces, and the kernel's view of those that fail.

One raw socket (raw(7)) per namespace and family, filtered to echo replies; all are polled
together. Each message carries its link and source (IP_PKTINFO in ip(7), IPV6_PKTINFO in ipv6(7));
errors arrive on the socket's error queue (IP_RECVERR).
"""

import errno
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Event

from vlanlink.dataclass import dataclass
from vlanlink.kernel import procfs
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.packet import packets
from vlanlink.kernel.packet.arp_nd import SLICE_SECONDS, paced
from vlanlink.kernel.packet.echo import EchoReply, EchoRequest, FailureReason
from vlanlink.kernel.packet.neighbours import Hop, Neighbour, forget, neighbours, next_hop
from vlanlink.kernel.packet.sockets import widen
from vlanlink.model import HOST, family_of

ATTEMPTS = 3
_WINDOW = 32
"""So many unanswered requests don't wait for their turn: no queue overflows."""
_REQUESTS_PER_SOCKET = 4096
_IP_PKTINFO, _IP_RECVERR, _IPV6_RECVERR, _IPV6_PKTINFO = 8, 11, 25, 50
_SOL_RAW, _ICMP_FILTER, _ICMPV6_FILTER = 255, 1, 1
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_FROM_AFAR = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_USUAL_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class _Error:
    number: int
    offender: str | None = None
    """The router or host that sent it; None: our own kernel."""

    def __str__(self) -> str:
        text = os.strerror(self.number)
        return f"{self.offender}: {text}" if self.offender else text


_Batch = dict[tuple[str, int], list[EchoRequest]]


def ping(
    namespaces: Namespaces,
    requests: Sequence[EchoRequest],
    *,
    seconds: float = 2.0,
    stop: Event | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[EchoRequest, EchoReply]:
    """Send all requests in parallel; a result for each.

    ``seconds`` bounds the wait for one batch: as many as open files and the kernel's neighbour
    table have room for (some 400 per family). ``progress`` gets the number of finished requests. If
    stopped, undecided requests are left out. Raises OSError if a namespace is gone or raw sockets
    are not permitted, LookupError for an unknown namespace.
    """
    found: dict[EchoRequest, EchoReply] = {}
    batches = list(_batches(requests, namespaces.window, _room(namespaces)))
    names = {request.namespace for request in requests} - {HOST}
    before = _tables(namespaces, names) if len(batches) > 1 else {}
    for batch in batches:
        if stop and stop.is_set():
            break
        found.update(_ping(namespaces, batch, seconds, stop))
        _forget_new(namespaces, before)
        progress(len(found))
    return found


def _ping(
    namespaces: Namespaces, batch: _Batch, seconds: float, stop: Event | None
) -> dict[EchoRequest, EchoReply]:
    pingers: list[_Pinger] = []
    try:
        for (namespace, family), members in batch.items():
            namespaces.enter(namespace)
            pingers.append(_Pinger(namespace, family, members))
        complete = _wait(pingers, seconds, stop)
    finally:
        for pinger in pingers:
            pinger.close()
    return {
        request: reply
        for pinger in pingers
        for request, reply in _replies(namespaces, pinger, complete=complete)
    }


def _batches(requests: Sequence[EchoRequest], sockets: int, entries: int) -> Iterator[_Batch]:
    """Requests that are sent together, by namespace and family, which share a socket."""
    batch: _Batch = {}
    counts = {4: 0, 6: 0}
    for request in dict.fromkeys(requests):
        family = family_of(request.address)
        key = request.namespace, family
        if counts[family] == entries or (key not in batch and len(batch) == sockets):
            yield batch
            batch, counts = {}, {4: 0, 6: 0}
        batch.setdefault(key, []).append(request)
        counts[family] += 1
    if batch:
        yield batch


def _room(namespaces: Namespaces) -> int:
    """Parallel requests that the neighbour table has room for (arp(7)).

    A machine has one table for all namespaces, with 1024 entries by default; a pair with both ends
    on the machine takes two.
    """
    namespaces.enter(HOST)
    limits = (procfs.read(f"net/ipv{v}/neigh/default/gc_thresh3") for v in (4, 6))
    smallest = min(int(limit or _USUAL_LIMIT) for limit in limits)
    return min(_REQUESTS_PER_SOCKET, max(16, smallest * 2 // 5))


def _tables(namespaces: Namespaces, names: Iterable[str]) -> dict[str, set[tuple[int, str]]]:
    return {
        name: {key for family in (4, 6) for key in neighbours(namespaces.socket(name), family)}
        for name in names
    }


def _forget_new(namespaces: Namespaces, before: Mapping[str, set[tuple[int, str]]]) -> None:
    """Make room for the next batch: remove the neighbours that the last one added."""
    for name, after in _tables(namespaces, before).items():
        forget(namespaces.socket(name), after - before[name])


def _wait(pingers: Sequence["_Pinger"], seconds: float, stop: Event | None) -> bool:
    """Send and receive until all are answered or time is up; False if stopped.

    First requests are paced, or follow at once where the ones before are answered.
    """
    poll = select.poll()
    for pinger in pingers:
        poll.register(pinger.socket, select.POLLIN)
    by_descriptor = {pinger.socket.fileno(): pinger for pinger in pingers}
    everything = [(pinger, n) for pinger in pingers for n in range(len(pinger.requests))]
    schedule = deque(paced(everything, ATTEMPTS, seconds))
    start = time.monotonic()
    sent = 0
    while waiting := sum(len(pinger.waiting) for pinger in pingers):
        ahead = min(len(everything), len(everything) - waiting + _WINDOW)
        now = time.monotonic() - start
        if now >= seconds:
            break
        if stop and stop.is_set():
            return False
        while schedule and (sent < ahead or schedule[0][0] <= now):
            _, (pinger, number) = schedule.popleft()
            pinger.send(number)
            sent += 1
        due = schedule[0][0] - now if schedule else SLICE_SECONDS
        wait = min(due, seconds - now, SLICE_SECONDS)
        for descriptor, _ in poll.poll(max(1, int(wait * 1000))):
            by_descriptor[descriptor].receive()
    return True


class _Pinger:
    """Echo requests from one namespace, and their results."""

    def __init__(self, namespace: str, family: int, requests: Sequence[EchoRequest]) -> None:
        """Open the socket in the calling thread's namespace."""
        self.namespace, self.family, self.requests = namespace, family, requests
        self.waiting = set(range(len(requests)))
        self.errors: dict[int, _Error] = {}
        self.identifier = int.from_bytes(os.urandom(2), "big")
        self.token = os.urandom(16)
        self.socket = _open(family)

    def close(self) -> None:
        self.socket.close()

    def send(self, number: int) -> None:
        if number not in self.waiting:
            return
        request = self.requests[number]
        kind = packets.ECHO_REQUEST[self.family]
        message = packets.echo(self.family, packets.Echo(kind, self.identifier, number, self.token))
        try:
            self.socket.sendmsg(
                [message], [_packet_info(self.family, request)], 0, _destination(request)
            )
        except OSError as error:
            # Perhaps no room, or a tentative address: there are more attempts.
            self.errors[number] = _Error(error.errno or 0)
        else:
            if self.errors.get(number, _Error(0)).offender is None:
                self.errors.pop(number, None)

    def receive(self) -> None:
        self._receive_errors()
        for _ in range(1024):
            try:
                data, address = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                continue  # an error that was already read from the queue
            message = packets.parse_echo(self.family, data)
            if message and message.kind == packets.ECHO_REPLY[self.family]:
                self._take(message, str(address[0]).partition("%")[0])

    def _take(self, message: packets.Echo, sender: str) -> None:
        ours = message.identifier == self.identifier and message.payload == self.token
        if ours and message.sequence in self.waiting:
            address = self.requests[message.sequence].address
            if _packed(address) == _packed(sender):
                self.waiting.discard(message.sequence)

    def _receive_errors(self) -> None:
        with suppress(OSError):
            while True:
                data, ancillary, _, _ = self.socket.recvmsg(2048, 1024, socket.MSG_ERRQUEUE)
                if len(data) < 8:
                    continue
                identifier, number = struct.unpack_from("!HH", data, 4)
                for _, _, extended in ancillary:
                    if identifier == self.identifier and number in self.waiting:
                        self.errors[number] = _error(extended)


def _open(family: int) -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    if family == 4:
        opened = socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)
        blocked = ~(1 << packets.ECHO_REPLY[4]) & 0xFFFFFFFF
        opened.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", blocked))
        opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    else:
        opened = socket.socket(socket.AF_INET6, kind, socket.IPPROTO_ICMPV6)
        words = [0xFFFFFFFF] * 8
        words[packets.ECHO_REPLY[6] // 32] &= ~(1 << packets.ECHO_REPLY[6] % 32)
        opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("=8I", *words))
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    widen(opened)
    return opened


def _packed(address: str) -> bytes:
    family = socket.AF_INET if family_of(address) == 4 else socket.AF_INET6
    return socket.inet_pton(family, address)


def _packet_info(family: int, request: EchoRequest) -> tuple[int, int, bytes]:
    """Link and source address as a control message."""
    index = request.index or 0
    if family == 4:
        source = _packed(request.source) if request.source else bytes(4)
        return socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4x", index, source)
    source = _packed(request.source) if request.source else bytes(16)
    return socket.IPPROTO_IPV6, _IPV6_PKTINFO, struct.pack("=16si", source, index)


def _destination(request: EchoRequest) -> tuple[str, int] | tuple[str, int, int, int]:
    if family_of(request.address) == 4:
        return request.address, 0
    return request.address, 0, 0, request.index or 0


def _error(extended: bytes) -> _Error:
    """Parse ``struct sock_extended_err`` and the offender's address after it."""
    number, origin, *_ = _EXTENDED_ERROR.unpack_from(extended)
    rest = extended[_EXTENDED_ERROR.size :]
    if origin not in _FROM_AFAR or len(rest) < 8:
        return _Error(number)
    (family,) = struct.unpack_from("=H", rest)
    if family == socket.AF_INET6 and len(rest) >= 24:
        return _Error(number, socket.inet_ntop(socket.AF_INET6, rest[8:24]))
    if family == socket.AF_INET:
        return _Error(number, socket.inet_ntop(socket.AF_INET, rest[4:8]))
    return _Error(number)


# -- judging results ------------------------------------------------------------------------------


def _replies(
    namespaces: Namespaces, pinger: _Pinger, *, complete: bool
) -> Iterator[tuple[EchoRequest, EchoReply]]:
    rtnetlink = namespaces.socket(pinger.namespace)
    table = neighbours(rtnetlink, pinger.family)
    for number, request in enumerate(pinger.requests):
        reached = number not in pinger.waiting
        if not reached and not complete:
            continue
        try:
            hop = next_hop(rtnetlink, request.address, request.index, request.source)
        except OSError as error:
            yield request, _without_route(error, reached=reached)
            continue
        yield request, _judge(hop, table, pinger.errors.get(number), reached=reached)


def _without_route(error: OSError, *, reached: bool) -> EchoReply:
    if reached:
        return EchoReply(True)
    return EchoReply(False, None, FailureReason.NO_ROUTE, os.strerror(error.errno or 0))


def _judge(
    hop: Hop,
    table: Mapping[tuple[int, str], Neighbour],
    error: _Error | None,
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
