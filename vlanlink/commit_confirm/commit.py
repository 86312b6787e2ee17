"""A change that waits for confirmation: made, kept, put back."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from vlanlink.commit_confirm.timer import armed, disarm, pending_change
from vlanlink.errors import (
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
from vlanlink.reconcile.down import take_down
from vlanlink.reconcile.session import Observation, Session, marked_topologies, open_session
from vlanlink.reconcile.up import bring_up
from vlanlink.store.lock import LOCK_SECONDS, LONGEST_LOCK_SECONDS
from vlanlink.store.pending import Outcome, PendingCommit, PendingFile
from vlanlink.store.record import Record
from vlanlink.topology import Topology, empty, parse

_POLL_SECONDS = 0.1
GRACE_SECONDS = 5.0
"""How long who waits leaves it to the reverter: it could be killed in between."""

Decide = Callable[[Plan, float], bool | None]
"""Asked again and again, with what was done and the seconds left: True keeps it, False puts it
back now, None leaves it open."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of a change that waited."""

    topology: str
    confirmed: bool
    """It is kept; else it was put back."""
    seconds: float
    """How long it had."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {"topology": self.topology, "confirmed": self.confirmed}


def confirm(
    topology: str | None = None,
    host: Host | None = None,
    *,
    revert: bool = False,
    lock_timeout: float = LOCK_SECONDS,
) -> Confirmation:
    """Keep a change that waits for confirmation; or ``revert`` it now, which waits for nothing.

    Where several wait, ``topology`` says which. Raises UsageError if there is none, ConflictError
    if another vlanlink does not end, ApplyError if it can't be put back: then it waits on.
    """
    need_privilege()
    with open_session(host) as session, ExitStack() as stack:
        waiting = [stack.enter_context(file) for file in session.store.waiting()]
        file = _chosen(waiting, topology)
        settle = put_back if revert else _keep
        done = settle(session, file, lock_timeout)
        pending = file.pending
        if not done:
            raise ConflictError(Diagnostic(f"{pending.topology} is {file.outcome} already"))
        return Confirmation(pending.topology, not revert, pending.seconds)


def revert_overdue(host: Host | None = None) -> tuple[Confirmation, ...]:
    """As ``put_back_overdue``, in a session of its own."""
    with open_session(host) as session:
        return put_back_overdue(session)


def put_back_overdue(session: Session, *, grace: float = 0.0) -> tuple[Confirmation, ...]:
    """Put back what nobody confirmed in time, where the process that should have done it is gone.

    ``grace`` is how many seconds more that one is given. Raises as ``confirm`` does.
    """
    with ExitStack() as stack:
        waiting = [stack.enter_context(file) for file in session.store.waiting()]
        return tuple(
            Confirmation(file.pending.topology, False, file.pending.seconds)
            for file in waiting
            if file.pending.left <= -grace and put_back(session, file)
        )


def put_back(session: Session, file: PendingFile, lock_timeout: float = LOCK_SECONDS) -> bool:
    """Put all back as it was before the change; False if the change is settled already.

    Raises ConflictError, ApplyError and Interrupted, as ``up`` and ``down`` do: it waits on then.
    """
    with session.locked(lock_timeout):
        if file.outcome is not None:
            return False
        _go_back(session, file.pending)
        _settle(file, "reverted")
    return True


def _go_back(session: Session, pending: PendingCommit) -> None:
    """An ordinary ``up`` of the topology before, or ``down``; with the addresses of then."""
    if not pending.text:
        take_down(session, empty(pending.topology))
        _write_leases(session, pending)
        return
    given = session.store.leases(pending.topology)
    _write_leases(session, pending)
    before = parse(pending.text, file=pending.file or pending.topology)
    try:
        bring_up(session, before, replace_file=True, probe_lan=False)
    except VlanlinkError:
        _write_leases(session, replace(pending, leases=given))
        raise


def _write_leases(session: Session, pending: PendingCommit) -> None:
    try:
        session.store.write_leases(pending.topology, pending.leases)
    except OSError as error:
        message = f"can't write {error.filename or 'leases'}: {error.strerror}"
        raise ConflictError(Diagnostic(message)) from None


def _keep(session: Session, file: PendingFile, lock_timeout: float = LOCK_SECONDS) -> bool:
    with session.locked(lock_timeout):
        if file.outcome is None:
            _settle(file, "confirmed")
            return True
    return False


def _settle(file: PendingFile, outcome: Outcome) -> None:
    try:
        file.settle(outcome)
    except OSError as error:
        message = f"{file.pending.topology} is {outcome}, but {file.path} can't be written"
        raise ApplyError(Diagnostic(f"{message}: {error.strerror}")) from None
    disarm(file.pending)


def _chosen(waiting: list[PendingFile], topology: str | None) -> PendingFile:
    names = [file.pending.topology for file in waiting]
    if topology is None and len(waiting) > 1:
        message = f"{len(names)} topologies wait for confirmation"
        raise UsageError(Diagnostic(message, hint=f"name one: {', '.join(names)}"))
    for file in waiting:
        if topology in (None, file.pending.topology):
            return file
    message = f"{topology or 'nothing'} {'does not wait' if topology else 'waits'} for confirmation"
    hint = f"waiting: {', '.join(names)}" if names else "vlanlink status tells what is up"
    raise UsageError(Diagnostic(message, hint=hint))


def waiting_change(session: Session, topology: str) -> PendingCommit | None:
    """The last change of a topology, if it waits for confirmation."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(file).pending for file in session.store.waiting()]
    return next((pending for pending in waiting if pending.topology == topology), None)


