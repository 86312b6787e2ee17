"""The files under /run/vlanlink: a record for each topology that is up, and the lock.

All are 0600 and written atomically. All may be lost: what is ours is read from the kernel's marks,
and a record that can't be read is as good as none.
"""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vlanlink.record import Record

_SUFFIX = ".json"
_LOCK = "lock"
LOCK_SECONDS = 30.0
_POLL_SECONDS = 0.05


class LockedError(Exception):
    """Another vlanlink is at work, and did not end within the bound on waiting."""


class Store:
    """The records of one host, in its run directory."""

    def __init__(self, directory: Path) -> None:
        """Keep the directory; nothing is made before something is written."""
        self._directory = directory

    def records(self) -> list[Record]:
        """Every record that can be read."""
        found = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in sorted(self._directory.glob(f"*{_SUFFIX}")):
                record = _read(path)
                if record is not None:
                    found.append(record)
        return found

    def write(self, record: Record) -> None:
        """Write a record in place of the one before. Raises OSError."""
        _make_directory(self._directory)
        path = self._directory / f"{record.topology}{_SUFFIX}"
        descriptor, temporary = tempfile.mkstemp(dir=self._directory, prefix=".record-")
        try:
            with os.fdopen(descriptor, "w") as file:  # mkstemp makes it 0600
                json.dump(record.to_dict(), file)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def remove(self, topology: str) -> None:
        """Remove a record; one that is not there is removed already."""
        (self._directory / f"{topology}{_SUFFIX}").unlink(missing_ok=True)

    @contextmanager
    def locked(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Be the only one who changes this host, for as long as the context lasts.

        Raises LockedError when another one stays at work for ``seconds``, OSError where the
        directory can't be made. A holder that dies frees the lock.
        """
        _make_directory(self._directory)
        descriptor = os.open(self._directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait_for(descriptor, seconds)
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)


def _wait_for(descriptor: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace") or "?"
                raise LockedError(f"another vlanlink is at work (process {holder})") from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _make_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _read(path: Path) -> Record | None:
    try:
        return Record.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
