"""One at a time: the lock that is held while a host is changed.

It is flock(2) on a file, so the kernel frees it when its holder is gone, however that one ended.
The file says who holds it; that is only for people to read.
"""

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

LOCK_SECONDS = 30.0
"""How long another one is waited for, if nothing else is said."""
LONGEST_LOCK_SECONDS = 86400.0
"""How long one who must do its work, later if not now, waits for others."""
_POLL_SECONDS = 0.05
_LONGEST = 4096
_LONGEST_COMMAND = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock."""

    pid: int
    command: str
    since: str
    """Date and time of day, as clocks on this machine show it."""

    @classmethod
    def here(cls) -> "Holder":
        """The process that asks, from now on."""
        command = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])[:_LONGEST_COMMAND]
        printable = "".join(c if c.isprintable() else "?" for c in command)
        return cls(os.getpid(), printable, time.strftime("%Y-%m-%d %H:%M:%S"))

    def __str__(self) -> str:
        """``process 4711 (vlanlink up office.toml), since 2026-11-21 12:33:05``."""
        return f"process {self.pid} ({self.command}), since {self.since}"


class LockedError(Exception):
    """Another one held the lock for longer than the bound on waiting."""

    def __init__(self, holder: Holder | None) -> None:
        """Keep who it is, as far as that is known."""
        self.holder = holder
        super().__init__("another vlanlink is at work" + (f": {holder}" if holder else ""))


OnHeld = Callable[[Holder | None], None]


@contextmanager
def locked(path: Path, seconds: float, on_held: OnHeld | None = None) -> Iterator[None]:
    """Be the only one who has ``path`` locked, for as long as the context lasts.

    ``on_held`` is told, once, who is waited for. Raises LockedError when another one has it for
    ``seconds``, OSError where the file can't be made.
    """
    descriptor = _acquired(path, time.monotonic() + seconds, on_held)
    try:
        text = json.dumps(asdict(Holder.here())).encode()
        with suppress(OSError):  # a full disk keeps nobody from the lock
            os.pwrite(descriptor, text, 0)
            os.truncate(descriptor, len(text))
        yield
    finally:
        os.close(descriptor)


def _acquired(path: Path, deadline: float, on_held: OnHeld | None) -> int:
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
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
    """Whether the file that is locked is still the one that others will find."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _holder(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, _LONGEST, 0)))
    except (ValueError, TypeError):
        return None
