"""Network namespaces as `ip netns` keeps them: made, named, held open, taken away.

A name is a bind mount of the namespace on a file in /run/netns (ip-netns(8)). Everything here
acts for the calling thread; ``Machine`` gives it a thread of its own.
"""

import errno
import fcntl
import os
import resource
import stat
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from vlanlink.kernel import procfs, syscalls
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.prefetch import NamespacePrefetch
from vlanlink.kernel.procfs import SHARED, Proc
from vlanlink.model import HOST

_NS_GET_NSTYPE = 0xB703
"""ioctl_ns(2)."""

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
    """Open namespaces and their sockets: no more at a time than the process may have files.

    Those that were used longest ago are closed when room is needed. All methods must be called
    from the one thread that made the object: entering a namespace moves that thread.
    """

    def __init__(self, host_path: str | None, paths: Mapping[str, str] | None = None) -> None:
        """Open the host's namespace: the one at ``host_path``, or the calling thread's."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        third = (soft - 64) // 3
        self.window = max(8, min(512, third))
        self._most_open = max(8, min(8192, third))
        self._most_unmounted = soft - 64 - 2 * self._most_open
        self._unmounted: list[int] = []
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._paths = dict(paths or {})
        self._host = _Open(os.open(host_path or syscalls.OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC))
        self._ahead: NamespacePrefetch | None = None
        self._proc = Proc()
        self._inside: str | None = None if host_path else HOST  # entering takes privilege
        self.enter(HOST)

    def close(self) -> None:
        """Close everything."""
        self.let_go()
        self.expect(0)
        self._proc.close()
        for held in (*self._open.values(), self._host):
            held.close()
        self._open.clear()

    def place(self, name: str, path: str) -> int:
        """Tell where the namespace ``name`` is found; what tells it from others.

        Raises OSError if no namespace is there.
        """
        found = os.stat(path)
        if found.st_dev != _namespace_device():
            raise FileNotFoundError(errno.ENOENT, "no namespace", path)
        inode = found.st_ino
        held = self._open.get(name)
        if held and os.fstat(held.descriptor).st_ino != inode:
            self.forget(name)
        self._paths[name] = path
        return inode

    def path(self, name: str) -> str:
        """Where the namespace ``name`` is found."""
        return self._paths[name]

    def descriptor(self, name: str) -> int:
        """An open file of the namespace, good until ``window`` others were asked for."""
        return self._held(name).descriptor

    def inode(self, name: str) -> int:
        """What tells the namespace from others."""
        return os.fstat(self.descriptor(name)).st_ino

    def socket(self, name: str) -> Socket:
        """An rtnetlink socket inside the namespace."""
        held = self._held(name)
        if held.socket is None:
            self.enter(name)
            held.socket = Socket()
        return held.socket

    def enter(self, name: str) -> None:
        """Move the calling thread into the namespace."""
        if self._inside != name:
            self._inside = None
            syscalls.setns(self._held(name).descriptor, syscalls.CLONE_NEWNET)
            self._inside = name

    def sysctls(self, name: str) -> Path:
        """Enter the namespace; where its sysctls are found.

        Those of the host are where everybody finds them: they may be kept from being written there.
        """
        self.enter(name)
        return SHARED if name == HOST else self._proc.sysctls()

    def _held(self, name: str) -> _Open:
        if name == HOST:
            return self._host
        held = self._open.get(name)
        if held is None:
            self._make_room()
            held = _Open(os.open(self._paths[name], os.O_RDONLY | os.O_CLOEXEC))
            self._open[name] = held
        self._open.move_to_end(name)
        return held

    def _make_room(self) -> None:
        while len(self._open) >= self._most_open:
            _, oldest = self._open.popitem(last=False)
            oldest.close()

    def forget(self, name: str) -> None:
        """Close what is held of the namespace, so that nothing here keeps it alive."""
        held = self._open.pop(name, None)
        if held:
            held.close()
        if self._inside == name:
            self.enter(HOST)

    def make(self, name: str, path: str, first: bytearray) -> None:
        """Make a namespace and give it its name, once the kernel took the message ``first``.

        The message marks it. So one that has a name is marked; one that was not yet named when
        the process died is gone with the process. Raises OSError.
        """
        self.forget(name)  # one of the name that somebody else took away
        self._make_room()
        _claim(path)
        with ExitStack() as undo:
            undo.callback(self.enter, HOST)
            undo.callback(_unclaim, path)
            self._inside = None
            held = _Open(self._new())
            undo.callback(held.close)
            held.socket = Socket()
            refusal = held.socket.request([first])[0]
            if refusal:
                raise OSError(refusal.errno, refusal.text or os.strerror(refusal.errno), path)
            syscalls.mount(syscalls.OWN_NETWORK, path, "none", syscalls.MS_BIND)
            undo.pop_all()
        self._paths[name] = path
        self._open[name] = held
        self._inside = name

    def _new(self) -> int:
        """Enter a new namespace; an open file of it. Raises OSError."""
        if self._ahead is None or not self._ahead.left:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            return os.open(syscalls.OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
        descriptor = self._ahead.take()
        try:
            syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def expect(self, count: int) -> None:
        """So many are going to be made: begin with it. With 0 those that were not needed go."""
        if self._ahead:
            self._ahead.close()
        self._ahead = NamespacePrefetch(count, max(1, self.window // 8)) if count > 1 else None

    def in_a_new_one(self, work: Callable[[], _T]) -> _T:
        """Do ``work`` in a new namespace, made for it and forgotten. Raises OSError."""
        syscalls.unshare(syscalls.CLONE_NEWNET)
        self._inside = None
        try:
            return work()
        finally:
            self.enter(HOST)

    def fresh_sysctls(self, keys: frozenset[str]) -> dict[str, str]:
        """What sysctls are in a new namespace."""
        return self.in_a_new_one(lambda: {k: v for k in keys if (v := procfs.read(k)) is not None})

    def remove(self, name: str) -> None:
        """Take a namespace's name away; the kernel deletes it when nobody holds it.

        It is held here until ``let_go``: a kernel that does not preempt itself deletes many at a
        time, and an umount(2) meanwhile waits for that processor (synchronize_rcu_expedited() in
        fs/namespace.c), up to half a second with thousands of them.
        """
        path = self._paths[name]
        if len(self._unmounted) >= self._most_unmounted:
            self.let_go()
        try:
            self._unmounted.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:  # no more files, perhaps: this one goes at once
            self.let_go()
        self.forget(name)
        with suppress(FileNotFoundError):
            try:
                syscalls.unmount(path)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a file that no namespace is mounted on
                    raise
            os.unlink(path)

    def let_go(self) -> None:
        """Hold those no longer whose names were taken away."""
        for descriptor in self._unmounted:
            os.close(descriptor)
        self._unmounted.clear()


def _claim(path: str) -> None:
    """Make the file that the mount goes on. Whose a leftover is has been looked at before."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except FileExistsError:
        if not is_dead_name(path):
            raise