def refuse_if_waiting(session: Session, topology: str) -> None:
    """Raise ConflictError while the last change of a topology waits for confirmation."""
    pending = waiting_change(session, topology)
    if pending is not None:
        left = f"{max(pending.left, 0):.0f} s are left"
        message = f"the last change of {topology} waits for confirmation, {left}"
        raise ConflictError(Diagnostic(message, hint=pending.way_out))


def make_provisionally(
    session: Session, topology: Topology, seconds: float, *, replace_file: bool
) -> tuple[Plan, PendingFile | None]:
    """Bring a topology up, the way back armed before the first change; None: nothing to change.

    Raises as ``bring_up`` does, and PrivilegeError if the way back can't be armed.
    """
    waiting: list[PendingFile] = []

    @contextmanager
    def guard(look: Observation) -> Iterator[None]:
        checked(look)
        before = look.records.own or Record(topology.name)
        marked = topology.name in marked_topologies(look.observed)
        pending = pending_change(session.host, before, look.leases, marked=marked, seconds=seconds)
        with armed(session.store, pending) as file:
            yield
        waiting.append(file)

    done = bring_up(session, topology, replace_file=replace_file, guard=guard)
    return done, next(iter(waiting), None)


def await_confirmation(
    session: Session, file: PendingFile, done: Plan, decide: Decide | None
) -> None:
    """Come back when the change is confirmed, here or elsewhere.

    Raises ApplyError when it was put back, Interrupted when that was decided here, or when an
    interrupt ends the waiting: then it is put back when its time is over, and by another process.
    """
    pending = file.pending
    try:
        while file.outcome is None:
            answer = decide(done, max(pending.left, 0)) if decide else None
            if answer:
                _keep(session, file)
            elif answer is False and put_back(session, file):
                raise Interrupted(Diagnostic("interrupted; put back as it was"))
            elif pending.left < -GRACE_SECONDS:  # the reverter seems to be gone
                put_back(session, file, LONGEST_LOCK_SECONDS)
            else:
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        message = f"interrupted; {pending.topology} is put back in {max(pending.left, 0):.0f} s"
        raise Interrupted(Diagnostic(message, hint=f"{pending.way_out} now")) from None
    if file.outcome != "confirmed":
        message = f"{pending.topology} was not confirmed within {pending.seconds:g} s"
        raise ApplyError(Diagnostic(f"{message}; put back as it was"))
