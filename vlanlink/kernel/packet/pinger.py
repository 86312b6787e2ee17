"""Echo requests from one namespace over one raw socket (raw(7)), filtered to echo replies.

Each message carries its link and source (IP_PKTINFO in ip(7), IPV6_PKTINFO in ipv6(7)); errors
arrive on the socket's error queue (IP_RECVERR).
"""

import os
import socket
import struct
from contextlib import suppress

from vlanlink.dataclass import dataclass
from vlanlink.kernel.packet import packets
from vlanlink.kernel.packet.echo import EchoRequest
from vlanlink.kernel.packet.sockets import widen
from vlanlink.model import family_of

_IP_PKTINFO, _IP_RECVERR, _IPV6_RECVERR, _IPV6_PKTINFO = 8, 11, 25, 50
_SOL_RAW, _ICMP_FILTER, _ICMPV6_FILTER = 255, 1, 1
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_FROM_AFAR = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6


@dataclass(frozen=True, slots=True)
class EchoError:
    """Why a request could not be sent, or was rejected on the way."""

    number: int
    offender: str | None = None
    """The router or host that sent it; None: our own kernel."""

    def __str__(self) -> str:
        text = os.strerror(self.number)
        return f"{self.offender}: {text}" if self.offender else text


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: by a reply, or when its time was up."""

    request: EchoRequest
    reached: bool
    error: EchoError | None = None


class Pinger:
    """A namespace's socket, the requests in flight on it, and those that ended."""

    def __init__(self, family: int) -> None:
        """Open the socket in the calling thread's namespace."""
        self.family = family
        self.in_flight: dict[int, EchoRequest] = {}
        self.ended: list[Outcome] = []
        self._errors: dict[int, EchoError] = {}
        self._count = 0
        self._identifier = int.from_bytes(os.urandom(2), "big")
        self._token = os.urandom(16)
        self.socket = _open(family)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def add(self, request: EchoRequest) -> int:
        """Take a request; the number to send it by."""
        number = self._count & 0xFFFF
        self._count += 1
        self.in_flight[number] = request
        return number

    def send(self, number: int) -> None:
        """Send a request that is in flight, for the first time or again."""
        request = self.in_flight[number]
        kind = packets.ECHO_REQUEST[self.family]
        echo = packets.Echo(kind, self._identifier, number, self._token)
        message, info = packets.echo(self.family, echo), _packet_info(self.family, request)
        try:
            self.socket.sendmsg([message], [info], 0, _destination(request))
        except OSError as error:
            # Perhaps no room, or a tentative address: there are more attempts.
            self._errors[number] = EchoError(error.errno or 0)
        else:
            if self._errors.get(number, EchoError(0)).offender is None:
                self._errors.pop(number, None)

    def end(self, number: int, *, reached: bool) -> None:
        """The request got its reply, or its time is up."""
        error = self._errors.pop(number, None)
        self.ended.append(Outcome(self.in_flight.pop(number), reached, error))

    def take_ended(self) -> list[Outcome]:
        """The requests that ended since the last call."""
        ended, self.ended = self.ended, []
        return ended

    def receive(self) -> int:
        """Read all replies and errors that are there; how many requests were answered."""
        before = len(self.ended)
        self._receive_errors()
        self._receive_replies()
        return len(self.ended) - before

    def _receive_replies(self) -> None:
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
        ours = message.identifier == self._identifier and message.payload == self._token
        request = self.in_flight.get(message.sequence) if ours else None
        if request and _packed(request.address) == _packed(sender):
            self.end(message.sequence, reached=True)

    def _receive_errors(self) -> None:
        with suppress(OSError):
            while True:
                data, ancillary, _, _ = self.socket.recvmsg(2048, 1024, socket.MSG_ERRQUEUE)
                if len(data) < 8:
                    continue
                identifier, number = struct.unpack_from("!HH", data, 4)
                for _, _, extended in ancillary:
                    if identifier == self._identifier and number in self.in_flight:
                        self._errors[number] = _error(extended)


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


def _error(extended: bytes) -> EchoError:
    """Parse ``struct sock_extended_err`` and the offender's address after it."""
    number, origin, *_ = _EXTENDED_ERROR.unpack_from(extended)
    rest = extended[_EXTENDED_ERROR.size :]
    if origin not in _FROM_AFAR or len(rest) < 8:
        return EchoError(number)
    (family,) = struct.unpack_from("=H", rest)
    if family == socket.AF_INET6 and len(rest) >= 24:
        return EchoError(number, socket.inet_ntop(socket.AF_INET6, rest[8:24]))
    if family == socket.AF_INET:
        return EchoError(number, socket.inet_ntop(socket.AF_INET, rest[4:8]))
    return EchoError(number)
