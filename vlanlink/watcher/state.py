"""What a watch remembers from one step to the next."""

from vlanlink.dataclass import dataclass
from vlanlink.errors import Diagnostic
from vlanlink.watcher.backoff import Backoff
from vlanlink.watcher.event import Event


@dataclass(slots=True)
class LoopState:
    """What happened since the watch started or its file was reloaded."""

    backoff: Backoff
    starting: bool = True
    """The machine has not matched the file yet."""
    reported: Event | None = None
    """The last reported condition; None after the machine matched the file."""
    failures: int = 0
    """Failed repairs in a row."""
    failed_at: Event | None = None
    """The condition when the last repair failed."""
    not_before: float = 0.0
    """Time of the next repair while that condition lasts."""
    ended: tuple[Diagnostic, ...] = ()
    """The reported namespaces that have ended."""
    obstacles: tuple[Diagnostic, ...] = ()
    """What was reported about namespaces that are set aside."""
    failed_in: frozenset[str] = frozenset()
    """Namespaces in which the last repair failed: they are set aside until the next."""


def is_same(one: Event | None, other: Event | None) -> bool:
    """True if two events report the same condition."""
    if one is None or other is None:
        return one is other
    return (one.event, one.what, one.diagnostics) == (other.event, other.what, other.diagnostics)
