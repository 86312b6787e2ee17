"""Network namespaces as `ip netns` manages them: create, name, hold open, remove.

Everything here acts on the calling thread; ``Machine`` provides a separate one.
"""

import errno
import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

from vlanlink.dataclass import dataclass
from vlanlink.kernel import procfs, syscalls
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.identity import identify_here
from vlanlink.kernel.netns.names import claim, namespace_device, unclaim
from vlanlink.kernel.netns.prefetch import NamespacePrefetch
from vlanlink.kernel.procfs import SHARED, Proc
from vlanlink.model import HOST

NEEDED_DESCRIPTORS = 48
"""Eight namespaces with a socket each, the host's, and what probes and reading take."""

_T = TypeVar("_T")


@dataclass(slots=True)
class _Open:
    descriptor: int
    socket: Socket | None = None

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        os.close(self.descriptor)


class Namespaces:
    """Open namespaces and their sockets, within the process's limit on open files.

    The least recently used ones are closed first. All methods must be called from the thread that
    created the object: entering a namespace moves that thread.
    """

    def __init__(self, host_path: str | None, paths: Mapping[str, str] | None = None) -> None:
        """Open the host's namespace: the one at ``host_path``, or the calling thread's."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        _need_descriptors(soft)
        third = (soft - 64) // 3
        self.window = max(8, min(512, third))
        self._most_open = max(8, min(8192, third))
        self._most_unmounted = soft - 64 - 2 * self._most_open
        self._unmounted: list[int] = []
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._paths = dict(paths or {})
        self._inodes: dict[str, int] = {}
        self._host = _Open(os.open(host_path or syscalls.OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC))
        self._prefetch: NamespacePrefetch | None = None
        self._proc = Proc()
        self._current: str | None = None if host_path else HOST  # entering takes privilege
        self.enter(HOST)

    def close(self) -> None:
        """Close everything."""
        self.release()
        self.prefetch(0)
        self._proc.close()
        for held in (*self._open.values(), self._host):
            held.close()
        self._open.clear()

    def register(self, name: str, path: str) -> int:
        """Set the path of the namespace ``name``; its inode.

        Raises OSError if there is no namespace at the path.
        """
        found = os.stat(path)
        if found.st_dev != namespace_device():
            raise FileNotFoundError(errno.ENOENT, "no namespace", path)
        inode = found.st_ino
        held = self._open.get(name)
        if held and os.fstat(held.descriptor).st_ino != inode:
            self.forget(name)
        self._paths[name], self._inodes[name] = path, inode
        return inode

    def registered(self, name: str) -> int | None:
        """Inode of the namespace ``name`` as it was set; it is not opened."""
        return self._inodes.get(name)

    def path(self, name: str) -> str:
        """Path of the namespace ``name``."""
        return self._paths[name]

    def descriptor(self, name: str) -> int:
        """An open file of the namespace, valid until ``window`` others are requested."""
        return self._held(name).descriptor

    def inode(self, name: str) -> int:
        """Inode of the namespace."""
        return os.fstat(self.descriptor(name)).st_ino

    def identity(self, name: str) -> int:
        """A number that no other namespace has: as ``identity.identify``."""
        return self.socket(name).namespace_cookie() or self.inode(name)

    def identify(self, descriptor: int) -> tuple[int, int]:
        """Inode and cookie of an open network namespace. Raises OSError."""
        self._current = None
        syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
        try:
            return os.fstat(descriptor).st_ino, identify_here()
        finally:
            self.enter(HOST)

    def socket(self, name: str) -> Socket:
        """An rtnetlink socket inside the namespace."""
        held = self._held(name)
        if held.socket is None:
            self.enter(name)
            held.socket = Socket()
        return held.socket

    def enter(self, name: str) -> None:
        """Move the calling thread into the namespace."""
        if self._current != name:
            self._current = None
            syscalls.setns(self._held(name).descriptor, syscalls.CLONE_NEWNET)
            self._current = name

    def sysctls(self, name: str) -> Path:
        """Enter the namespace; the root of its sysctls.

        For the host that is /proc/sys itself, which a container may have mounted read-only.
        """
        self.enter(name)
        return SHARED if name == HOST else self._proc.sysctls()

    def _held(self, name: str) -> _Open:
        if name == HOST:
            return self._host
        held = self._open.get(name)
        if held is None:
            self._make_room()
            held = self._open[name] = _Open(self._opened(name))
        self._open.move_to_end(name)
        return held

    def _opened(self, name: str) -> int:
        """An open file of the namespace that was registered. Raises OSError if it is another."""
        path, inode = self._paths[name], self._inodes.get(name)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if inode not in (None, os.fstat(descriptor).st_ino):
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "another namespace has its place", path)
        return descriptor

    def _make_room(self) -> None:
        while len(self._open) >= self._most_open:
            _, oldest = self._open.popitem(last=False)
            oldest.close()

    def forget(self, name: str) -> None:
        """Close everything that keeps the namespace alive."""
        held = self._open.pop(name, None)
        if held:
            held.close()
        if self._current == name:
            self.enter(HOST)

    def make(self, name: str, path: str, first: bytearray) -> None:
        """Create a namespace, send ``first`` in it, then name it. Raises OSError.

        ``first`` sets the mark, so every named namespace is marked; an unnamed one disappears with
        the process.
        """
        self.forget(name)  # a namespace of this name that another program removed
        self._make_room()
        claim(path)
        with ExitStack() as undo:
            undo.callback(self.enter, HOST)
            undo.callback(unclaim, path)
            self._current = None
            held = _Open(self._new())
            undo.callback(held.close)
            held.socket = Socket()
            refusal = held.socket.request([first])[0]
            if refusal:
                raise OSError(refusal.errno, refusal.text or os.strerror(refusal.errno), path)
            syscalls.mount(syscalls.OWN_NETWORK, path, "none", syscalls.MS_BIND)
            undo.pop_all()
        self._paths[name], self._open[name] = path, held
        self._inodes[name] = os.fstat(held.descriptor).st_ino
        self._current = name

    def _new(self) -> int:
        """Create and enter a namespace; an open file of it. Raises OSError."""
        if self._prefetch is None or not self._prefetch.left:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            return os.open(syscalls.OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
        descriptor = self._prefetch.take()
        try:
            syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def prefetch(self, count: int) -> None:
        """Start creating ``count`` namespaces; unused earlier ones are dropped."""
        if self._prefetch:
            self._prefetch.close()
        self._prefetch = NamespacePrefetch(count, max(1, self.window // 8)) if count > 1 else None

    def in_new_namespace(self, work: Callable[[], _T]) -> _T:
        """Run ``work`` in a temporary namespace. Raises OSError."""
        syscalls.unshare(syscalls.CLONE_NEWNET)
        self._current = None
        try:
            return work()
        finally:
            self.enter(HOST)

    def initial_sysctls(self, keys: frozenset[str]) -> dict[str, str]:
        """Values of sysctls in a new namespace."""

        def read() -> dict[str, str]:
            return {key: value for key in keys if (value := procfs.read(key)) is not None}

        return self.in_new_namespace(read)

    def remove(self, name: str) -> None:
        """Remove a namespace's name; the kernel deletes it when nobody holds it.

        It is held here until ``release``: without preemption the kernel deletes many in one go, and
        umount(2) waits for that processor (synchronize_rcu_expedited() in fs/namespace.c), up to
        half a second with thousands of them.
        """
        path = self._paths[name]
        if len(self._unmounted) >= self._most_unmounted:
            self.release()
        if os.path.exists(path) and os.stat(path).st_ino != self._inodes.get(name):
            raise OSError(errno.EBUSY, "another namespace has its place", path)
        try:
            self._unmounted.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:  # perhaps out of files: don't hold this one
            self.release()
        self.forget(name)
        with suppress(FileNotFoundError):
            try:
                syscalls.unmount(path)
            except OSError as error:
                if error.errno != errno.EINVAL:  # not a mount: a stale file
                    raise
            os.unlink(path)

    def release(self) -> None:
        """Release the namespaces whose names were removed."""
        for descriptor in self._unmounted:
            os.close(descriptor)
        self._unmounted.clear()


def _need_descriptors(limit: int) -> None:
    """Raise OSError (EMFILE) if a change could run out of descriptors, and its undo too."""
    found: list[int] = []
    try:
        while len(found) < NEEDED_DESCRIPTORS:
            found.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        raise OSError(errno.EMFILE, f"the limit is {limit}") from None
    finally:
        for descriptor in found:
            os.close(descriptor)


def processes_by_namespace() -> dict[int, list[int]]:
    """Pids by inode of their network namespace."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                inode = os.stat(f"/proc/{entry}/ns/net").st_ino
                found.setdefault(inode, []).append(int(entry))
    return found
