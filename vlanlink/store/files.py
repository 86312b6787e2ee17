"""The files of a host: a record for each active topology, pending commits, leases, the lock.

Records, pending commits and the lock are under /run/vlanlink, leases under /var/lib/vlanlink. All
are 0600 and written atomically. All may be lost: the kernel's marks say what is vlanlink's, and an
unreadable record counts as none.

Network namespaces share /run, and each of them can be a host: ``office@1.json`` is the record of
topology office in namespace 1. Leases outlive namespaces, and are by topology only.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vlanlink.host import Host
from vlanlink.store.documents import UnreadableError, load, make_directory, write_atomically
from vlanlink.store.leases import Leases
from vlanlink.store.lock import LOCK_SECONDS, OnHeld, locked
from vlanlink.store.pending import PendingCommit, PendingFile, find
from vlanlink.store.record import Record

_SUFFIX = ".json"


class Store:
    """The files of one host."""

    def __init__(self, host: Host, namespace: int) -> None:
        """Keep the paths; directories are created with the first file.

        ``namespace`` identifies the host's network namespace.
        """
        self._directory = host.run_directory
        self._leases = host.state_directory
        self._namespace = namespace

    # -- records -------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Every readable record."""
        found = map(self._read, self._record_files())
        return [record for record in found if isinstance(record, Record)]

    def unreadable(self) -> dict[str, str]:
        """By topology, why its record can't be read."""
        found = {path: self._read(path) for path in self._record_files()}
        return {
            self._topology(path): f"{path}: {error}"
            for path, error in found.items()
            if isinstance(error, UnreadableError)
        }

    def write(self, record: Record) -> None:
        """Write a record, replacing an earlier one. Raises OSError."""
        self._write(self._directory / self._file(record.topology), record.to_dict())

    def remove(self, topology: str) -> None:
        """Remove a record, if there is one."""
        (self._directory / self._file(topology)).unlink(missing_ok=True)

    def _record_files(self) -> list[Path]:
        with suppress(OSError):
            return sorted(self._directory.glob(self._file("*")))
        return []

    def _read(self, path: Path) -> Record | UnreadableError:
        try:
            record = Record.from_dict(load(path))
        except UnreadableError as error:
            return error
        if record.topology != self._topology(path):
            return UnreadableError(f"it is the record of topology {record.topology}")
        return record

    def _topology(self, path: Path) -> str:
        return path.name.removesuffix(self._file(""))

    def _file(self, topology: str) -> str:
        return f"{topology}@{self._namespace}{_SUFFIX}"

    # -- leases --------------------------------------------------------------------------------

    def leases(self, topology: str) -> Leases:
        """The topology's leases; none if they can't be read."""
        with suppress(UnreadableError):
            data = load(self._lease_file(topology))
            return Leases.from_dict(data) if data is not None else Leases()
        return Leases()

    def leased(self) -> tuple[str, ...]:
        """The topologies with leases."""
        with suppress(OSError):
            return tuple(sorted(path.stem for path in self._leases.glob(f"*{_SUFFIX}")))
        return ()

    def write_leases(self, topology: str, leases: Leases) -> None:
        """Write leases, replacing earlier ones; none at all leave no file. Raises OSError."""
        if leases == Leases():
            self.forget(topology)
        elif leases != self.leases(topology):
            self._write(self._lease_file(topology), leases.to_dict())

    def forget(self, topology: str) -> None:
        """Drop all leases of a topology."""
        self._lease_file(topology).unlink(missing_ok=True)

    def _lease_file(self, topology: str) -> Path:
        return self._leases / f"{topology}{_SUFFIX}"

    # -- pending commits -----------------------------------------------------------------------

    def waiting(self) -> list[PendingFile]:
        """The pending commits, each file open."""
        return find(sorted(self._directory.glob(self._pending("*"))))

    def write_pending(self, pending: PendingCommit) -> PendingFile:
        """Write a pending commit; return its file, open. Raises OSError."""
        path = self._directory / self._pending(pending.topology)
        self._write(path, pending.to_dict())
        return PendingFile(path)

    def _pending(self, topology: str) -> str:
        return f"{topology}@{self._namespace}.pending"

    # -- the lock ------------------------------------------------------------------------------

    @contextmanager
    def locked(
        self, seconds: float = LOCK_SECONDS, on_held: OnHeld | None = None
    ) -> Iterator[None]:
        """Hold the host's lock while the context lasts.

        Raises LockedError if another process holds it for ``seconds``, OSError if the directory
        can't be created. ``on_held`` as in ``lock.locked``.
        """
        make_directory(self._directory)
        with locked(self._directory / f"lock@{self._namespace}", seconds, on_held):
            self._clear_unfinished()
            yield

    def _clear_unfinished(self) -> None:
        """Remove what a killed writer left; the lock's holder is the only writer."""
        for directory in (self._directory, self._leases):
            for path in directory.glob(f"{self._new}*"):
                with suppress(OSError):
                    path.unlink()

    @property
    def _new(self) -> str:
        return f".new@{self._namespace}-"

    def _write(self, path: Path, data: object) -> None:
        make_directory(path.parent)
        write_atomically(path, json.dumps(data), prefix=self._new)
