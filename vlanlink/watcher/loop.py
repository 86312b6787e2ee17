"""One step of a watch: observe the machine, judge it, and repair or report."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from vlanlink.commit_confirm.commit import (
    GRACE_SECONDS,
    pending_change,
    refuse_if_pending,
    roll_back_overdue,
)
from vlanlink.dataclass import dataclass, field
from vlanlink.errors import (
    ApplyError,
    ConflictError,
    Diagnostic,
    PrivilegeError,
    TopologyError,
    UsageError,
    VlanlinkError,
)
from vlanlink.host import Host
from vlanlink.kernel.monitor import Events
from vlanlink.reconcile.checks import absolute, refuse_other_file, refuse_untrusted
from vlanlink.reconcile.dhcp_plan import left_to_keeper
from vlanlink.reconcile.lookup import copy_of
from vlanlink.reconcile.observation import Observation, marked_topologies
from vlanlink.reconcile.session import Session, kernel_errors, open_session
from vlanlink.reconcile.up import reconcile
from vlanlink.store.attached import AttachmentRecord
from vlanlink.store.lock import LOCK_SECONDS
from vlanlink.store.pending import PendingCommit
from vlanlink.store.record import Record
from vlanlink.topology import Topology, load
from vlanlink.watcher.aside import namespaces_at_fault, without_obstacles
from vlanlink.watcher.backoff import Backoff, Policy, doubled
from vlanlink.watcher.containers import absent, attach_again, note_ends
from vlanlink.watcher.drift import drifts
from vlanlink.watcher.event import Event, Word
from vlanlink.watcher.patience import Patience
from vlanlink.watcher.services import restart_services
from vlanlink.watcher.state import LoopState, is_same

CONFIRM_POLL_SECONDS = 1.0
"""While a change waits for confirmation, its file is polled: the kernel has no event for it."""

LOCK_SLICE_SECONDS = 0.2


@dataclass(slots=True)
class WatchLoop:
    """A watched topology, step by step."""

    topology: Topology
    host: Host
    report: Callable[[Event], None]
    repair: bool
    replace_file: bool
    policy: Policy
    observe_seconds: float = 0.0
    """Duration of the last snapshot."""
    _last_source: tuple[str | None, str] | None = None
    """The file and text that the topology was last up from."""
    _state: LoopState = field(init=False)
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        """Start with a clean state."""
        self._state = LoopState(Backoff(self.policy))
        self._patience = Patience(self.policy.address_seconds)

    def begin(self) -> None:
        """Check that the topology may be watched.

        Raises ConflictError if it is up from another file (without ``replace_file``), or, with
        ``repair``, while its last change waits for confirmation.
        """
        self._refuse(self.topology)

    def _refuse(self, topology: Topology) -> None:
        with open_session(self.host) as session:
            own = session.records(topology.name).own
            refuse_untrusted(session.store.contents(), topology.name)
            if any(one.units for one in topology.namespaces.values()):
                from vlanlink.boot import file_trust

                file_trust.refuse_untrusted_units(topology)
            refuse_other_file(topology, own, replace_file=self.replace_file)
            if self.repair:
                refuse_if_pending(session, topology.name)

    def step(self, events: Events) -> float | None:
        """Observe once and act on it; seconds until the next step, None: at the next event."""
        try:
            with open_session(self.host) as session:
                with _locked(session, events):
                    pending = pending_change(session, self.topology.name)
                    due = self._observe(session, events) if pending is None else None
                    ended = note_ends(session, self.topology.name)
                if pending is not None:
                    return self._hold(session, pending)
                away, again = absent(session, self.topology.name)
            self._report_attachments("ended", ended)
            return self._attach_again(away, due, again)
        except (ConflictError, ApplyError, PrivilegeError) as error:
            if self._state.starting and isinstance(error, PrivilegeError):
                raise
            return self._failed(error)

    def _report_attachments(self, word: Word, found: Iterable[AttachmentRecord]) -> None:
        what = tuple(f"attachment {one.id} of {one.network}" for one in found)
        if what:
            self.report(Event(word, self.topology.name, what))

    def _attach_again(
        self, away: tuple[AttachmentRecord, ...], due: float | None, again: float | None
    ) -> float | None:
        """Attach the containers that are back; seconds until the next step."""
        if not self.repair or again is None:
            return due
        back = [one for one in away if attach_again(self.host, one)]
        self._report_attachments("attached", back)
        if back:
            return 0.0
        return again if due is None else min(due, again)

    def reload(self) -> None:
        """Read the topology's file again and adopt it, or report why that is impossible."""
        source, name = self.topology.source, self.topology.name
        try:
            if source is None or source.file in (None, "-"):
                raise UsageError(Diagnostic(f"topology {name} has no file to reload"))
            new = load(str(source.file))
            if new.name != name:
                hint = f"stop the watch, take {name} down, then watch {new.name}"
                message = f"the file describes topology {new.name} now, not {name}"
                raise UsageError(Diagnostic(message, hint=hint))
            self._refuse(new)
        except VlanlinkError as error:
            self.report(Event("refused", name, diagnostics=error.diagnostics))
        else:
            self._adopt(new)

    def _observe(self, session: Session, events: Events) -> float | None:
        begin, suspects, machine = time.monotonic(), events.senders(), session.machine
        failed = self._state.failed_in if self._wait() > 0 else frozenset()
        first = session.observe(self.topology)
        observation, obstacles = without_obstacles(session, first, failed)
        self.observe_seconds = time.monotonic() - begin
        names = first.resolution.desired.namespaces.keys()  # those set aside, too
        keeper = first.context.keeper
        events.also_follow(*([keeper.pid] if keeper and keeper.pid else ()))
        with kernel_errors():
            machine.follow(events, names)  # drops namespaces that lost their name
        if not machine.interrupted():
            due = self._judge(session, observation, suspects, obstacles)
        with kernel_errors():
            new = machine.follow(events, names)
        if machine.interrupted():
            raise KeyboardInterrupt
        return 0.0 if new else due

    def _hold(self, session: Session, pending: PendingCommit) -> float:
        """Neither repair nor adopt a change that may be rolled back; roll it back if overdue."""
        name = self.topology.name
        self._report_once(Event("waiting", name, (pending.hint,)))
        if self.repair and time.monotonic() >= self._state.not_before:
            done = roll_back_overdue(session, grace=GRACE_SECONDS)
            if any(one.topology == name for one in done):
                self.report(Event("reverted", name))
                return 0.0
        return CONFIRM_POLL_SECONDS

    # -- judging an observation ----------------------------------------------------------------

    def _judge(
        self,
        session: Session,
        observation: Observation,
        suspects: tuple[str, ...],
        obstacles: tuple[Diagnostic, ...],
    ) -> float | None:
        released = self._released(observation)
        if released is not None:
            self._report_once(released)
            return None
        if self._adopts(observation.records.own):
            return 0.0
        self._report_ended(observation)
        self._report_obstacles(obstacles)
        problems = observation.problems()
        if problems:
            self._report_once(Event("blocked", self.topology.name, diagnostics=problems))
            return None
        found = {drift.thing: str(drift) for drift in drifts(observation.todo.operations)}
        patience = self._patience.left(observation, time.monotonic())
        if patience and self.repair:
            return patience
        if not found:
            return self._at_rest(observation)
        if not (self._state.starting and self.repair):
            what = tuple(found.values())
            self._report_once(Event("drift", self.topology.name, what, observation.todo))
        if not self.repair or all(map(left_to_keeper, observation.todo.operations)):
            self._state.starting = False
            return None
        delay = self._delay(found, suspects)
        return self._repair(session, observation, found) if delay == 0 else delay

    def _report_ended(self, observation: Observation) -> None:
        """Report, once, the namespaces that have ended; the rest of the topology is kept up."""
        ended = tuple(map(observation.topology.diagnose, observation.resolution.ended))
        if ended and ended != self._state.ended:
            what = tuple(f"namespace {name}" for name in _ended_names(observation))
            self.report(Event("blocked", self.topology.name, what, diagnostics=ended))
        self._state.ended = ended

    def _report_obstacles(self, obstacles: tuple[Diagnostic, ...]) -> None:
        """Report, once, the obstacles in namespaces that are set aside."""
        name, before = self.topology.name, self._state.obstacles
        if obstacles and obstacles != before:
            self.report(Event("blocked", name, diagnostics=obstacles))
        elif before and not obstacles and self._state.reported is None:
            self._state.reported = Event("blocked", name, diagnostics=before)
        self._state.obstacles = obstacles

    def _at_rest(self, observation: Observation) -> float | None:
        """There is no drift, but for what is set aside; seconds until that is tried again."""
        aside = observation.context.aside
        if not aside:
            self._succeeded(observation)
            self._in_sync(observation.records.own)
            return None
        self._state.starting = False
        return self._wait() if self._state.failed_in & aside else None

    def _released(self, observation: Observation) -> Event | None:
        """The event if the user took the topology down or brought it up from another file."""
        own, source, name = observation.records.own, self.topology.source, self.topology.name
        if self._state.starting and self.repair:
            return None
        if own is None:  # or lost: the marks in the kernel decide then
            return None if name in marked_topologies(observation.observed) else Event("down", name)
        if source is None:
            return None
        if not own.text:  # such a record only lists a namespace that could not be removed
            return Event("down", name)
        if self._last_source and own.file not in (self._last_source[0], absolute(source.file)):
            return Event("replaced", name, (str(own.file),))
        return None

    def _adopts(self, own: Record | None) -> bool:
        """Adopt an edited file that the user brought up; False if there is none."""
        source = self.topology.source
        if own is None or source is None or (self._state.starting and self.repair):
            return False
        before, self._last_source = self._last_source, (own.file, own.text)
        if before in (None, self._last_source) or own.text == source.text:
            return False
        try:
            self._adopt(copy_of(own))
        except TopologyError:  # another version wrote it: keep to what is known
            return False
        return True

    def _in_sync(self, own: Record | None) -> None:
        if self._state.starting:
            self.report(Event("up", self.topology.name))
        elif self._state.reported:
            self.report(Event("in_sync", self.topology.name))
        self._state.backoff.give_up((), time.monotonic())
        self._reset(own)

    def _reset(self, own: Record | None) -> None:
        """The machine matches the file: start counting failures and conditions afresh."""
        old = self._state
        self._state = LoopState(old.backoff, False, ended=old.ended, obstacles=old.obstacles)
        if old.failed_in:
            self._state.failures, self._state.not_before = old.failures, old.not_before
            self._state.failed_in = old.failed_in
        self._last_source = (own.file, own.text) if own else None

    # -- repairing -----------------------------------------------------------------------------

    def _delay(self, found: Mapping[str, str], suspects: tuple[str, ...]) -> float | None:
        """Seconds until the drift may be repaired; None if all of it is given up."""
        state, now = self._state, time.monotonic()
        given_up = state.backoff.give_up(found, now)
        if given_up:
            what = tuple(text for thing, text in found.items() if thing in given_up)
            self.report(Event("given_up", self.topology.name, what, suspects=suspects))
        delay = state.backoff.delay(found, now)
        if delay is not None and state.failures and is_same(state.failed_at, state.reported):
            delay = max(delay, state.not_before - now)
        return delay

    def _repair(
        self, session: Session, observation: Observation, found: Mapping[str, str]
    ) -> float | None:
        done = reconcile(session, observation)
        self._succeeded(observation)
        if self._state.starting:
            self.report(Event("up", self.topology.name, plan=done, diagnostics=done.notes))
        else:
            self._state.backoff.count(found, time.monotonic())
            self.report(Event("repaired", self.topology.name, plan=done, diagnostics=done.notes))
        restart_services(self.host, done, self.report)
        self._reset(session.records(self.topology.name).own)
        return 0.0

    def _wait(self) -> float:
        """Seconds until a repair that failed is tried again."""
        return max(0.0, self._state.not_before - time.monotonic())

    def _succeeded(self, observation: Observation) -> None:
        if not observation.context.aside:
            self._state.failed_in = frozenset()

    def _failed(self, error: ConflictError | ApplyError | PrivilegeError) -> float:
        state = self._state
        retry = doubled(self.policy, state.failures)
        event = Event(
            "failed", self.topology.name, diagnostics=error.diagnostics, retry_seconds=retry
        )
        self.report(event)
        state.failures += 1
        state.failed_at = state.reported
        state.not_before = time.monotonic() + retry
        found = namespaces_at_fault(error.diagnostics, self.topology)
        if not found or error.not_undone:
            return retry
        state.failed_in |= found
        return 0.0  # mend the rest

    def _adopt(self, new: Topology) -> None:
        file = new.source.file if new.source else None
        self.topology = new
        self._state = LoopState(Backoff(self.policy))
        self.report(Event("reloaded", new.name, (file or new.name,)))

    def _report_once(self, event: Event) -> None:
        """Report a condition unless it was the last one reported."""
        if not is_same(self._state.reported, event):
            self.report(event)
        self._state.reported = event


@contextmanager
def _locked(session: Session, events: Events) -> Iterator[None]:
    """Hold the lock. While waiting for it, drop namespaces that lose their names.

    The lock holder may be waiting for the kernel to delete them.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    with ExitStack() as stack:
        while True:
            events.drop_unnamed()
            left = max(0.0, deadline - time.monotonic())
            try:
                stack.enter_context(session.locked(min(left, LOCK_SLICE_SECONDS)))
                break
            except ConflictError:
                if not left:
                    raise
        yield


def _ended_names(observation: Observation) -> tuple[str, ...]:
    return tuple(str(problem.path[1]) for problem in observation.resolution.ended)
