"""The file of a topology's DHCP keeper: who it is, and that it lives.

The keeper holds flock(2) on it, so the kernel tells whether it lives, however it ended.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from vlanlink.dataclass import dataclass
from vlanlink.digest import sha256
from vlanlink.store import documents, fields
from vlanlink.store.documents import VERSION, UnreadableError

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Keeper:
    """A keeper that lives."""

    pid: int
    serves: str
    """What it keeps, as its starter named it; empty while it starts."""


def word_of(key: tuple[str, str], index: int, mac: object, config: object) -> str:
    """A name for what is served: it changes when the link does, or how it asks."""
    return sha256(repr((*key, index, mac, config)).encode()).hex()[:16]


def socket_of(path: Path) -> Path:
    """The socket on which the keeper with this file is asked."""
    return path.with_suffix(".ask")


def remove(path: Path) -> None:
    """Remove what a keeper that has ended leaves."""
    for each in (path, socket_of(path)):
        with suppress(OSError):
            each.unlink(missing_ok=True)


def find(path: Path) -> Keeper | None:
    """The keeper that holds the file; None if there is none."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    finally:
        os.close(descriptor)
    return None


def claim(path: Path) -> int | None:
    """Hold the file for the life of this process: its descriptor; None if another one does."""
    descriptor = os.open(path, _FLAGS | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:  # who only looks holds it for a moment
                os.close(descriptor)
                return None
            time.sleep(_POLL_SECONDS)
        else:
            return descriptor


def write(descriptor: int, keeper: Keeper) -> None:
    """Name the keeper in its file. Raises OSError."""
    import json

    data = {"version": VERSION, "pid": keeper.pid, "serves": keeper.serves}
    text = json.dumps(data).encode()
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def rewrite(path: Path, keeper: Keeper) -> None:
    """Name what a keeper that lives serves by now. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    try:
        write(descriptor, keeper)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Keeper:
    try:
        table = fields.document(documents.parse(documents.read(descriptor)), VERSION)
        found = Keeper(table.take("pid", fields.whole), table.take("serves", fields.text))
        table.close()
    except UnreadableError:  # it starts, and has not written yet
        return Keeper(0, "")
    return found
