"""The journal of a topology's unit, read by journalctl(1)."""

import json
import os
import subprocess
from collections.abc import Generator
from datetime import UTC, datetime
from typing import IO, Any

from vlanlink.boot import unit
from vlanlink.dataclass import dataclass
from vlanlink.errors import ConflictError, Diagnostic, PrivilegeError

_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER"
_END_SECONDS = 30.0
_NOT_PERMITTED = ("insufficient permissions", "not seeing messages")
"""What journalctl prints if it can't read the system's journal."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of the journal."""

    time: datetime
    message: str
    program: str
    """Who wrote it: vlanlink, or systemd about the unit."""
    priority: int | None = None
    """As in syslog(3): 3 is an error, 6 is informational."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "time": self.time.isoformat(timespec="milliseconds"),
            "message": self.message,
            "program": self.program,
            "priority": self.priority,
        }


def entries(
    topology: str, *, follow: bool = False, lines: int | None = None
) -> Generator[LogEntry, None, None]:
    """The journal of a topology's unit, as ``logs`` describes it.

    Raises ConflictError if journalctl is missing or fails, PrivilegeError if the user may not read
    the system's journal.
    """
    words = ["journalctl", "--output=json", f"--output-fields={_FIELDS}", "--all", "--no-pager"]
    words += ["--follow"] if follow else []
    words += [f"--unit={unit.name(topology)}", f"--lines={'all' if lines is None else lines}"]
    # Not a pipe: nobody would read it meanwhile, and a full one holds journalctl up.
    told = open(os.memfd_create("journalctl"), "w+b")  # noqa: SIM115 - _entries closes it
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=told)
    except FileNotFoundError:
        told.close()
        hint = "without systemd, vlanlink's output goes where the init sends it"
        raise ConflictError(Diagnostic("journalctl not found", hint=hint)) from None
    return _entries(process, told)


def _entries(
    process: "subprocess.Popen[bytes]", told: IO[bytes]
) -> Generator[LogEntry, None, None]:
    found = False
    with told, process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                found = True
                yield _entry(json.loads(line))
            _await_end(process)
        finally:
            process.kill()
        told.seek(0)
        words = told.read().decode(errors="replace").strip()
    _check(words, process.returncode, found=found)


def _await_end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        message = f"journalctl printed all and did not end within {_END_SECONDS:g} s"
        raise ConflictError(Diagnostic(message, hint="try again")) from None


def _check(told: str, code: int, *, found: bool) -> None:
    """Raise PrivilegeError or ConflictError for what journalctl printed on stderr."""
    if not found and any(words in told for words in _NOT_PERMITTED):
        hint = "run it as root, or join the group systemd-journal"
        raise PrivilegeError(Diagnostic("not permitted to read the system's journal", hint=hint))
    if code > 0:
        reason = told.splitlines()[-1] if told else f"exit status {code}"
        raise ConflictError(Diagnostic(f"journalctl failed: {reason}"))


def _entry(found: dict[str, Any]) -> LogEntry:
    priority = found.get("PRIORITY")
    return LogEntry(
        datetime.fromtimestamp(int(found["__REALTIME_TIMESTAMP"]) / 1e6, UTC),
        _text(found.get("MESSAGE")),
        _text(found.get("SYSLOG_IDENTIFIER")),
        int(priority) if priority is not None else None,
    )


def _text(value: object) -> str:
    """A field: text, or the bytes of what is not UTF-8 or not printable."""
    if isinstance(value, list):
        return bytes(value).decode(errors="backslashreplace")
    return "" if value is None else str(value)
