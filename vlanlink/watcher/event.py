"""What a watch reports: one value for each thing that it noticed or did."""

from typing import Literal

from vlanlink.dataclass import dataclass
from vlanlink.errors import JSON_VERSION, Diagnostic
from vlanlink.planning.plan import Plan

Word = Literal[
    "up", "drift", "repaired", "in_sync", "blocked", "failed", "given_up", "down", "replaced",
    "reloaded", "refused", "waiting", "reverted", "left_out", "ended", "attached",
]  # fmt: skip
"""up: the machine matches the file for the first time · drift: it differs · repaired · in_sync: it
matches again, and vlanlink did not do it · blocked: the machine doesn't allow it · failed: a repair
failed · given_up: something else keeps reverting a repair · down: taken down by vlanlink down ·
replaced: up from another file now · reloaded: the file was read again · refused: the file that was
read can't be used · waiting: the last change waits for confirmation · reverted: nobody confirmed
it, and this watch rolled it back because the process responsible is gone · left_out: by the command
line only, events that its reader was too slow for · ended: the namespace of an attachment is gone ·
attached: its container is back."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a watch noticed or did."""

    event: Word
    topology: str
    what: tuple[str, ...] = ()
    """Things and what is wrong with them, or a remark: ``link web/eth0 is gone``."""
    plan: Plan | None = None
    """drift: the whole repair; up and repaired: what was done."""
    diagnostics: tuple[Diagnostic, ...] = ()
    retry_seconds: float | None = None
    suspects: tuple[str, ...] = ()
    """Processes that changed something in the meantime: ``NetworkManager (process 612)``."""

    def to_dict(self) -> dict[str, object]:
        """JSON form. Every event has all keys; those without a value are empty or null."""
        return {
            "version": JSON_VERSION,
            "event": self.event,
            "topology": self.topology,
            "what": list(self.what),
            "changes": [change.to_dict() for change in self.plan.changes] if self.plan else [],
            "errors": [d.to_dict() for d in self.diagnostics if d.severity == "error"],
            "warnings": [d.to_dict() for d in self.diagnostics if d.severity == "warning"],
            "retry_seconds": self.retry_seconds,
            "suspects": list(self.suspects),
        }
