"""The files of a host: a record for each active topology, pending commits, leases, the lock.

Records, pending commits and the lock are under /run/vlanlink, leases under /var/lib/vlanlink. All
are 0600 and written atomically. All may be lost: the kernel's marks say what is vlanlink's, and an
unreadable record counts as none.

Network namespaces share /run, and each of them can be a host: ``office@1.json`` is the record of
topology office in namespace 1. Leases outlive namespaces, and are by topology only.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from vlanlink.dataclass import dataclass
from vlanlink.host import Host, is_topology_name
from vlanlink.store.attached import AttachmentKey, AttachmentRecord
from vlanlink.store.dhcp_leases import DhcpLeases
from vlanlink.store.documents import (
    UnreadableError,
    UntrustedError,
    load,
    make_directory,
    refuse_link,
    why_untrusted,
    write_atomically,
)
from vlanlink.store.kept import Kept
from vlanlink.store.leases import Leases
from vlanlink.store.lock import LOCK_SECONDS, Lock, OnHeld, locked, locked_directory
from vlanlink.store.pending import PendingCommit, PendingFile
from vlanlink.store.record import Record, Records

_SUFFIX = ".json"
_DHCP_SUFFIX = ".dhcp"


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file of ours that can't be used."""

    path: Path
    topology: str
    """The topology in the file's name; empty for a name that no topology can have."""
    why: str
    untrusted: bool = False
    """Others than root may have written it."""

    def __str__(self) -> str:
        """``/run/vlanlink/office@1.json can't be used: it is empty``."""
        return f"{self.path} can't be used: {self.why}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What the directories of a host hold."""

    records: tuple[Record, ...]
    unreadable_records: tuple[UnreadableFile, ...] = ()
    unreadable_attachments: tuple[UnreadableFile, ...] = ()
    unreadable_others: tuple[UnreadableFile, ...] = ()
    """Leases and pending commits."""

    @property
    def unreadable(self) -> tuple[UnreadableFile, ...]:
        """Every file that can't be used."""
        return (*self.unreadable_records, *self.unreadable_besides)

    @property
    def unreadable_besides(self) -> tuple[UnreadableFile, ...]:
        """All but the records of topologies."""
        return (*self.unreadable_attachments, *self.unreadable_others)

    @property
    def topologies(self) -> frozenset[str]:
        """Topologies with a record, readable or not."""
        unreadable = {file.topology for file in self.unreadable_records} - {""}
        return frozenset(unreadable | {record.topology for record in self.records})

    def of(self, topology: str) -> Records:
        """The records as one topology sees them."""
        unreadable = {file.topology: str(file) for file in self.unreadable_records}
        return Records.of(topology, self.records, unreadable)


