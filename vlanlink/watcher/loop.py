"""One turn of a watch: a look at the machine, what it means, and what is done about it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vlanlink.commit_confirm.commit import (
    GRACE_SECONDS,
    put_back_overdue,
    refuse_if_waiting,
    waiting_change,
)
from vlanlink.errors import (
    ApplyError,
    ConflictError,
    Diagnostic,
    PrivilegeError,
    UsageError,
    VlanlinkError,
)
from vlanlink.host import Host
from vlanlink.kernel.monitor import Events
from vlanlink.reconcile.checks import absolute, refuse_other_file
from vlanlink.reconcile.session import (
    Observation,
    Session,
    kernel_errors,
    marked_topologies,
    open_session,
)
from vlanlink.reconcile.up import reconcile
from vlanlink.store.pending import PendingCommit
from vlanlink.store.record import Record
from vlanlink.topology import Topology, load, parse
from vlanlink.watcher.backoff import Backoff, Policy, doubled
from vlanlink.watcher.drift import drifts
from vlanlink.watcher.event import Event

CONFIRM_POLL_SECONDS = 1.0
"""How often it is asked what became of a change that waits for confirmation: a look at a file,
while one waits. The kernel has no event that tells of it."""


@dataclass(slots=True)
class _LoopState:
    """How it went since the topology was taken up, or its file read anew."""

    patience: Backoff
    fresh: bool = True
    """Nothing was found to be right, or made so, yet."""
    told: Event | None = None
    """What was told last of how things stand; None when all was right."""
    failures: int = 0
    """Mendings that failed, one after the other."""
    failed_at: Event | None = None
    """How things stood when the last one failed."""
    not_before: float = 0.0
    """When the next one may be tried, if things stand as they did."""


@dataclass(slots=True)
class WatchLoop:
    """A topology that is kept as its file says, or only looked at, turn by turn."""

    topology: Topology
    host: Host
    tell: Callable[[Event], None]
    repair: bool
    replace_file: bool
    policy: Policy
    cost: float = 0.0
    """The seconds that the last look took."""
    _known: tuple[str | None, str] | None = None
    """The file and the text that the topology was last up from."""
    _course: _LoopState = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self._course = _LoopState(Backoff(self.policy))

    def begin(self) -> None:
        """Raise ConflictError if the topology is up from another file, unless that is meant.

        So it does, if there is something to mend, while its last change waits for confirmation.
        """
        self._refuse_to_take(self.topology)

    def _refuse_to_take(self, topology: Topology) -> None:
        with open_session(self.host) as session:
            own = session.records(topology.name).own
            refuse_other_file(topology, own, replace_file=self.replace_file)
            if self.repair:
                refuse_if_waiting(session, topology.name)

    def turn(self, events: Events) -> float | None:
        """One look, and what follows from it; the seconds until the next, None: at a change."""
        events.leave_what_lost_its_name()  # who has the lock may wait for it to be deleted
        try:
            with open_session(self.host) as session:
                with session.locked():
                    waiting = waiting_change(session, self.topology.name)
                    if waiting is None:
                        return self._look(session, events)
                return self._leave_alone(session, waiting)
        except (ConflictError, ApplyError, PrivilegeError) as error:
            if self._course.fresh and isinstance(error, PrivilegeError):
                raise
            return self._failed(error)

    def read_anew(self) -> None:
        """Take the topology up as its file says now, or tell why it can't be."""
        source, name = self.topology.source, self.topology.name
        try:
            if source is None or source.file in (None, "-"):
                raise UsageError(Diagnostic(f"{name} has no file that could be read anew"))
            new = load(str(source.file))
            if new.name != name:
                hint = f"end the watch and take {name} down, then watch {new.name}"
                raise UsageError(Diagnostic(f"the file is that of {new.name} now", hint=hint))
            self._refuse_to_take(new)
        except VlanlinkError as error:
            self.tell(Event("refused", name, diagnostics=error.diagnostics))
        else:
            self._take(new)

    def _look(self, session: Session, events: Events) -> float | None:
        begin, suspects, machine = time.monotonic(), events.senders(), session.machine
        look = session.observe(self.topology)
        self.cost = time.monotonic() - begin
        names = look.resolution.desired.namespaces.keys()
        with kernel_errors():
            machine.follow(events, names)  # a namespace that lost its name is let go
        if not machine.interrupted():
            due = self._consider(session, look, suspects)
        with kernel_errors():
            new = machine.follow(events, names)
        if machine.interrupted():
            raise KeyboardInterrupt
        return 0.0 if new else due

    def _leave_alone(self, session: Session, waiting: PendingCommit) -> float:
        """What may be put back is neither mended nor taken up; it is ours if nobody else does."""
        name = self.topology.name
        self._tell_once(Event("waiting", name, (waiting.way_out,)))
        if self.repair and time.monotonic() >= self._course.not_before:
            done = put_back_overdue(session, grace=GRACE_SECONDS)
            if any(one.topology == name for one in done):
                self.tell(Event("reverted", name))
                return 0.0
        return CONFIRM_POLL_SECONDS

    # -- what a look means ---------------------------------------------------------------------

    def _consider(
        self, session: Session, look: Observation, suspects: tuple[str, ...]
    ) -> float | None:
        standing = self._not_for_us(look)
        if standing is not None:
            self._tell_once(standing)
            return None
        if self._adopts(look.records.own):
            return 0.0
        problems = look.problems()
        if problems:
            self._tell_once(Event("blocked", self.topology.name, diagnostics=problems))
            return None
        found = {drift.thing: str(drift) for drift in drifts(look.todo.operations)}
        if not found:
            self._all_right(look.records.own)
            return None
        if not (self._course.fresh and self.repair):
            what = tuple(found.values())
            self._tell_once(Event("drift", self.topology.name, what, look.todo))
        if not self.repair:
            self._course.fresh = False
            return None
        pause = self._pause(found, suspects)
        return self._mend(session, look, found) if pause == 0 else pause

    def _not_for_us(self, look: Observation) -> Event | None:
        """Whether the topology was taken down by its user, or brought up from another file."""
        own, source, name = look.records.own, self.topology.source, self.topology.name
        if self._course.fresh and self.repair:
            return None
        if own is None:  # or lost; then what is ours bears its mark
            return None if name in marked_topologies(look.observed) else Event("down", name)
        if source is None:
            return None
        if not own.text:  # it only tells of a namespace that could not be removed
            return Event("down", name)
        if self._known is not None and own.file not in (self._known[0], absolute(source.file)):
            return Event("elsewhere", name, (str(own.file),))
        return None

    def _adopts(self, own: Record | None) -> bool:
        """Whether the topology was brought up from an edited file, which is taken up then."""
        source = self.topology.source
        if own is None or source is None or (self._course.fresh and self.repair):
            return False
        before, self._known = self._known, (own.file, own.text)
        if before in (None, self._known) or own.text == source.text:
            return False
        self._take(parse(own.text, file=own.file or own.topology))
        return True

    def _all_right(self, own: Record | None) -> None:
        if self._course.fresh:
            self.tell(Event("up", self.topology.name))
        elif self._course.told:
            self.tell(Event("right", self.topology.name))
        self._course.patience.give_up((), time.monotonic())
        self._is_right(own)

    def _is_right(self, own: Record | None) -> None:
        self._course = _LoopState(self._course.patience, fresh=False)
        self._known = (own.file, own.text) if own else None

    # -- what is done about it -----------------------------------------------------------------

    def _pause(self, found: Mapping[str, str], suspects: tuple[str, ...]) -> float | None:
        """The seconds until what drifted may be mended; None if it is left to somebody else."""
        course, now = self._course, time.monotonic()
        given_up = course.patience.give_up(found, now)
        if given_up:
            what = tuple(text for thing, text in found.items() if thing in given_up)
            self.tell(Event("left", self.topology.name, what, suspects=suspects))
        pause = course.patience.pause(found, now)
        if pause is not None and course.failures and _same(course.failed_at, course.told):
            pause = max(pause, course.not_before - now)
        return pause

    def _mend(self, session: Session, look: Observation, found: Mapping[str, str]) -> float | None:
        done = reconcile(session, look)
        if self._course.fresh:
            self.tell(Event("up", self.topology.name, plan=done, diagnostics=done.notes))
        else:
            self._course.patience.mended(found, time.monotonic())
            self.tell(Event("mended", self.topology.name, plan=done, diagnostics=done.notes))
        self._is_right(session.records(self.topology.name).own)
        return 0.0

    def _failed(self, error: ConflictError | ApplyError | PrivilegeError) -> float:
        course = self._course
        retry = doubled(self.policy, course.failures)
        event = Event(
            "failed", self.topology.name, diagnostics=error.diagnostics, retry_seconds=retry
        )
        self.tell(event)
        course.failures += 1
        course.failed_at = course.told
        course.not_before = time.monotonic() + retry
        return retry

    def _take(self, new: Topology) -> None:
        file = new.source.file if new.source else None
        self.topology = new
        self._course = _LoopState(Backoff(self.policy))
        self.tell(Event("reloaded", new.name, (file or new.name,)))

    def _tell_once(self, event: Event) -> None:
        """Tell how things stand, unless that was the last that was told of it."""
        if not _same(self._course.told, event):
            self.tell(event)
        self._course.told = event


def _same(one: Event | None, other: Event | None) -> bool:
    """Whether two events tell of one state of things."""
    if one is None or other is None:
        return one is other
    return (one.event, one.what, one.diagnostics) == (other.event, other.what, other.diagnostics)
