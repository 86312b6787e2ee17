"""Pending commits: changes that wait for confirmation, and the state to roll back to."""

import os
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from vlanlink.dataclass import dataclass
from vlanlink.dataclass import fields as dataclass_fields
from vlanlink.host import Host
from vlanlink.store import documents, fields
from vlanlink.store.documents import VERSION, UnreadableError
from vlanlink.store.leases import Leases

Outcome = Literal["confirmed", "reverted", "failed"]
"""Kept, rolled back, or never made (the change itself failed and was undone)."""

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class PendingFile:
    """The file of a pending commit, held open. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open and read it. Raises OSError (FileNotFoundError) and UnreadableError."""
        self.path = path
        self._descriptor = os.open(path, _FLAGS)
        try:
            self.pending = self._read()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "PendingFile":
        """Itself."""
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    @property
    def outcome(self) -> str | None:
        """The outcome of the change; None while it is pending."""
        return next(filter(None, self._lines()[1:]), None)

    def settle(self, outcome: Outcome) -> None:
        """Write the outcome and remove the file. The lock must be held. Raises OSError."""
        os.write(self._descriptor, f"\n{outcome}".encode())
        self.path.unlink(missing_ok=True)

    def _read(self) -> "PendingCommit":
        head, *rest = documents.read(self._descriptor).split("\n")
        pending = PendingCommit.from_dict(documents.parse(head))
        if not {*rest} <= {"", *get_args(Outcome)}:
            raise UnreadableError("its outcome is unknown")
        if not self.path.name.startswith(f"{pending.topology}@"):
            raise UnreadableError(f"it is about topology {pending.topology}")
        if pending.host.run_directory != self.path.parent:
            raise UnreadableError("it is about another run directory")
        return pending

    def _lines(self) -> list[str]:
        size = min(os.fstat(self._descriptor).st_size, documents.LARGEST)
        data = os.pread(self._descriptor, size, 0)
        return data.decode(errors="replace").split("\n")


@dataclass(frozen=True, slots=True)
class PendingStatus:
    """A pending commit, as ``status`` reports it."""

    seconds_left: float
    """Time until the rollback; negative if it is overdue."""
    until: str
    """Local date and time of the rollback."""
    hint: str
    """How to keep or undo it."""
    command: str
    """The command that confirms it."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        left = round(self.seconds_left, 1)
        return {"seconds_left": left, "until": self.until, "command": self.command}


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """Written before the first change of ``up --confirm``; enough to roll all of it back."""

    topology: str
    token: str
    """Distinguishes this change from others of the topology."""
    seconds: float
    deadline: float
    """On the clock of ``now``."""
    process: int
    """The process that made the change."""
    host: Host
    leases: Leases
    """The leases before the change."""
    text: str = ""
    """The topology that was active before, as written; empty if it was down."""
    file: str | None = None

    @property
    def left(self) -> float:
        """Seconds until the rollback; negative if it is overdue."""
        return self.deadline - now()

    @property
    def command(self) -> str:
        """The command that confirms it."""
        return f"vlanlink confirm {self.topology}"

    @property
    def hint(self) -> str:
        """How to keep or undo it."""
        return f"{self.command} keeps it, with --revert rolls it back"

    def status(self) -> PendingStatus:
        """Its status now."""
        left = self.left
        until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + left))
        return PendingStatus(left, until, self.hint, self.command)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "version": VERSION,
            "topology": self.topology,
            "token": self.token,
            "seconds": self.seconds,
            "deadline": self.deadline,
            "process": self.process,
            "host": host_row(self.host),
            "leases": self.leases.to_dict(),
            "text": self.text,
            "file": self.file,
        }

    @classmethod
    def from_dict(cls, data: object) -> "PendingCommit":
        """The pending commit of a JSON value. Raises UnreadableError."""
        table = fields.document(data, VERSION)
        pending = cls(
            topology=table.take("topology", fields.topology_name),
            token=table.take("token", _token),
            seconds=table.take("seconds", fields.number),
            deadline=table.take("deadline", fields.number),
            process=table.take("process", fields.whole),
            host=table.take("host", read_host),
            leases=table.take("leases", lambda value, _: Leases.from_dict(value)),
            text=table.take("text", fields.text),
            file=table.take("file", fields.text_or_none),
        )
        table.close()
        return pending


def now() -> float:
    """Seconds since boot, including sleep (CLOCK_BOOTTIME, clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _token(value: object, where: str) -> str:
    """It becomes part of a unit's name."""
    token = fields.text(value, where)
    if not re.fullmatch("[0-9a-f]{1,32}", token):
        raise UnreadableError(f"{where} is not one of ours")
    return token


def host_row(host: Host) -> dict[str, str | None]:
    """The JSON form of a host."""
    row = ((one.name, getattr(host, one.name)) for one in dataclass_fields(host))
    return {key: value and str(value) for key, value in row}


def read_host(value: object, where: str) -> Host:
    """The host of a JSON value. Raises UnreadableError."""
    table = fields.Table(value, where)
    names = {field.name for field in dataclass_fields(Host)} - {"network_namespace", "machine_id"}
    found = Host(
        table.take("network_namespace", fields.text_or_none),
        machine_id=table.take("machine_id", fields.text_or_none),
        **{name: table.take(name, fields.text) for name in sorted(names)},
    )
    table.close()
    return found