def _unclaim(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def is_namespace(path: str | Path) -> bool:
    """Whether a namespace is found at ``path``; False too where nothing is."""
    try:
        return os.stat(path).st_dev == _namespace_device()
    except OSError:
        return False


def is_of_the_network(path: str) -> bool:
    """Whether what is found at ``path`` is a namespace, and one of the network."""
    if not is_namespace(path):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == syscalls.CLONE_NEWNET
    finally:
        os.close(descriptor)


@cache
def _namespace_device() -> int:
    """The device that all namespaces' files are on (nsfs)."""
    return os.stat("/proc/self/ns/net").st_dev


def named(directory: Path) -> Iterator[tuple[str, str]]:
    """The namespaces that have a name in ``directory``."""
    try:
        entries = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    for entry in entries:
        path = os.path.join(directory, entry)
        if is_namespace(path):
            yield entry, path


def dead_names(directory: Path) -> Iterator[str]:
    """The files in ``directory`` that no namespace is mounted on."""
    with suppress(FileNotFoundError):
        for entry in sorted(os.listdir(directory)):
            if not is_namespace(os.path.join(directory, entry)):
                yield entry


def clear_dead_names(directory: Path, names: Collection[str]) -> None:
    """Remove those of ``names`` in ``directory`` that no namespace is mounted on."""
    for name in list(dead_names(directory)):
        if name in names and is_dead_name(directory / name):
            with suppress(OSError):
                (directory / name).unlink()


def is_dead_name(path: str | Path) -> bool:
    """Whether it is the empty file that a namespace is mounted on, without the namespace."""
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and not is_namespace(path)


def prepare_directory(directory: Path) -> None:
    """Make ``directory`` a shared mount, as `ip netns add` does, so that others see new names.

    Locked meanwhile, as there: of two mounts on it the second would hide names. Raises OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = os.fspath(directory)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _share(path)
    finally:
        os.close(descriptor)


def _share(path: str) -> None:
    try:
        syscalls.mount("", path, "none", syscalls.MS_SHARED | syscalls.MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        syscalls.mount(path, path, "none", syscalls.MS_BIND | syscalls.MS_REC)
        syscalls.mount("", path, "none", syscalls.MS_SHARED | syscalls.MS_REC)


def mounts_are_seen(directory: Path) -> bool:
    """Whether a namespace that gets its name in ``directory`` here has it for everyone else.

    Not so in a private or slave copy of the machine's own mounts, as `ip netns exec` makes one:
    there the others would find a dead file.
    """
    try:
        if os.stat("/proc/self/ns/mnt").st_ino == os.stat("/proc/1/ns/mnt").st_ino:
            return True
        existing = next(p for p in (directory, *directory.parents) if p.exists())
        theirs = Path("/proc/1/root") / existing.relative_to("/")
        same = theirs.exists() and existing.stat().st_dev == theirs.stat().st_dev
    except OSError:
        return True  # init is out of sight: a container or user namespace with mounts of its own
    return not same or "shared:" in _mount_options(existing)


def _mount_options(path: Path) -> str:
    """The optional fields of the mount that ``path`` is on (proc_pid_mountinfo(5))."""
    best, options = "", ""
    resolved = os.fspath(path.resolve())
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        point = fields[4]
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, options = point, " ".join(fields[6 : fields.index("-")])
    return options


def processes_by_namespace() -> dict[int, list[int]]:
    """The processes in each network namespace, by the inode of the namespace."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                inode = os.stat(f"/proc/{entry}/ns/net").st_ino
                found.setdefault(inode, []).append(int(entry))
    return found
