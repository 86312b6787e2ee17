"""That something changed, told by the kernel: links, addresses, routes, namespaces and their names.

Nothing is asked again and again, and what a message says is not read, only who caused it: what is
there now, a fresh look tells. So a message that was lost (ENOBUFS, netlink(7)) is no loss.
"""

import errno
import os
import re
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vlanlink.kernel.netlink.attributes import attributes
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces

_LONGEST = 1.0
"""Longest single sleep, in seconds. Python runs a signal handler when the interrupted system call
returns; a signal just before the call, or in another thread, does not interrupt it."""
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


_HEADER = struct.Struct("=IHHII")
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_GROUPS = (1, 5, 7, 9, 11, 18, 24, 25)
"""RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV6_IFINFO, _IPV4_NETCONF
and _IPV6_NETCONF (linux/rtnetlink.h). The last two tell of forwarding."""
_MOUNTS = "/proc/thread-self/mountinfo"
_PROCESS = re.compile(r"/proc/(\d+)/.+")
_AT_ONCE = 256
"""How many messages of a socket are read before the next socket has its turn."""
_SENDERS = 16
"""How many processes are remembered between two looks."""


@dataclass(slots=True)
class _Followed:
    """A namespace that is listened to."""

    inode: int
    socket: socket.socket
    path: str | None
    """Where it is found; None: the host."""


class Events:
    """The changes in several namespaces, and of the namespaces themselves.

    A namespace's name is a mount, and a change of mounts can be waited for
    (proc_pid_mountinfo(5)); so can the end of a process whose namespace it is. What is followed is
    kept alive by it, until ``follow`` is told of others.
    """

    def __init__(self) -> None:
        """Follow nothing yet but the mounts. Raises OSError."""
        self._poll = select.epoll()
        self._mounts = os.open(_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._followed: dict[str, _Followed] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._processes: dict[int, int] = {}
        self._senders: dict[int, str] = {}
        self._poll.register(self._mounts, select.EPOLLPRI | select.EPOLLERR)
        self._poll.register(self._bell, select.EPOLLIN)

    def close(self) -> None:
        """Close it."""
        for name in list(self._followed):
            self._leave(name)
        for descriptor in (*self._processes.values(), self._mounts, self._bell):
            os.close(descriptor)
        self._poll.close()

    def ring(self) -> None:
        """End a ``wait``. May be called by any thread, and by a signal handler."""
        with suppress(OSError):
            os.eventfd_write(self._bell, 1)

    def follow(self, namespaces: Namespaces, inodes: Mapping[str, int]) -> bool:
        """Listen in these namespaces and no others; whether some of them are new.

        What happened in a new one before is not told: look again. To be called in the thread of
        ``namespaces``. Raises OSError.
        """
        for name in [n for n, held in self._followed.items() if inodes.get(n) != held.inode]:
            self._leave(name)
        new = [name for name in inodes if name not in self._followed]
        for name in new:
            namespaces.enter(name)
            listener = _listener()
            path = namespaces.path(name) if name else None
            self._followed[name] = _Followed(inodes[name], listener, path)
            self._sockets[listener.fileno()] = listener
            self._poll.register(listener, select.EPOLLIN)
        found = (_PROCESS.fullmatch(namespaces.path(name)) for name in inodes if name)
        self._follow_processes({int(match[1]) for match in found if match})
        return bool(new)

    def leave_what_lost_its_name(self) -> None:
        """Keep no namespace alive that is no longer found where it was."""
        for name, held in list(self._followed.items()):
            if held.path is not None and _inode(held.path) != held.inode:
                self._leave(name)

    def wait(self, seconds: float | None) -> bool:
        """Sleep until something changed; False when the time is up before, None for no bound.

        KeyboardInterrupt ends the sleep.
        """
        ready = next(filter(None, map(self._poll.poll, slices(seconds))), [])
        for descriptor, _ in ready:
            if descriptor in self._sockets:
                self._drain(self._sockets[descriptor])
            elif descriptor == self._bell:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._bell)
            elif descriptor != self._mounts:
                self._end_of(descriptor)
        return bool(ready)

    def settle(self, quiet: float, longest: float) -> None:
        """Wait until nothing changed for ``quiet`` seconds; ``longest`` seconds at the most."""
        deadline = time.monotonic() + longest
        while self.wait(quiet) and time.monotonic() < deadline:
            pass

    def senders(self) -> tuple[str, ...]:
        """The processes that caused changes since the last call, as far as the kernel tells."""
        found = tuple(self._senders.values())
        self._senders.clear()
        return found

    def _leave(self, name: str) -> None:
        listener = self._followed.pop(name).socket
        del self._sockets[listener.fileno()]
        listener.close()  # which takes it out of the poll as well

    def _follow_processes(self, wanted: set[int]) -> None:
        for pid in wanted - self._processes.keys():
            with suppress(ProcessLookupError):
                self._processes[pid] = os.pidfd_open(pid)
                self._poll.register(self._processes[pid], select.EPOLLIN)
        for pid in self._processes.keys() - wanted:
            os.close(self._processes.pop(pid))

    def _end_of(self, descriptor: int) -> None:
        """A process is gone: it is told once, and its number may be another's from now on."""
        for pid, held in list(self._processes.items()):
            if held == descriptor:
                os.close(self._processes.pop(pid))

    def _drain(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                head = listener.recv(_HEADER.size)  # the rest of the message is dropped
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue
            if len(head) == _HEADER.size:
                self._note_sender(_HEADER.unpack(head)[4])

    def _note_sender(self, port: int) -> None:
        """The port of a netlink socket is as a rule the number of the process (netlink(7))."""
        known = port in self._senders or len(self._senders) == _SENDERS
        if known or port in (0, os.getpid()):
            return
        with suppress(OSError):
            command = Path(f"/proc/{port}/comm").read_text(errors="replace").strip()
            shown = "".join(c if c.isprintable() else "?" for c in command)
            self._senders[port] = f"{shown} (process {port})"


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _listener() -> socket.socket:
    """A socket that hears the groups, in the namespace that the calling thread is in."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    listener = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        listener.bind((0, 0))
        for group in _GROUPS:
            listener.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    except OSError:
        listener.close()
        raise
    return listener


def slices(seconds: float | None) -> Iterator[float]:
    """Split a wait of ``seconds`` (None: endless) into sleeps that a signal can end."""
    deadline = None if seconds is None else time.monotonic() + seconds
    left = _LONGEST if seconds is None else seconds
    while True:
        yield min(max(left, 0.0), _LONGEST)
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
