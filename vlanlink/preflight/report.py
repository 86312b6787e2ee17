"""Findings, and the report that they make."""

from dataclasses import dataclass
from typing import Literal

from vlanlink.errors import Diagnostic

Severity = Literal["failure", "warning", "note"]
_RANKS: tuple[Severity, ...] = ("failure", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: what is so, why it matters, and what mends it.

    A failure will fail, a warning may, a note is good to know.
    """

    code: str
    """Its name in docs/doctor.md; it stays the same."""
    severity: Severity
    what: str
    why: str
    command: str | None = None
    """A command or a line of the topology; None where there is nothing to do."""
    place: Diagnostic | None = None
    """The entry of the topology that it is about."""

    def rank(self) -> int:
        """The worst is 0."""
        return _RANKS.index(self.severity)

    def to_dict(self) -> dict[str, object]:
        """The JSON form; file to path are null where no line of a file is meant."""
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
    """What ``doctor`` found, the worst first."""

    topology: str | None
    """The topology that the machine was looked at for."""
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing will fail, as far as can be seen."""
        return all(finding.severity != "failure" for finding in self.findings)

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        found = [finding.to_dict() for finding in self.findings]
        return {"topology": self.topology, "ok": self.ok, "findings": found}
