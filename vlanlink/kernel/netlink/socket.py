"""rtnetlink sockets: many requests in one send, every ack matched to its request, whole dumps.

pyroute2's sockets wait for each answer before the next request, and fork to enter a namespace
(netlink(7), linux/netlink.h).
"""

import errno
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from vlanlink import log
from vlanlink.dataclass import dataclass
from vlanlink.kernel.netlink.attributes import first, text

_HEADER = struct.Struct("=IHHII")
_ERROR = struct.Struct("=i")

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_FLAG_CAPPED, _FLAG_ACK_TLVS = 0x100, 0x200
_FLAG_DUMP_INTR = 0x10
_ATTR_MESSAGE = 1

_SOL_NETLINK = 270
_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK = 10, 11, 12
_SO_RCVBUFFORCE = 33
SO_NETNS_COOKIE = 71

_RECEIVE_BUFFER = 8 << 20
_LARGEST_ANSWER = 96 << 10
"""Bytes to receive at once. The kernel puts at most 32 KiB into an answer, more only where one
message alone is longer (netlink_dump in af_netlink.c). From 128 KiB on malloc(3) would map and
unmap memory for each answer, which takes longer than the answer."""
_TIMEOUT_SECONDS = 30
_TIMEOUT = struct.pack("@ll", _TIMEOUT_SECONDS, 0)
"""struct timeval, for SO_RCVTIMEO (socket(7))."""
DUMP_ATTEMPTS = 8
"""How often a dump is asked for again when the kernel says that it was interrupted."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The kernel's no: the errno, and its own text (extended ack) where it gave one."""

    errno: int
    text: str = ""


class Socket:
    """A netlink socket in the network namespace that the calling thread is in.

    It speaks rtnetlink(7), or another ``protocol`` of netlink(7).
    """

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        """Open it: extended acks and strict checking of requests on."""
        self._rtnetlink = protocol == socket.NETLINK_ROUTE
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        for option in (_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        # The kernel's own: with settimeout() Python would poll(2) before each send and receive.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
        self._sequence = 0

    @classmethod
    def of(cls, opened: socket.socket) -> "Socket":
        """One of rtnetlink(7) that another process has opened as this class does."""
        found = cls.__new__(cls)
        found._rtnetlink, found._socket, found._sequence = True, opened, 0
        return found

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def namespace_cookie(self) -> int | None:
        """The cookie of its network namespace (SO_NETNS_COOKIE); None before Linux 5.14."""
        try:
            cookie = self._socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
        except OSError:
            return None
        return int.from_bytes(cookie, sys.byteorder)

    def request(self, messages: Sequence[bytearray]) -> list[Refusal | None]:
        """Send all ``messages`` at once; what the kernel said to each, in their order.

        The kernel works through all of them, also past one that it refuses. Messages must ask
        for an ack. Their sequence numbers are set here.
        """
        first = self._sequence + 1
        for message in messages:
            self._sequence += 1
            struct.pack_into("=I", message, 8, self._sequence)
        self._socket.send(b"".join(messages))
        answers: dict[int, Refusal | None] = {}
        while len(answers) < len(messages):
            data = self._received()
            for start, end, kind, flags, sequence in _parts(data):
                if kind == _NLMSG_ERROR and sequence >= first:
                    answers[sequence] = _refusal(flags, data[start + 16 : end])
        found = [answers[first + i] for i in range(len(messages))]
        if logger := log.wanted(log.DEBUG):
            from vlanlink.kernel.netlink import words

            for message, refused in zip(messages, found, strict=True):
                number, said = (refused.errno, refused.text) if refused else (0, "")
                words.write(logger, message, number, said)
        return found

    def dump(self, message: bytearray) -> list[bytes]:
        """All messages that answer a dump request, asked again while it was interrupted.

        Raises OSError with the kernel's errno; EINTR if it was interrupted each time.
        """
        for _ in range(DUMP_ATTEMPTS):
            found, whole = self._dump_once(message)
            if whole:
                if logger := log.wanted(log.DEBUG):
                    from vlanlink.kernel.netlink import words

                    told = words.write_dump if self._rtnetlink else words.write_generic
                    told(logger, message, found)
                return found
        raise OSError(errno.EINTR, "the kernel's tables changed during each attempt to read them")

    def _dump_once(self, message: bytearray) -> tuple[list[bytes], bool]:
        self._sequence = ours = self._sequence + 1
        struct.pack_into("=I", message, 8, ours)
        self._socket.send(message)
        found: list[bytes] = []
        whole = True
        while True:
            data = self._received()
            for start, end, kind, flags, sequence in _parts(data):
                if sequence != ours:
                    continue
                whole = whole and not flags & _FLAG_DUMP_INTR
                if kind not in (_NLMSG_DONE, _NLMSG_ERROR):
                    found.append(data[start:end])
                    continue
                code = _ERROR.unpack_from(data, start + 16)[0] if end - start >= 20 else 0
                if code == -errno.EINTR:
                    return [], False
                if code < 0:
                    raise OSError(-code, _refusal_text(data[start + 16 : end]))
                return found, whole

    def _received(self) -> bytes:
        try:
            data = self._socket.recv(_LARGEST_ANSWER)
        except BlockingIOError:
            message = f"the kernel did not answer within {_TIMEOUT_SECONDS:g} s"
            raise OSError(errno.ETIMEDOUT, message) from None
        if not data:
            raise OSError(errno.EBADMSG, "the kernel's answer is empty")
        return data


def _parts(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Beginning, end, type, flags and sequence number of each message in an answer."""
    start, whole = 0, len(data)
    while start + 16 <= whole:
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, start)
        end = start + length
        if length < 16 or end > whole or (kind == _NLMSG_ERROR and length < 20):
            raise OSError(errno.EBADMSG, "the kernel's answer is cut short")
        yield start, end, kind, flags, sequence
        start += (length + 3) & ~3


def _refusal(flags: int, payload: bytes) -> Refusal | None:
    code = -_ERROR.unpack_from(payload)[0]
    if code == 0:
        return None
    if not flags & _FLAG_ACK_TLVS:
        return Refusal(code)
    # After the error number comes the header of the request, and the whole of it unless capped.
    length = 16 if flags & _FLAG_CAPPED else struct.unpack_from("=I", payload, 4)[0]
    return Refusal(code, _text_attribute(payload, 4 + ((length + 3) & ~3)))


def _refusal_text(payload: bytes) -> str:
    return _text_attribute(payload, 4)


def _text_attribute(payload: bytes, offset: int) -> str:
    with suppress(OSError):  # cut short: the errno stands without it
        return text(first(payload[offset:], _ATTR_MESSAGE))
    return ""
