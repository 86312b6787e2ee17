"""A change that waits for confirmation: made, confirmed or rolled back."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from vlanlink.dataclass import dataclass, replace
from vlanlink.errors import (
    JSON_VERSION,
    ApplyError,
    ConflictError,
    Diagnostic,
    Interrupted,
    UsageError,
    VlanlinkError,
)
from vlanlink.host import Host
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.checks import checked, need_privilege
from vlanlink.reconcile.lookup import need_name
from vlanlink.reconcile.observation import Observation, marked_topologies
from vlanlink.reconcile.session import Session, open_session
from vlanlink.store.lock import LOCK_SECONDS, LONGEST_LOCK_SECONDS
from vlanlink.store.pending import Outcome, PendingCommit, PendingFile
from vlanlink.store.record import Record
from vlanlink.topology import Topology, empty, parse

_POLL_SECONDS = 0.1
GRACE_SECONDS = 5.0
"""How long a waiting process leaves an overdue rollback to the reverter."""

Decide = Callable[[Plan, float], bool | None]
"""Called repeatedly with the plan that was carried out and the seconds left: True confirms the
change, False rolls it back now, None decides nothing."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How a pending change was settled."""

    topology: str
    confirmed: bool
    """False: rolled back."""
    seconds: float
    """The time it had to be confirmed."""

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return {
            "version": JSON_VERSION,
            "topology": self.topology,
            "confirmed": self.confirmed,
        }


def confirm(
    topology: str | None = None,
    host: Host | None = None,
    *,
    revert: bool = False,
    lock_timeout: float = LOCK_SECONDS,
) -> Confirmation:
    """Confirm a pending change, or roll it back now (``revert``).

    ``topology`` is required if several changes are pending. Raises UsageError if none is,
    ConflictError if the lock isn't free in time, ApplyError if the rollback fails: then the change
    stays pending.
    """
    need_privilege()
    with open_session(host) as session, ExitStack() as stack:
        files = [stack.enter_context(file) for file in session.store.waiting()]
        if topology and topology not in [file.pending.topology for file in files]:
            need_name(session, topology)
        file = _chosen(files, topology)
        settle = roll_back if revert else _confirm
        done = settle(session, file, lock_timeout)
        pending = file.pending
        if not done:
            message = f"the change of {pending.topology} is already {file.outcome}"
            raise ConflictError(Diagnostic(message))
        return Confirmation(pending.topology, not revert, pending.seconds)


def revert_overdue(host: Host | None = None) -> tuple[Confirmation, ...]:
    """Roll back overdue changes whose reverter is gone; raises as ``confirm`` does."""
    with open_session(host) as session:
        return roll_back_overdue(session)


def roll_back_overdue(session: Session, *, grace: float = 0.0) -> tuple[Confirmation, ...]:
    """Roll back changes that are overdue by more than ``grace`` seconds.

    Their reverter must be gone. Raises as ``confirm`` does.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(file) for file in session.store.waiting()]
        return tuple(
            Confirmation(file.pending.topology, False, file.pending.seconds)
            for file in files
            if file.pending.left <= -grace and roll_back(session, file)
        )


def roll_back(session: Session, file: PendingFile, lock_timeout: float = LOCK_SECONDS) -> bool:
    """Restore what was up before the change; False if the change is already settled.

    Raises ConflictError, ApplyError and Interrupted, as ``up`` and ``down`` do; the change stays
    pending then.
    """
    with session.locked(lock_timeout):
        if file.outcome is not None:
            return False
        _restore(session, file.pending)
        _settle(file, "reverted")
    return True


def _restore(session: Session, pending: PendingCommit) -> None:
    """Bring the previous topology up again with its leases, or take the new one down."""
    from vlanlink.reconcile.down import take_down
    from vlanlink.reconcile.up import bring_up

    if not pending.text:
        take_down(session, empty(pending.topology))
        _write_leases(session, pending)
        return
    with _keeping(session, pending.topology):
        _write_leases(session, pending)
        before = parse(pending.text, file=pending.file or pending.topology)
        bring_up(session, before, replace_file=True, probe_lan=False)


@contextmanager
def _keeping(session: Session, topology: str) -> Iterator[None]:
    """Restore the topology's files after a failure."""
    try:
        kept = session.store.keep(topology)
    except OSError as error:
        message = f"can't keep {error.filename or 'leases'}: {error.strerror}"
        raise ConflictError(Diagnostic(message)) from None
    try:
        yield
    except VlanlinkError:
        kept.restore()
        raise
    finally:
        kept.discard()


