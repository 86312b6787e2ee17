"""What a watch tells: one value for each thing that it noticed or did."""

from dataclasses import dataclass
from typing import Literal

from vlanlink.errors import Diagnostic
from vlanlink.planning.plan import Plan

Word = Literal[
    "up", "drift", "mended", "right", "blocked", "failed", "left", "down", "elsewhere", "reloaded",
    "refused", "waiting", "reverted",
]  # fmt: skip
"""up: all is as the file says, for the first time · drift: what differs from it · mended · right:
all is as it should be again, and it was not us · blocked: the machine stands in the way · failed:
a mending did not succeed · left: what somebody else keeps changing · down: taken down, by vlanlink
down · elsewhere: up from another file now · reloaded: the file was read anew · refused: what was
read can't be used · waiting: the last change waits for confirmation · reverted: nobody confirmed
it, and it was put back here, for who should have done it is gone."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a watch noticed or did."""

    event: Word
    topology: str
    what: tuple[str, ...] = ()
    """Things with what is wrong about them, or a remark: ``link web/eth0 is gone``."""
    plan: Plan | None = None
    """drift: what mends it, in full; up and mended: what was done."""
    diagnostics: tuple[Diagnostic, ...] = ()
    retry_seconds: float | None = None
    suspects: tuple[str, ...] = ()
    """Processes that changed something meanwhile: ``NetworkManager (process 612)``."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form; an event has all keys, the ones that say nothing empty or null."""
        return {
            "event": self.event,
            "topology": self.topology,
            "what": list(self.what),
            "changes": [change.to_dict() for change in self.plan.changes] if self.plan else [],
            "errors": [d.to_dict() for d in self.diagnostics if d.severity == "error"],
            "warnings": [d.to_dict() for d in self.diagnostics if d.severity == "warning"],
            "retry_seconds": self.retry_seconds,
            "suspects": list(self.suspects),
        }
