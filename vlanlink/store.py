"""The files of vlanlink: a record for each topology that is up, leases, and the lock.

Records and the lock are under /run/vlanlink, leases under /var/lib/vlanlink.

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
from typing import Any

from vlanlink.host import Host
from vlanlink.leases import Leases
from vlanlink.record import Record

_SUFFIX = ".json"
_LOCK = "lock"
LOCK_SECONDS = 30.0
_POLL_SECONDS = 0.05


class LockedError(Exception):
    """Another vlanlink is at work, and did not end within the bound on waiting."""


class Store:
    """The files of one host."""

    def __init__(self, host: Host) -> None:
        """Keep the directories; nothing is made before something is written."""
        self._directory = host.run_directory
        self._leases = host.state_directory

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
        _write(self._directory, record.topology, record.to_dict())

    def leases(self, topology: str) -> Leases:
        """What the topology's endpoints were given; none where that can't be read."""
        data = _load(self._leases / f"{topology}{_SUFFIX}")
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            return Leases.from_dict(data)
        return Leases()

    def leased(self) -> tuple[str, ...]:
        """The topologies that have leases."""
        with suppress(OSError):
            return tuple(sorted(path.stem for path in self._leases.glob(f"*{_SUFFIX}")))
        return ()

    def write_leases(self, topology: str, leases: Leases) -> None:
        """Write leases in place of those before; none at all leave no file. Raises OSError."""
        if leases == Leases():
            self.forget(topology)
        elif leases != self.leases(topology):
            _write(self._leases, topology, leases.to_dict())

    def forget(self, topology: str) -> None:
        """Drop the leases."""
        (self._leases / f"{topology}{_SUFFIX}").unlink(missing_ok=True)

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


def _write(directory: Path, topology: str, data: object) -> None:
    _make_directory(directory)
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w") as file:  # mkstemp makes it 0600
            json.dump(data, file)
        Path(temporary).replace(directory / f"{topology}{_SUFFIX}")
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _load(path: Path) -> Any:
    """The JSON of a file; None where there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def _read(path: Path) -> Record | None:
    try:
        return Record.from_dict(_load(path))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
