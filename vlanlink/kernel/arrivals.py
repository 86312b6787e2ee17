"""The links that a namespace has, as they come and go: told by the kernel, not asked for.

The group RTNLGRP_LINK of rtnetlink(7) is joined before the first look, so nothing comes unseen
in between.
"""

import errno
import socket
import struct

from vlanlink.kernel.netlink.socket import Socket, attributes
from vlanlink.kernel.slices import slices

_HEADER = struct.Struct("=IHHII")
_IFINFOMSG = struct.Struct("=BxHiII")
_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_REQUEST_DUMP = 0x301
_IFLA_IFNAME = 3
_RTMGRP_LINK = 1


class Arrivals:
    """The names of the links in the namespace that the calling thread is in, kept up to date.

    The socket stays in that namespace, so other threads may wait on it.
    """

    def __init__(self) -> None:
        """Join the group, then look. Raises OSError."""
        self._events = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._questions = Socket()
        self._names: dict[int, str] = {}
        try:
            self._events.bind((0, _RTMGRP_LINK))
            self._look()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._events.close()
        self._questions.close()

    def names(self) -> frozenset[str]:
        """What the links are called, as far as was heard."""
        return frozenset(self._names.values())

    def wait(self, seconds: float) -> bool:
        """Sleep until the kernel tells something of links; False when the time is up before.

        Raises OSError; KeyboardInterrupt ends the sleep.
        """
        for part in slices(seconds):
            self._events.settimeout(part)
            try:
                self._hear(self._events.recv(1 << 18))
            except (TimeoutError, BlockingIOError):
                continue
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more was told than we had room for
                    raise
                self._look()
            return True
        return False

    def _look(self) -> None:
        self._names.clear()
        body = _IFINFOMSG.pack(0, 0, 0, 0, 0)
        length = _HEADER.size + len(body)
        request = bytearray(_HEADER.pack(length, _GETLINK, _REQUEST_DUMP, 0, 0) + body)
        for message in self._questions.dump(request):
            self._hear(message)

    def _hear(self, data: bytes) -> None:
        offset = 0
        while offset + _HEADER.size + _IFINFOMSG.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, offset)
            if length < _HEADER.size + _IFINFOMSG.size:
                raise OSError(errno.EBADMSG, "what the kernel told of links is cut short")
            self._note(kind, data[offset + _HEADER.size : offset + length])
            offset += (length + 3) & ~3

    def _note(self, kind: int, body: bytes) -> None:
        family, _, index, _, _ = _IFINFOMSG.unpack_from(body)
        if family != socket.AF_UNSPEC:  # a port that leaves its bridge is told as a link gone
            return
        name = dict(attributes(body, _IFINFOMSG.size)).get(_IFLA_IFNAME)
        if kind == _NEWLINK and name:
            self._names[index] = name.rstrip(b"\0").decode(errors="replace")
        elif kind == _DELLINK:
            self._names.pop(index, None)
