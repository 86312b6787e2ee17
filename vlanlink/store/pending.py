"""A change that waits for confirmation, and what to go back to without it."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from vlanlink.host import Host
from vlanlink.store.leases import Leases

Outcome = Literal["confirmed", "reverted", "failed"]
"""Kept, put back, or never made: the change itself failed and was undone."""


_MOST = 1 << 24


class PendingFile:
    """One such file, held open. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open and read it. Raises FileNotFoundError, and ValueError for what is none."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self.pending = PendingCommit.from_dict(json.loads(self._lines()[0]))
        except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            self.close()
            raise ValueError(f"{path} can't be read: {error!r}") from None
        except ValueError:
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
        """What became of the change; None while it waits."""
        return next(iter(self._lines()[1:]), None)

    def settle(self, outcome: Outcome) -> None:
        """Write what became of it, and remove the file. The lock must be held. Raises OSError."""
        os.write(self._descriptor, f"\n{outcome}".encode())
        self.path.unlink(missing_ok=True)

    def _lines(self) -> list[str]:
        return os.pread(self._descriptor, _MOST, 0).decode(errors="replace").splitlines()


VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PendingStatus:
    """A change that waits for confirmation, as ``status`` tells it."""

    seconds_left: float
    """Until it is put back; none or fewer: it is overdue."""
    until: str
    """When that is, as clocks on this machine show it now."""
    hint: str
    """The commands that settle it, in words."""
    command: str
    """The command that confirms it."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        left = round(self.seconds_left, 1)
        return {"seconds_left": left, "until": self.until, "command": self.command}


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """Written before the first change of ``up --confirm``; who reads it can put all of it back."""

    topology: str
    token: str
    """What tells this change from others of the topology."""
    seconds: float
    deadline: float
    """By ``now``, which no change of the clock touches."""
    process: int
    """Who made the change."""
    host: Host
    leases: Leases
    """As they were before."""
    text: str = ""
    """The topology that was up before, as written; none if it was down."""
    file: str | None = None

    @property
    def left(self) -> float:
        """Seconds until it is put back; none or fewer: it is overdue."""
        return self.deadline - now()

    @property
    def command(self) -> str:
        """What keeps it."""
        return f"vlanlink confirm {self.topology}"

    @property
    def hint(self) -> str:
        """The commands that settle it, in words."""
        return f"{self.command} keeps it, with --revert rolls it back"

    def waiting(self) -> PendingStatus:
        """How long it still waits, from now on."""
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
    def from_dict(cls, data: Mapping[str, Any]) -> "PendingCommit":
        """What a JSON object says. Raises KeyError, TypeError or ValueError if it is none."""
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']}")
        return cls(
            topology=str(data["topology"]),
            token=str(data["token"]),
            seconds=float(data["seconds"]),
            deadline=float(data["deadline"]),
            process=int(data["process"]),
            host=_host(data["host"]),
            leases=Leases.from_dict(data["leases"]),
            text=str(data["text"]),
            file=data["file"],
        )


def now() -> float:
    """Seconds since boot, sleep included (CLOCK_BOOTTIME, clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _host(data: Mapping[str, str | None]) -> Host:
    directories = {k: Path(v) for k, v in data.items() if v is not None and "directory" in k}
    return Host(data["network_namespace"], machine_id=data["machine_id"], **directories)


def find(paths: list[Path]) -> list[PendingFile]:
    """Those of the files in which a change still waits, open."""
    found = []
    for path in paths:
        with suppress(OSError, ValueError):
            file = PendingFile(path)
            if file.outcome is None:
                found.append(file)
            else:
                file.close()
    return found
