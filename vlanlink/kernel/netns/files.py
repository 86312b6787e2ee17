"""Files of single namespaces in /etc/netns/NAME, which replace those of /etc there (ip-netns(8)).

Running processes have them bind-mounted, so an existing file is written in place: a new one under
its name would not be theirs. No symbolic link is followed, and nothing is written below a
directory that others than root can write.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vlanlink.model import NETNS_FILES, FileKey, NetnsFile

_LARGEST = 1 << 20
_FOLLOW_NOTHING = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | _FOLLOW_NOTHING
_DIRECTORY_MODE, _FILE_MODE = 0o755, 0o644


class NetnsFiles:
    """The files of all namespaces."""

    def __init__(self, directory: Path) -> None:
        """``directory`` is created with the first file."""
        self._directory = directory

    def read(self) -> dict[FileKey, NetnsFile]:
        """Every file of a name that vlanlink writes, whoever wrote it."""
        return {file.key: file for file in self._read()}

    def _read(self) -> Iterator[NetnsFile]:
        try:
            names = sorted(os.listdir(self._directory))
        except OSError:
            return
        for namespace in names:
            for file in NETNS_FILES:
                path = self._directory / namespace / file
                text = _text_at(path)
                if text is not None:
                    yield NetnsFile(namespace, file, text, os.fspath(path))

    def write(self, namespace: str, name: str, text: str, *, new: bool) -> None:
        """Write a file; a ``new`` one must not exist. Raises OSError."""
        data = text.encode()
        with self._opened(namespace, make=True) as directory:
            if new:
                _create(directory, name, data)
            else:
                _write_in_place(directory, self._directory / namespace / name, data)

    def remove(self, namespace: str, name: str, owner: str) -> None:
        """Remove a file of ``owner``'s, and the directories that are empty then. Raises OSError."""
        path = self._directory / namespace / name
        if _owner(namespace, name, _text_at(path)) != owner:
            return
        with self._opened(namespace, make=False) as directory:
            if _owner(namespace, name, _text_at(name, directory)) != owner:
                return  # replaced meanwhile
            os.unlink(name, dir_fd=directory)
            with suppress(FileNotFoundError):
                os.unlink(_interim(name), dir_fd=directory)
        for emptied in (path.parent, self._directory):
            with suppress(OSError):
                emptied.rmdir()

    @contextmanager
    def _opened(self, namespace: str, *, make: bool) -> Iterator[int]:
        """The directory of a namespace, which only root can write."""
        if make:
            self._directory.parent.mkdir(parents=True, exist_ok=True)
        above = _open_directory(self._directory, None, make=make)
        try:
            inside = _open_directory(self._directory / namespace, above, make=make)
        finally:
            os.close(above)
        try:
            yield inside
        finally:
            os.close(inside)


def _open_directory(path: Path, above: int | None, *, make: bool) -> int:
    """A directory, by its name in ``above`` if that is open."""
    name = path if above is None else path.name
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, _DIRECTORY_MODE, dir_fd=above)
            os.chmod(name, _DIRECTORY_MODE, dir_fd=above)  # whatever the umask
    descriptor = os.open(name, _DIRECTORY, dir_fd=above)
    try:
        _refuse_others(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_others(status: os.stat_result, path: Path) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, os.geteuid()) or mode & 0o022:
        message = f"others than root can write {path} (user {status.st_uid}, mode {mode:04o})"
        raise PermissionError(errno.EPERM, message)


def _create(directory: int, name: str, data: bytes) -> None:
    """Create a file with all of its text at once: a killed run leaves no file without a mark."""
    interim = _interim(name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FOLLOW_NOTHING
    descriptor = os.open(interim, flags, _FILE_MODE, dir_fd=directory)
    try:
        _fill(descriptor, data)
        os.link(interim, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    finally:
        os.close(descriptor)
        os.unlink(interim, dir_fd=directory)


def _interim(name: str) -> str:
    return f".{name}.vlanlink"


def _write_in_place(directory: int, path: Path, data: bytes) -> None:
    descriptor = os.open(path.name, os.O_WRONLY | _FOLLOW_NOTHING, dir_fd=directory)
    try:
        status = os.fstat(descriptor)
        _refuse_others(status, path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"{path} is not a regular file")
        _fill(descriptor, data)
    finally:
        os.close(descriptor)


def _fill(descriptor: int, data: bytes) -> None:
    """Write before cutting off: the mark in the first line is never missing."""
    at = 0
    while at < len(data):
        at += os.pwrite(descriptor, data[at:], at)
    os.ftruncate(descriptor, len(data))
    os.fchmod(descriptor, _FILE_MODE)


def _owner(namespace: str, name: str, text: str | None) -> str | None:
    return None if text is None else NetnsFile(namespace, name, text).owner


def _text_at(path: Path | str, directory: int | None = None) -> str | None:
    """The text of a file; None if there is none. What can't be read has no mark, so no owner."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _FOLLOW_NOTHING, dir_fd=directory)
    except OSError as error:
        return None if error.errno in (errno.ENOENT, errno.ENOTDIR) else ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return os.pread(descriptor, _LARGEST, 0).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
