"""Pending commits: changes that wait for confirmation, and the state to roll back to."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from vlanlink.host import Host
from vlanlink.store.documents import VERSION, UnreadableError, checked, wrong_types
from vlanlink.store.leases import Leases

Outcome = Literal["confirmed", "reverted", "failed"]
"""Kept, rolled back, or never made (the change itself failed and was undone)."""


_MOST = 1 << 24


class PendingFile:
    """The file of a pending commit, held open. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open and read it. Raises FileNotFoundError, and UnreadableError."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self.pending = PendingCommit.from_dict(self._document())
        except UnreadableError:
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
        return next(iter(self._lines()[1:]), None)

    def settle(self, outcome: Outcome) -> None:
        """Write the outcome and remove the file. The lock must be held. Raises OSError."""
        os.write(self._descriptor, f"\n{outcome}".encode())
        self.path.unlink(missing_ok=True)

    def _document(self) -> Any:
        try:
            return json.loads(self._lines()[0])
        except (IndexError, ValueError, RecursionError):
            raise UnreadableError("it is not JSON") from None

    def _lines(self) -> list[str]:
        return os.pread(self._descriptor, _MOST, 0).decode(errors="replace").splitlines()


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
        host = {key: value and str(value) for key, value in asdict(self.host).items()}
        return {
            "version": VERSION,
            "topology": self.topology,
            "token": self.token,
            "seconds": self.seconds,
            "deadline": self.deadline,
            "process": self.process,
            "host": host,
            "leases": self.leases.to_dict(),
            "text": self.text,
            "file": self.file,
        }

    @classmethod
    def from_dict(cls, data: Any) -> "PendingCommit":
        """The pending commit of a JSON object. Raises UnreadableError."""
        row = checked(data, _KEYS)
        with wrong_types():
            return cls(
                topology=str(row["topology"]),
                token=str(row["token"]),
                seconds=float(row["seconds"]),
                deadline=float(row["deadline"]),
                process=int(row["process"]),
                host=_host(row["host"]),
                leases=Leases.from_dict(row["leases"]),
                text=str(row["text"]),
                file=row["file"],
            )


_KEYS = tuple(field.name for field in fields(PendingCommit))


def now() -> float:
    """Seconds since boot, including sleep (CLOCK_BOOTTIME, clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _host(data: Mapping[str, str | None]) -> Host:
    directories = {k: Path(v) for k, v in data.items() if v is not None and "directory" in k}
    return Host(data["network_namespace"], machine_id=data["machine_id"], **directories)


def find(paths: list[Path]) -> list[PendingFile]:
    """The files with a change that is still pending, open."""
    found = []
    for path in paths:
        with suppress(OSError, ValueError):
            file = PendingFile(path)
            if file.outcome is None:
                found.append(file)
            else:
                file.close()
    return found
