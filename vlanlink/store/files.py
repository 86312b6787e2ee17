"""The files of vlanlink: a record for each topology that is up, leases, and the lock.

Records and the lock are under /run/vlanlink, leases under /var/lib/vlanlink.

All are 0600 and written atomically. All may be lost: what is ours is read from the kernel's marks,
and a record that can't be read is as good as none.

Network namespaces share /run, and each of them can be a host: ``office@1.json`` is the record of
the topology office in namespace 1. Leases outlive namespaces, and are by topology alone.
"""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vlanlink.host import Host
from vlanlink.store.leases import Leases
from vlanlink.store.lock import LOCK_SECONDS, OnHeld, locked
from vlanlink.store.pending import PendingCommit, PendingFile, find
from vlanlink.store.record import Record

_SUFFIX = ".json"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Store:
    """The files of one host."""

    def __init__(self, host: Host, namespace: int) -> None:
        """Keep the directories; nothing is made before something is written.

        ``namespace`` is what tells the host's network namespace from others.
        """
        self._directory = host.run_directory
        self._leases = host.state_directory
        self._namespace = namespace

    def records(self) -> list[Record]:
        """Every record that can be read."""
        found = map(self._read, self._record_files())
        return [record for record in found if record is not None]

    def unreadable(self) -> tuple[str, ...]:
        """The topologies of which something is kept that is no record of theirs."""
        files = self._record_files()
        return tuple(self._topology(path) for path in files if self._read(path) is None)

    def _record_files(self) -> list[Path]:
        with suppress(OSError):
            return sorted(self._directory.glob(self._file("*")))
        return []

    def _read(self, path: Path) -> Record | None:
        """The record of the topology that the file is named after."""
        try:
            record = Record.from_dict(_load(path))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return record if record.topology == self._topology(path) else None

    def _topology(self, path: Path) -> str:
        return path.name.removesuffix(self._file(""))

    def write(self, record: Record) -> None:
        """Write a record in place of the one before. Raises OSError."""
        self._write(self._directory / self._file(record.topology), record.to_dict())

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
            self._write(self._leases / f"{topology}{_SUFFIX}", leases.to_dict())

    def forget(self, topology: str) -> None:
        """Drop the leases."""
        (self._leases / f"{topology}{_SUFFIX}").unlink(missing_ok=True)

    def remove(self, topology: str) -> None:
        """Remove a record; one that is not there is removed already."""
        (self._directory / self._file(topology)).unlink(missing_ok=True)

    def waiting(self) -> list[PendingFile]:
        """The changes that wait for confirmation, each file open."""
        return find(sorted(self._directory.glob(self._pending("*"))))

    def write_pending(self, pending: PendingCommit) -> PendingFile:
        """Write down that a change waits for confirmation; the file, open. Raises OSError."""
        path = self._directory / self._pending(pending.topology)
        self._write(path, pending.to_dict())
        return PendingFile(path)

    def _pending(self, topology: str) -> str:
        return f"{topology}@{self._namespace}.pending"

    def _file(self, topology: str) -> str:
        return f"{topology}@{self._namespace}{_SUFFIX}"

    @contextmanager
    def locked(
        self, seconds: float = LOCK_SECONDS, on_held: OnHeld | None = None
    ) -> Iterator[None]:
        """Be the only one who changes this host, for as long as the context lasts.

        Raises LockedError when another one stays at work for ``seconds``, OSError where the
        directory can't be made. ``on_held`` as in ``lock.locked``.
        """
        _make_directory(self._directory)
        with locked(self._directory / f"lock@{self._namespace}", seconds, on_held):
            self._clear_unfinished()
            yield

    def _clear_unfinished(self) -> None:
        """Remove what a writer left that was killed; whoever has the lock is the only writer."""
        for directory in (self._directory, self._leases):
            for path in directory.glob(f"{self._new}*"):
                with suppress(OSError):
                    path.unlink()

    @property
    def _new(self) -> str:
        return f".new@{self._namespace}-"

    def _write(self, path: Path, data: object) -> None:
        _make_directory(path.parent)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=self._new)
        try:
            with os.fdopen(descriptor, "w") as file:  # mkstemp makes it 0600
                json.dump(data, file)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _make_directory(directory: Path) -> None:
    """Make it where it is missing. Raises OSError if it is there, and no directory of its own."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.is_symlink():
        number = errno.ELOOP
        raise OSError(number, "it is a symbolic link, and those are not followed", str(directory))


def _load(path: Path) -> Any:
    """The JSON of a file, which is no link to one elsewhere; None where there is none."""
    try:
        with os.fdopen(os.open(path, _READ)) as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