class Store:
    """The files of one host."""

    def __init__(self, host: Host, namespace: int) -> None:
        """Keep the paths; directories are created with the first file.

        ``namespace`` identifies the host's network namespace.
        """
        self._directory = host.run_directory
        self._leases = host.state_directory
        self._namespace = namespace
        self._lock: Lock | None = None
        self._parsed: dict[Path, tuple[tuple[int, int, int], Any]] = {}

    def check(self) -> None:
        """Raise UntrustedError for a directory that others may write, OSError for a link."""
        for directory in (self._directory, self._leases):
            refuse_link(directory)
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                if why := why_untrusted(directory.stat()):
                    raise UntrustedError(f"{directory} can't be used: {why}")

    # -- records -------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Every readable record."""
        return [found for found in self._records() if isinstance(found, Record)]

    def contents(self, *, attachments: bool = True) -> Contents:
        """Every record, and every file of this host that can't be used.

        Without ``attachments`` their files are not read: they may be hundreds.
        """
        attached = self._attached("") if attachments else ()
        records = tuple(self._records())
        return Contents(
            tuple(found for found in records if isinstance(found, Record)),
            tuple(found for found in records if isinstance(found, UnreadableFile)),
            tuple(one for one in attached if isinstance(one, UnreadableFile)),
            (*self._unreadable_leases(), *self._unreadable_commits()),
        )

    def write(self, record: Record) -> None:
        """Write a record, replacing an earlier one. Raises OSError."""
        self._write(self._directory / self._file(record.topology), record.to_dict())

    def remove(self, topology: str) -> None:
        """Remove a record, if there is one."""
        (self._directory / self._file(topology)).unlink(missing_ok=True)

    def _records(self) -> Iterator[Record | UnreadableFile]:
        for path in _found(self._directory, self._file("")):
            yield from _each(path, path.name.removesuffix(self._file("")), self._read)

    def _read(self, path: Path) -> Record:
        record = self._once(path, lambda: Record.from_dict(load(path)))
        if path.name != self._file(record.topology):
            raise UnreadableError(f"it is about topology {record.topology}")
        return record

    def _once(self, path: Path, parse: Callable[[], _T]) -> _T:
        """What a file holds, parsed once: a verb asks for it several times."""
        state = _state(path)
        known = self._parsed.get(path)
        found: _T = known[1] if known and known[0] == state else parse()
        self._parsed[path] = (state, found)
        return found

    def _file(self, topology: str) -> str:
        return f"{topology}@{self._namespace}{_SUFFIX}"

    # -- live attachments ----------------------------------------------------------------------

    def attached(self, topology: str) -> tuple[AttachmentRecord, ...]:
        """The readable records of a topology's live attachments."""
        found = self._attached(f"{topology}@{self._namespace}+")
        return tuple(one for one in found if isinstance(one, AttachmentRecord))

    def every_attachment(self) -> tuple[AttachmentRecord, ...]:
        """The readable records of all live attachments."""
        return tuple(one for one in self._attached("") if isinstance(one, AttachmentRecord))

    def _attached(self, start: str) -> Iterator[AttachmentRecord | UnreadableFile]:
        for path in _found(self._directory):
            topology, _, rest = path.name.partition("@")
            if path.name.startswith(start) and rest.startswith(f"{self._namespace}+"):
                yield from _each(path, topology, self._read_attachment)

    def _read_attachment(self, path: Path) -> AttachmentRecord:
        record = self._once(path, lambda: AttachmentRecord.from_dict(load(path)))
        if path != self._attachment(record.topology, record.key):
            raise UnreadableError("it is about another attachment")
        return record

    def attachment(self, topology: str, key: AttachmentKey) -> AttachmentRecord | None:
        """The record of one attachment, if it is live and readable."""
        with suppress(OSError, UnreadableError):
            return self._read_attachment(self._attachment(topology, key))
        return None

    def write_attachment(self, record: AttachmentRecord) -> None:
        """Write the record of an attachment. Raises OSError."""
        self._write(self._attachment(record.topology, record.key), record.to_dict())

    def remove_attachment(self, topology: str, key: AttachmentKey) -> None:
        """Remove the record of an attachment, if there is one."""
        self._attachment(topology, key).unlink(missing_ok=True)

    def _attachment(self, topology: str, key: AttachmentKey) -> Path:
        return self._directory / f"{topology}@{self._namespace}+{key[0]}+{key[1]}"

    # -- leases --------------------------------------------------------------------------------

    def leases(self, topology: str) -> Leases:
        """The topology's leases; none if they can't be read."""
        with suppress(OSError, UnreadableError):
            return self._read_leases(self._lease_file(topology))
        return Leases()

    def every_lease(self) -> dict[str, Leases]:
        """The readable leases, by topology."""
        return {name: self.leases(name) for name in self.leased()}

    def _unreadable_leases(self) -> Iterator[UnreadableFile]:
        for path in _found(self._leases, _SUFFIX):
            found = _each(path, path.stem, self._read_leases)
            yield from (one for one in found if isinstance(one, UnreadableFile))
        for path in _found(self._leases, _DHCP_SUFFIX):
            served = _each(path, path.stem, self._read_dhcp)
            yield from (one for one in served if isinstance(one, UnreadableFile))

    def leased(self) -> tuple[str, ...]:
        """The topologies with leases, ours or those of DHCP servers."""
        files = (*_found(self._leases, _SUFFIX), *_found(self._leases, _DHCP_SUFFIX))
        names = dict.fromkeys(path.stem for path in files)
        return tuple(filter(is_topology_name, names))

    def write_leases(self, topology: str, leases: Leases) -> None:
        """Write leases, replacing earlier ones; none at all leave no file. Raises OSError."""
        if leases == Leases():
            self.forget(topology)
        elif leases != self.leases(topology):
            path = self._lease_file(topology)
            self._write(path, leases.to_dict())
            self._parsed[path] = (_state(path), leases)

    def release(self, topology: str, left: Leases) -> None:
        """Write the leases that are left; without any the topology stays known. Raises OSError."""
        self._write(self._lease_file(topology), left.to_dict())

    def forget(self, topology: str) -> None:
        """Drop all leases of a topology."""
        self._lease_file(topology).unlink(missing_ok=True)

    def _read_leases(self, path: Path) -> Leases:
        return self._once(path, lambda: Leases.from_dict(load(path)))

    def _lease_file(self, topology: str) -> Path:
        return self._leases / f"{topology}{_SUFFIX}"

    # -- both ----------------------------------------------------------------------------------

    def keep(self, *topologies: str) -> Kept:
        """The records and leases of topologies as they are, to be restored. Raises OSError."""
        records = (self._directory / self._file(name) for name in topologies)
        leases = map(self._lease_file, topologies)
        return Kept.of((*records, *leases), self._new)

    # -- DHCP leases ---------------------------------------------------------------------------

    def dhcp_leases(self, topology: str) -> DhcpLeases:
        """The topology's DHCP leases; none if they can't be read."""
        with suppress(OSError, UnreadableError):
            return self._read_dhcp(self._dhcp_file(topology))
        return DhcpLeases()

    def _read_dhcp(self, path: Path) -> DhcpLeases:
        return self._once(path, lambda: DhcpLeases.from_dict(load(path)))

    def every_dhcp_lease(self) -> dict[str, DhcpLeases]:
        """The readable DHCP leases, by topology."""
        names = (path.stem for path in _found(self._leases, _DHCP_SUFFIX))
        return {name: self.dhcp_leases(name) for name in names if is_topology_name(name)}

    def edit_dhcp_leases(
        self, topology: str, change: Callable[[DhcpLeases], DhcpLeases]
    ) -> DhcpLeases:
        """Replace DHCP leases by what ``change`` makes of them; none at all leave no file.

        The keeper, which does not wait for the host's lock, writes them too. Raises OSError.
        """
        make_directory(self._leases)
        with locked_directory(self._leases):
            before = self.dhcp_leases(topology)
            after = change(before)
            if not (after.held or after.lost or after.advertised):
                self.forget_dhcp(topology)
            elif after != before:
                self._write(self._dhcp_file(topology), after.to_dict())
        return after

    def forget_dhcp(self, topology: str) -> None:
        """Drop the DHCP leases of a topology."""
        self._dhcp_file(topology).unlink(missing_ok=True)

    def keeper_file(self, topology: str) -> Path:
        """Where the process that renews the leases names and locks itself."""
        return self._directory / f"{topology}@{self._namespace}.keeper"

    def _dhcp_file(self, topology: str) -> Path:
        return self._leases / f"{topology}{_DHCP_SUFFIX}"

    # -- pending commits -----------------------------------------------------------------------

    def waiting(self) -> list[PendingFile]:
        """The pending commits, each file open."""
        return [found for found in self._commits() if isinstance(found, PendingFile)]

    def _commits(self) -> Iterator[PendingFile | UnreadableFile]:
        for path in _found(self._directory, self._pending("")):
            for found in _each(path, path.name.removesuffix(self._pending("")), PendingFile):
                if isinstance(found, PendingFile) and found.outcome is not None:
                    found.close()
                else:
                    yield found

    def _unreadable_commits(self) -> Iterator[UnreadableFile]:
        for found in self._commits():
            if isinstance(found, UnreadableFile):
                yield found
            else:
                found.close()

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
    ) -> Iterator[Lock]:
        """Hold the host's lock while the context lasts.

        Raises LockedError if another process holds it for ``seconds``, OSError if the directory
        can't be created. ``on_held`` as in ``lock.locked``.
        """
        make_directory(self._directory)
        with locked(self._directory / f"lock@{self._namespace}", seconds, on_held) as lock:
            self._lock = lock
            self._clear_unfinished()
            try:
                yield lock
            finally:
                self._lock = None

    def check_lock(self) -> None:
        """Raise LockLostError if the lock that is held was removed or replaced."""
        if self._lock:
            self._lock.check()

    def _clear_unfinished(self) -> None:
        """Remove what a killed writer left; none writes but the lock's holder, and a keeper."""
        self._clear(self._directory)
        with suppress(OSError), locked_directory(self._leases):
            self._clear(self._leases)

    def _clear(self, directory: Path) -> None:
        for path in _found(directory):
            if path.name.startswith(self._new):
                with suppress(OSError):
                    path.unlink()

    @property
    def _new(self) -> str:
        return f".new@{self._namespace}-"

    def _write(self, path: Path, data: object) -> None:
        import json  # a verb without files needs none

        make_directory(path.parent)
        self._parsed.pop(path, None)  # its inode may be used again
        write_atomically(path, json.dumps(data), prefix=self._new)


def _state(path: Path) -> tuple[int, int, int]:
    """What changes with every writing of a file. Raises OSError."""
    status = path.lstat()
    return status.st_ino, status.st_ctime_ns, status.st_size


def _found(directory: Path, suffix: str = "") -> list[Path]:
    """The files whose names end in ``suffix``, in order."""
    with suppress(OSError):
        return [directory / name for name in sorted(os.listdir(directory)) if name.endswith(suffix)]
    return []


def _each(path: Path, topology: str, read: Callable[[Path], _T]) -> Iterator[_T | UnreadableFile]:
    """What ``read`` makes of a file, or why it can't be used; nothing if it is gone."""
    try:
        yield read(path)
    except FileNotFoundError:
        return
    except (OSError, UnreadableError) as error:
        why = str(error.strerror) if isinstance(error, OSError) else str(error)
        name = topology if is_topology_name(topology) else ""
        yield UnreadableFile(path, name, why, isinstance(error, UntrustedError))
