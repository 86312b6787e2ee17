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
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.down import make, take
from vlanlink.reconcile.session import (
    Observation,
    checked,
    files,
    locked,
    marked_topologies,
    need_privilege,
)
from vlanlink.store.files import Store
from vlanlink.store.lock import LOCK_SECONDS, LONGEST_LOCK_SECONDS
from vlanlink.store.pending import Outcome, PendingCommit, PendingFile
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
    host = host or Host()
    need_privilege()
    with ExitStack() as stack:
        waiting = [stack.enter_context(file) for file in files(host).waiting()]
        file = _chosen(waiting, topology)
        done = put_back(file, lock_timeout) if revert else _keep(file, lock_timeout)
        pending = file.pending
        if not done:
            raise ConflictError(Diagnostic(f"{pending.topology} is {file.outcome} already"))
        return Confirmation(pending.topology, not revert, pending.seconds)


def revert_overdue(host: Host | None = None, *, grace: float = 0.0) -> tuple[Confirmation, ...]:
    """Put back what nobody confirmed in time, where the process that should have done it is gone.

    ``grace`` is how many seconds more that one is given. Raises as ``confirm`` does.
    """
    with ExitStack() as stack:
        waiting = [stack.enter_context(file) for file in files(host or Host()).waiting()]
        return tuple(
            Confirmation(file.pending.topology, False, file.pending.seconds)
            for file in waiting
            if file.pending.left <= -grace and put_back(file)
        )


def put_back(file: PendingFile, lock_timeout: float = LOCK_SECONDS) -> bool:
    """Put all back as it was before the change; False if the change is settled already.

    Raises ConflictError, ApplyError and Interrupted, as ``up`` and ``down`` do: it waits on then.
    """
    pending = file.pending
    store = files(pending.host)
    with locked(store, lock_timeout, None):
        if file.outcome is not None:
            return False
        _go_back(pending, store)
        _settle(file, "reverted")
    return True


def _go_back(pending: PendingCommit, store: Store) -> None:
    """An ordinary ``up`` of the topology before, or ``down``; with the addresses of then."""
    if not pending.text:
        take(empty(pending.topology), pending.host, store)
        _write_leases(pending, store)
        return
    given = store.leases(pending.topology)
    _write_leases(pending, store)
    before = parse(pending.text, file=pending.file or pending.topology)
    try:
        make(before, pending.host, store, replace_file=True, ask_lan=False)
    except VlanlinkError:
        _write_leases(replace(pending, leases=given), store)
        raise


def _write_leases(pending: PendingCommit, store: Store) -> None:
    try:
        store.write_leases(pending.topology, pending.leases)
    except OSError as error:
        message = f"can't write {error.filename or 'leases'}: {error.strerror}"
        raise ConflictError(Diagnostic(message)) from None


def _keep(file: PendingFile, lock_timeout: float) -> bool:
    with locked(files(file.pending.host), lock_timeout, None):
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


def waiting_change(topology: str, store: Store) -> PendingCommit | None:
    """The last change of a topology, if it waits for confirmation."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(file).pending for file in store.waiting()]
    return next((pending for pending in waiting if pending.topology == topology), None)


def refuse_if_waiting(topology: str, store: Store) -> None:
    """Raise ConflictError while the last change of a topology waits for confirmation."""
    pending = waiting_change(topology, store)
    if pending is not None:
        left = f"{max(pending.left, 0):.0f} s are left"
        message = f"the last change of {topology} waits for confirmation, {left}"
        raise ConflictError(Diagnostic(message, hint=pending.way_out))


def make_provisionally(
    topology: Topology,
    host: Host,
    store: Store,
    seconds: float,
    on_progress: Progress | None,
    *,
    replace_file: bool,
) -> tuple[Plan, PendingFile | None]:
    """Bring a topology up, the way back armed before the first change; None: nothing to change.

    Raises as ``changing.make``, and PrivilegeError if the way back can't be armed.
    """
    waiting: list[PendingFile] = []

    @contextmanager
    def guard(look: Observation) -> Iterator[None]:
        checked(look)
        marked = topology.name in marked_topologies(look.observed)
        pending = pending_change(
            topology.name, host, look.records.own, look.leases, marked=marked, seconds=seconds
        )
        with armed(store, pending) as file:
            yield
        waiting.append(file)

    done = make(topology, host, store, on_progress, replace_file=replace_file, guard=guard)
    return done, next(iter(waiting), None)


def await_confirmation(file: PendingFile, done: Plan, decide: Decide | None) -> None:
    """Come back when the change is confirmed, here or elsewhere.

    Raises ApplyError when it was put back, Interrupted when that was decided here, or when an
    interrupt ends the waiting: then it is put back when its time is over, and by another process.
    """
    pending = file.pending
    try:
        while file.outcome is None:
            answer = decide(done, max(pending.left, 0)) if decide else None
            if answer:
                _keep(file, LOCK_SECONDS)
            elif answer is False and put_back(file):
                raise Interrupted(Diagnostic("interrupted; put back as it was"))
            elif pending.left < -GRACE_SECONDS:  # the reverter seems to be gone
                put_back(file, LONGEST_LOCK_SECONDS)
            else:
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        message = f"interrupted; {pending.topology} is put back in {max(pending.left, 0):.0f} s"
        raise Interrupted(Diagnostic(message, hint=f"{pending.way_out} now")) from None
    if file.outcome != "confirmed":
        message = f"{pending.topology} was not confirmed within {pending.seconds:g} s"
        raise ApplyError(Diagnostic(f"{message}; put back as it was"))
