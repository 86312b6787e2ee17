"""The lock that a process holds while it changes a host.

It is flock(2) on a file, so the kernel releases it when its holder exits, however it exits. The
file names the holder, for messages only.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vlanlink.dataclass import dataclass
from vlanlink.errors import printable, shell_word
from vlanlink.store import documents, fields
from vlanlink.store.documents import VERSION, UntrustedError

LOCK_SECONDS = 30.0
"""Default lock timeout."""
LONGEST_LOCK_SECONDS = 86400.0
"""Lock timeout for runs that must not give up."""
_POLL_SECONDS = 0.05
_LONGEST = 4096
_LONGEST_COMMAND = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds the lock."""

    pid: int
    command: str
    since: str
    """Local date and time."""

    @classmethod
    def here(cls) -> "Holder":
        """The calling process, from now on."""
        words = (os.path.basename(sys.argv[0]), *sys.argv[1:])
        command = " ".join(map(shell_word, words))[:_LONGEST_COMMAND]
        return cls(os.getpid(), command, time.strftime("%Y-%m-%d %H:%M:%S"))

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {"version": VERSION, "pid": self.pid, "command": self.command, "since": self.since}

    @classmethod
    def from_dict(cls, data: object) -> "Holder":
        """The holder of a JSON value. Raises UnreadableError."""
        table = fields.document(data, VERSION)
        holder = cls(
            table.take("pid", fields.whole),
            table.take("command", fields.text),
            table.take("since", fields.text),
        )
        table.close()
        return holder

    def __str__(self) -> str:
        """``pid 4711 (vlanlink up office.toml), since 2026-11-21 12:33:05``."""
        return printable(f"pid {self.pid} ({self.command}), since {self.since}")


class LockedError(Exception):
    """Another process held the lock beyond the timeout."""

    def __init__(self, holder: Holder | None) -> None:
        """Keep the holder if known."""
        self.holder = holder
        message = "another vlanlink process holds the lock"
        super().__init__(f"{message}: {holder}" if holder else message)


class LockLostError(Exception):
    """The lock file was removed or replaced, so other processes no longer wait for this one."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is held."""

    path: Path
    descriptor: int

    def check(self) -> None:
        """Raise LockLostError if the file was removed or replaced since."""
        if not _is_at(self.path, self.descriptor):
            raise LockLostError(f"the lock file {self.path} was removed or replaced")


OnHeld = Callable[[Holder | None], None]


@contextmanager
def locked(path: Path, seconds: float, on_held: OnHeld | None = None) -> Iterator[Lock]:
    """Hold the lock on ``path`` while the context lasts.

    flock(2) locks a file, not its name: ``Lock.check`` tells whether the two still belong together.
    ``on_held`` is called once with the holder, if there is one to wait for. Raises LockedError if
    another process holds it for ``seconds``, OSError if the file can't be created.
    """
    descriptor = _acquired(path, time.monotonic() + seconds, on_held)
    try:
        import json

        text = json.dumps(Holder.here().to_dict()).encode()
        with suppress(OSError):  # a full disk prevents nobody from locking
            os.pwrite(descriptor, text, 0)
            os.truncate(descriptor, len(text))
        yield Lock(path, descriptor)
    finally:
        with suppress(OSError):  # else the next holder would be taken for this one until it writes
            os.truncate(descriptor, 0)
        os.close(descriptor)


@contextmanager
def locked_directory(path: Path) -> Iterator[None]:
    """Exclude others from a directory for the moment in which a file is read and replaced.

    Waits as ``hold_directory``. Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        hold_directory(descriptor)
        yield
    finally:
        os.close(descriptor)


def hold_directory(descriptor: int, seconds: float = 2.0) -> None:
    """Lock an open directory until it is closed. Raises OSError.

    Others hold it for a moment. One that holds it longer was stopped, or means harm, as anyone can
    who may read the directory; nobody waits for it.
    """
    with suppress(LockedError):
        _wait_for(descriptor, time.monotonic() + seconds, None)


def _acquired(path: Path, deadline: float, on_held: OnHeld | None) -> int:
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            if why := documents.why_untrusted(os.fstat(descriptor)):
                raise UntrustedError(f"{path} can't be used: {why}")
            _wait_for(descriptor, deadline, on_held)
            if _is_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait_for(descriptor: int, deadline: float, on_held: OnHeld | None) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(_holder(descriptor)) from None
            if on_held:
                on_held(_holder(descriptor))
                on_held = None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the locked file is still the one at ``path``."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False


def _holder(descriptor: int) -> Holder | None:
    """The process that the file names; None if it can't be read, which matters to nobody."""
    try:
        return Holder.from_dict(documents.parse(os.pread(descriptor, _LONGEST, 0).decode()))
    except (OSError, ValueError):  # a directory; UnreadableError, or not UTF-8
        return None