def _write_leases(session: Session, pending: PendingCommit) -> None:
    try:
        session.store.write_leases(pending.topology, pending.leases)
    except OSError as error:
        message = f"can't write {error.filename or 'leases'}: {error.strerror}"
        raise ConflictError(Diagnostic(message)) from None


def _confirm(session: Session, file: PendingFile, lock_timeout: float = LOCK_SECONDS) -> bool:
    with session.locked(lock_timeout):
        if file.outcome is None:
            _settle(file, "confirmed")
            session.complete()
            return True
    return False


def _settle(file: PendingFile, outcome: Outcome) -> None:
    try:
        file.settle(outcome)
    except OSError as error:
        message = f"{file.pending.topology} is {outcome}, but can't write {file.path}"
        raise ApplyError(Diagnostic(f"{message}: {error.strerror}")) from None
    from vlanlink.commit_confirm.timer import cancel

    cancel(file.pending)


def _chosen(files: list[PendingFile], topology: str | None) -> PendingFile:
    names = [file.pending.topology for file in files]
    if topology is None and len(files) > 1:
        message = f"changes of {len(names)} topologies wait for confirmation"
        raise UsageError(Diagnostic(message, hint=f"name one: {', '.join(names)}"))
    for file in files:
        if topology in (None, file.pending.topology):
            return file
    of = f" of {topology}" if topology else ""
    hint = f"waiting: {', '.join(names)}" if names else "vlanlink status shows what is up"
    raise UsageError(Diagnostic(f"no change{of} waits for confirmation", hint=hint))


def pending_change(session: Session, topology: str) -> PendingCommit | None:
    """The topology's pending change, if any."""
    with ExitStack() as stack:
        every = [stack.enter_context(file).pending for file in session.store.waiting()]
    return next((pending for pending in every if pending.topology == topology), None)


def refuse_if_pending(session: Session, topology: str) -> None:
    """Raise ConflictError while a change of the topology is pending."""
    pending = pending_change(session, topology)
    if pending is not None:
        left = f"{max(pending.left, 0):.0f} s left"
        message = f"the last change of {topology} waits for confirmation ({left})"
        raise ConflictError(Diagnostic(message, hint=pending.hint))


def bring_up_pending(
    session: Session, topology: Topology, seconds: float, *, replace_file: bool
) -> tuple[Plan, PendingFile | None]:
    """Bring a topology up with a scheduled rollback; None: nothing to change.

    The rollback is scheduled before the first change. Raises as ``bring_up`` does, and
    PrivilegeError if it can't be scheduled.
    """
    from vlanlink.commit_confirm.timer import new_pending, scheduled  # no other run needs it
    from vlanlink.reconcile.up import bring_up

    files: list[PendingFile] = []

    @contextmanager
    def guard(seen: Observation) -> Iterator[None]:
        checked(seen)
        before = seen.records.own or Record(topology.name)
        marked = topology.name in marked_topologies(seen.observed)
        pending = new_pending(session.host, before, seen.leases, marked=marked, seconds=seconds)
        with scheduled(session.store, pending) as file:
            yield
        files.append(file)

    done = bring_up(_unfinished(session), topology, replace_file=replace_file, guard=guard)
    if not files:
        session.complete()
    return done, next(iter(files), None)


def _unfinished(session: Session) -> Session:
    """The session, for a change that is complete only once it is confirmed."""
    report = session.on_progress
    if report is None:
        return session
    return replace(session, on_progress=lambda *now: report(*now) if now[2] else None)


def await_confirmation(
    session: Session, file: PendingFile, done: Plan, decide: Decide | None
) -> None:
    """Return when the change is confirmed, here or elsewhere.

    Raises ApplyError after a rollback; Interrupted if ``decide`` asked for it, or on Ctrl-C: then
    the reverter rolls the change back when its time is over.
    """
    pending = file.pending
    try:
        while file.outcome is None:
            answer = decide(done, max(pending.left, 0)) if decide else None
            if answer:
                _confirm(session, file)
            elif answer is False and roll_back(session, file):
                raise Interrupted(Diagnostic("interrupted; rolled back"))
            elif pending.left < -GRACE_SECONDS:  # the reverter seems to be gone
                roll_back(session, file, LONGEST_LOCK_SECONDS)
            else:
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        left = f"{max(pending.left, 0):.0f} s"
        message = f"interrupted; {pending.topology} will be rolled back in {left}"
        raise Interrupted(Diagnostic(message, hint=f"{pending.hint} now")) from None
    if file.outcome != "confirmed":
        message = f"{pending.topology} was not confirmed within {pending.seconds:g} s"
        raise ApplyError(Diagnostic(f"{message}; rolled back"))
