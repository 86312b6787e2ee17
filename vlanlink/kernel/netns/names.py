"""Names of network namespaces: each is a file with the namespace mounted on it (ip-netns(8))."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from vlanlink.kernel import syscalls
from vlanlink.store.documents import why_untrusted
from vlanlink.store.lock import hold_directory

_NS_GET_NSTYPE = 0xB703
"""ioctl_ns(2)."""


def named(directory: Path) -> Iterator[tuple[str, str]]:
    """Names and paths of the namespaces in ``directory``."""
    return ((name, path) for name, path, _ in listed(directory))


def listed(directory: Path) -> Iterator[tuple[str, str, int]]:
    """Names, paths and inodes of the namespaces in ``directory``: one stat(2) for each."""
    try:
        entries = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    device, place = namespace_device(), os.fspath(directory)
    for entry in entries:
        path = f"{place}/{entry}"
        try:
            status = os.stat(path)
        except OSError:
            continue
        if status.st_dev == device:
            yield entry, path, status.st_ino


def placed(paths: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Names, paths and inodes of the network namespaces at ``paths``, by name."""
    for name, path in paths.items():
        with suppress(OSError):
            if is_network_namespace(path):
                yield name, path, os.stat(path).st_ino


def is_namespace(path: str | Path) -> bool:
    """True if there is a namespace at ``path``."""
    try:
        return os.stat(path).st_dev == namespace_device()
    except OSError:
        return False


def is_network_namespace(path: str) -> bool:
    """True if there is a network namespace at ``path``."""
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
def namespace_device() -> int:
    """The device number of nsfs, which has all namespaces' files."""
    return os.stat("/proc/self/ns/net").st_dev


def claim(path: str) -> None:
    """Create the file to mount on. A stale file was checked for ownership earlier."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except FileExistsError:
        if not is_dead_name(path):
            raise


def unclaim(path: str) -> None:
    """Remove the file of a name that nothing was mounted on."""
    with suppress(OSError):
        os.unlink(path)


def is_dead_name(path: str | Path) -> bool:
    """True for the empty file that a namespace was mounted on."""
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and not is_namespace(path)


def dead_names(directory: Path, names: Iterable[str]) -> Iterator[str]:
    """Those of ``names`` that are files in ``directory`` without a namespace mounted on them."""
    for name in names:
        path = os.path.join(directory, name)
        if os.path.lexists(path) and not is_namespace(path):
            yield name


def clear_dead_names(directory: Path, names: Iterable[str]) -> None:
    """Remove the files of ``names`` in ``directory`` without a namespace mounted on them."""
    for name in dead_names(directory, names):
        with suppress(OSError):
            if is_dead_name(directory / name):
                (directory / name).unlink()


def prepare_directory(directory: Path) -> None:
    """Make ``directory`` a shared mount, as `ip netns add` does, so that names propagate.

    Under the same lock as there: a second mount on it would hide names. Raises OSError, also where
    others than root can replace a name by a link before a namespace is mounted on it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = os.fspath(directory)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if why := why_untrusted(os.fstat(descriptor)):
            raise PermissionError(errno.EPERM, f"no namespace is named in {path}: {why}", path)
        hold_directory(descriptor)
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
