"""Kernel notifications: links, addresses, routes, namespaces and their names.

Nothing is polled. ``Events`` reads only the sender of a message: a fresh snapshot shows the new
state, so a lost message (ENOBUFS, netlink(7)) loses nothing.
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
from pathlib import Path

from vlanlink.dataclass import dataclass
from vlanlink.errors import printable
from vlanlink.kernel.netlink.attributes import attributes, first
from vlanlink.kernel.netlink.decode import SeenLink, decode_link, readable
from vlanlink.kernel.netlink.dumps import dump_addresses, dump_links
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces

_LONGEST = 1.0
"""Longest single sleep, in seconds. Python runs a signal handler when the interrupted system call
returns; a signal just before the call, or in another thread, does not interrupt it."""
_HEADER = struct.Struct("=IHHII")
_IFINFOMSG = struct.Struct("=BxHiII")
_NEWLINK, _DELLINK = 16, 17
_IFLA_WIRELESS = 11
"""In what Wi-Fi drivers tell of scans and stations: the link's name, and nothing else of it."""
_NEWADDR, _DELADDR = 20, 21
_IFADDRMSG = struct.Struct("=BBBBI")
"""Family, prefix length, flags, scope, index."""
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SCOPE_LINK, _TENTATIVE = 253, 0x40
_ARRIVALS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, _IPV4_IFADDR and _IPV6_IFADDR."""


class Arrivals:
    """The links in the calling thread's namespace and their addresses, kept up to date.

    The socket stays in that namespace, so other threads may wait on it.
    """

    def __init__(self) -> None:
        """Join the group, then dump the links. Raises OSError."""
        self._events = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._requests = Socket()
        self._words: dict[int, frozenset[str]] = {}
        self._addresses: dict[int, set[tuple[int, bytes]]] = {}
        try:
            self._events.bind((0, _ARRIVALS))
            self._dump()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._events.close()
        self._requests.close()

    def names(self) -> frozenset[str]:
        """What a parent can be called: names, altnames, and the MACs of NICs."""
        return frozenset().union(*self._words.values())

    def families(self, name: str) -> frozenset[int]:
        """The families (4, 6) in which a link has an address for use beyond the link."""
        found = (
            self._addresses.get(index, ()) for index, one in self._words.items() if name in one
        )
        return frozenset(family for addresses in found for family, _ in addresses)

    def wait(self, seconds: float) -> bool:
        """Sleep until a link or an address changes; False on timeout.

        Raises OSError; KeyboardInterrupt ends the sleep.
        """
        for part in slices(seconds):
            self._events.settimeout(part)
            try:
                self._read(self._events.recv(1 << 18))
            except (TimeoutError, BlockingIOError):
                continue
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # the socket buffer overflowed
                    raise
                self._dump()
            return True
        return False

    def refresh(self) -> None:
        """Read all again: the kernel does not announce altnames of links that are down."""
        self._dump()

    def _dump(self) -> None:
        self._words.clear()
        self._addresses.clear()
        for request in (dump_links(), dump_addresses()):
            for message in self._requests.dump(request):
                self._read(message)

    def _read(self, data: bytes) -> None:
        offset = 0
        while offset + _HEADER.size + _IFADDRMSG.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, offset)
            body = data[offset + _HEADER.size : offset + length]
            if kind in (_NEWADDR, _DELADDR) and len(body) >= _IFADDRMSG.size:
                self._note_address(kind, body)
            elif len(body) < _IFINFOMSG.size:
                raise OSError(errno.EBADMSG, "truncated link message from the kernel")
            else:
                self._note(kind, data[offset : offset + length])
            offset += (length + 3) & ~3

    def _note(self, kind: int, message: bytes) -> None:
        family, _, index, _, _ = _IFINFOMSG.unpack_from(message, _HEADER.size)
        if family != socket.AF_UNSPEC:  # AF_BRIDGE: a port left its bridge, the link still exists
            return
        if kind == _NEWLINK:
            with readable():
                if first(message[_HEADER.size + _IFINFOMSG.size :], _IFLA_WIRELESS) is None:
                    self._words[index] = _words(decode_link(message))
        elif kind == _DELLINK:
            self._words.pop(index, None)

    def _note_address(self, kind: int, body: bytes) -> None:
        family, _, flags, scope, index = _IFADDRMSG.unpack_from(body)
        get = dict(attributes(body, _IFADDRMSG.size)).get
        address = get(_IFA_LOCAL) or get(_IFA_ADDRESS) or b""
        known = self._addresses.setdefault(index, set())
        row = (4 if family == socket.AF_INET else 6, address)
        if kind == _NEWADDR and scope < _SCOPE_LINK and not flags & _TENTATIVE:
            known.add(row)
        else:
            known.discard(row)


def _words(link: SeenLink) -> frozenset[str]:
    altnames = link.settings.get("altnames")
    found = map(str, altnames) if isinstance(altnames, tuple) else ()
    return frozenset((link.name, *found, *([link.nic_mac] if link.nic_mac else ())))


_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_GROUPS = (1, 5, 7, 9, 11, 18, 24, 25)
"""RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV6_IFINFO, _IPV4_NETCONF
and _IPV6_NETCONF (linux/rtnetlink.h). The last two announce forwarding."""
_MOUNTS = "/proc/thread-self/mountinfo"
_PROCESS = re.compile(r"/proc/(\d+)/.+")
_AT_ONCE = 256
"""Messages read from a socket before the next socket gets its turn."""
_SENDERS = 16
"""Processes remembered between two snapshots."""


@dataclass(slots=True)
class _Followed:
    """A monitored namespace."""

    inode: int
    socket: socket.socket
    path: str | None
    """Path of the namespace; None: the host."""


class Events:
    """Changes in several namespaces and of the namespaces themselves.

    A namespace's name is a mount, and mountinfo is pollable (proc_pid_mountinfo(5)); the end of a
    process whose namespace is used is pollable through its pidfd. The sockets keep the followed
    namespaces alive until ``follow`` drops them.
    """

    def __init__(self) -> None:
        """Monitor only mounts at first. Raises OSError."""
        self._poll = select.epoll()
        self._mounts = os.open(_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._followed: dict[str, _Followed] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._processes: dict[int, int] = {}
        self._others: frozenset[int] = frozenset()
        self._ended: frozenset[int] = frozenset()
        self._senders: dict[int, str] = {}
        self._poll.register(self._mounts, select.EPOLLPRI | select.EPOLLERR)
        self._poll.register(self._wakeup, select.EPOLLIN)

    def close(self) -> None:
        """Close it."""
        for name in list(self._followed):
            self._drop(name)
        for descriptor in (*self._processes.values(), self._mounts, self._wakeup):
            os.close(descriptor)
        self._poll.close()

    def wake(self) -> None:
        """End a ``wait``. Callable from any thread and from signal handlers."""
        with suppress(OSError):
            os.eventfd_write(self._wakeup, 1)

    def follow(self, namespaces: Namespaces, inodes: Mapping[str, int]) -> bool:
        """Monitor exactly these namespaces; True if some are new, or a process has ended already.

        Earlier changes in a new one are not reported: take another snapshot. Call it in the thread
        of ``namespaces``. Raises OSError.
        """
        for name in [n for n, held in self._followed.items() if inodes.get(n) != held.inode]:
            self._drop(name)
        new = [name for name in inodes if name not in self._followed]
        for name in new:
            namespaces.enter(name)
            listener = _listener()
            path = namespaces.path(name) if name else None
            self._followed[name] = _Followed(inodes[name], listener, path)
            self._sockets[listener.fileno()] = listener
            self._poll.register(listener, select.EPOLLIN)
        found = (_PROCESS.fullmatch(namespaces.path(name)) for name in inodes if name)
        self._follow_processes({int(match[1]) for match in found if match} | self._others)
        ended, self._ended = self._ended, self._others - self._processes.keys()
        return bool(new or self._ended - ended)

    def also_follow(self, *pids: int) -> None:
        """From the next ``follow`` on, report the end of these processes too."""
        self._others = frozenset(pids)

    def drop_unnamed(self) -> None:
        """Drop namespaces that left their path, so that the kernel can delete them."""
        for name, held in list(self._followed.items()):
            if held.path is not None and _inode(held.path) != held.inode:
                self._drop(name)

    def wait(self, seconds: float | None) -> bool:
        """Sleep until something changes; False on timeout (None: no timeout).

        KeyboardInterrupt ends the sleep.
        """
        ready = next(filter(None, map(self._poll.poll, slices(seconds))), [])
        for descriptor, _ in ready:
            if descriptor in self._sockets:
                self._drain(self._sockets[descriptor])
            elif descriptor == self._wakeup:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._wakeup)
            elif descriptor != self._mounts:
                self._forget_process(descriptor)
        return bool(ready)

    def settle(self, quiet: float, longest: float) -> None:
        """Wait until nothing changes for ``quiet`` seconds, at most ``longest`` seconds."""
        deadline = time.monotonic() + longest
        while self.wait(quiet) and time.monotonic() < deadline:
            pass

    def senders(self) -> tuple[str, ...]:
        """Processes that caused changes since the last call, as far as the kernel names them."""
        found = tuple(self._senders.values())
        self._senders.clear()
        return found

    def _drop(self, name: str) -> None:
        listener = self._followed.pop(name).socket
        del self._sockets[listener.fileno()]
        listener.close()  # this also removes it from the epoll set

    def _follow_processes(self, wanted: set[int]) -> None:
        for pid in wanted - self._processes.keys():
            with suppress(ProcessLookupError):
                self._processes[pid] = os.pidfd_open(pid)
                self._poll.register(self._processes[pid], select.EPOLLIN)
        for pid in self._processes.keys() - wanted:
            os.close(self._processes.pop(pid))

    def _forget_process(self, descriptor: int) -> None:
        """Close the pidfd of a process that ended; its pid may be reused from now on."""
        for pid, held in list(self._processes.items()):
            if held == descriptor:
                os.close(self._processes.pop(pid))

    def _drain(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                head = listener.recv(_HEADER.size)  # recv(2) drops the rest of the message
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue
            if len(head) == _HEADER.size:
                self._note_sender(_HEADER.unpack(head)[4])

    def _note_sender(self, port: int) -> None:
        """A netlink socket's port is usually the pid of its process (netlink(7))."""
        known = port in self._senders or len(self._senders) == _SENDERS
        if known or port in (0, os.getpid()):
            return
        with suppress(OSError):
            command = Path(f"/proc/{port}/comm").read_text(errors="replace").strip()
            self._senders[port] = f"{printable(command)} (process {port})"


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _listener() -> socket.socket:
    """A socket that receives the groups of the calling thread's namespace."""
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
