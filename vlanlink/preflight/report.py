"""Findings, and the report that they make."""

from typing import Literal

from vlanlink.dataclass import dataclass
from vlanlink.errors import JSON_VERSION, Diagnostic

Severity = Literal["failure", "warning", "note"]
_RANKS: tuple[Severity, ...] = ("failure", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding: what is wrong, why it matters, and the remedy.

    A failure: something will not work. A warning: it may not. A note: good to know.
    """

    code: str
    """Stable identifier, listed in docs/doctor.md."""
    severity: Severity
    what: str
    why: str
    command: str | None = None
    """The remedy: a command, or a table of the topology (several lines). None: nothing to do."""
    place: Diagnostic | None = None
    """The entry of the topology that it concerns."""
    is_table: bool = False
    """The remedy is a table of the topology, and has several lines."""

    def rank(self) -> int:
        """Sort key; the worst is 0."""
        return _RANKS.index(self.severity)

    def to_dict(self) -> dict[str, object]:
        """The JSON form; file to path are null without a line of a file."""
        place = (self.place or Diagnostic("")).to_dict()
        return {
            "code": self.code,
            "severity": self.severity,
            "what": self.what,
            "why": self.why,
            "command": self.command,
            **{key: place[key] for key in ("file", "line", "column", "path")},
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of ``doctor``, the worst first."""

    topology: str | None
    """The topology, if the report is for one."""
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no failure."""
        return all(finding.severity != "failure" for finding in self.findings)

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        found = [finding.to_dict() for finding in self.findings]
        return {
            "version": JSON_VERSION,
            "topology": self.topology,
            "ok": self.ok,
            "findings": found,
        }
