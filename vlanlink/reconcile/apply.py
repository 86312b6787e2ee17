"""Carry out a plan, verify the result, undo on failure.

Verified means read back and equal: the plan from what is there to what was wanted is empty. The
host and what the operations can touch are read back; the rest was read under the same lock. Undo is
the same way with other ends: a fresh snapshot, and the plan from there to the one before.
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.parent_names import used_by_host
from vlanlink.errors import Path, Problem
from vlanlink.kernel.worker import Worker
from vlanlink.model import HOST, LinkName, State
from vlanlink.planning.operations import Operation, Refused, SetLink, errno_name, touched
from vlanlink.planning.plan import Plan, plan, undo_target

ROUNDS = 3
"""How often what a change took along (a route with its address) is put back before it counts as
a failure."""
SETTLE_SECONDS = 10.0
"""How long addresses may stay tentative."""
_POLL_SECONDS = 0.01

Progress = Callable[[int, int, str], object]
"""Called with operations done, operations in all, and what is being done. False cancels.

The text is empty in the last call of a change: it is complete, and only an exception undoes it."""


Restore = Callable[[tuple[str, ...]], tuple[str, ...]]
"""Restores files, given what undo could not; returns all that is not as before."""


class Kernel(Protocol):
    """What a transaction needs of the kernel."""

    def snapshot(self, touched: frozenset[str] | None = None) -> State:
        """What is there now; of other namespaces than those ``touched``, what was there before."""

    def run(
        self,
        operations: Sequence[Operation],
        progress: Callable[[int], None],
        *,
        stoppable: bool = True,
    ) -> None:
        """Carry out operations in order, none more once interrupted if it is ``stoppable``.

        Raises Refused at the first that the kernel refuses.
        """

    def interrupt(self) -> None:
        """Stop at the next batch."""

    def interrupted(self) -> bool:
        """Whether the user asked to stop."""


@dataclass(eq=False)  # not frozen: Python writes the traceback into it
class Unfinished(Exception):  # noqa: N818 - translated by the verbs
    """A transaction did not finish: why, and what undo could not put back."""

    reason: BaseException | str | tuple[Problem, ...] | None
    """What went wrong; None for an interrupt, an exception for what a callback raised."""
    origin: Path = ()
    not_undone: tuple[str, ...] = ()


class Transaction:
    """A change of the machine in one step or several: all of it, or nothing.

    As a context manager it undoes its steps when anything is raised inside, and raises Unfinished.
    Enter it twice: Ctrl-C at the very start of the inner exit is then raised inside the outer one.
    """

    def __init__(self, topology: str, before: State, kernel: Kernel, restore: Restore) -> None:
        """Start from ``before``; any failure rolls back to it."""
        self._done = Plan(topology)
        self._before = before
        self._kernel = kernel
        self._restore = restore
        self._is_undone = False

    def step(self, todo: Plan, desired: State, progress: Progress | None = None) -> State:
        """Apply ``todo``, which leads to ``desired``; what is there then. Raises Unfinished."""
        self._done = replace(self._done, operations=self._done.operations + todo.operations)
        return _carry_out(todo, desired, self._kernel, progress)

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        """Undo all steps after an error. Raises Unfinished, with what could not be undone."""
        if error is None or self._is_undone:
            return
        left = self._undo()
        if isinstance(error, Unfinished):
            raise Unfinished(error.reason, error.origin, left) from None
        raise Unfinished(
            None if isinstance(error, KeyboardInterrupt) else error, (), left
        ) from None

    def _undo(self) -> tuple[str, ...]:
        """Undo. Ctrl-C doesn't cut it short: Python raises that in the main thread only."""
        thread = None
        while True:
            try:
                thread = thread or Worker("vlanlink-undo")
                left = thread.submit(self._undo_once).result()
                thread.end()
            except KeyboardInterrupt:
                continue
            return left

    def _undo_once(self) -> tuple[str, ...]:
        left = undo(self._done, self._before, self._kernel)
        left = self._restore(left)
        self._is_undone = True
        return left


def _carry_out(todo: Plan, desired: State, kernel: Kernel, progress: Progress | None) -> State:
    rest, run = todo, todo.operations
    for _ in range(ROUNDS):
        _run(rest, kernel, progress)
        _report_reading(len(rest.operations), progress)
        rest, seen = _settled(desired, todo.topology, kernel, touched(run))
        run += rest.operations
        if not rest.operations:
            return seen
    first = rest.operations[0]
    raise Unfinished(first.unmet(), first.origin)


def _report_reading(total: int, progress: Progress | None) -> None:
    """Report that all operations are done and the result is read back. Raises Unfinished."""
    if progress and progress(total, total, "read back and compare") is False:
        raise Unfinished(None)


def _run(todo: Plan, kernel: Kernel, progress: Progress | None) -> None:
    total = len(todo.operations)

    def report(done: int) -> None:
        if not progress or not total:
            return
        what = todo.operations[min(done, total - 1)].describe()
        try:
            cancelled = progress(done, total, what) is False
        except OSError as error:  # the callback's, not the kernel's
            raise Unfinished(error) from None
        if cancelled:
            kernel.interrupt()

    try:
        kernel.run(todo.operations, report)
    except Refused as refused:
        raise Unfinished(refused) from None
    except OSError as error:
        raise Unfinished(f"the kernel could not be asked: {error}") from None
    if kernel.interrupted():
        raise Unfinished(None)


def _settled(
    desired: State, topology: str, kernel: Kernel, changed: frozenset[str] | None
) -> tuple[Plan, State]:
    """What is still to do, once no address of ours is tentative; and what is there then.

    Namespaces that were not ``changed`` were read under the same lock: not again.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            seen = kernel.snapshot(changed)
        except OSError as error:
            raise Unfinished(f"what was done can't be read back: {error}") from None
        rest = plan(seen, desired, topology)
        waiting = rest.operations == () and _tentative(seen, topology)
        if not waiting or kernel.interrupted():
            return rest, seen
        if time.monotonic() > deadline:
            raise Unfinished(f"address {waiting} stays tentative (duplicate address detection)")
        time.sleep(_POLL_SECONDS)


def _tentative(state: State, topology: str) -> str | None:
    for link in state.links():
        if link.owner == topology and link.up:
            for address in link.addresses:
                if address.tentative:
                    return f"{address.text} of {link.key}"
    return None


def undo(done: Plan, before: State, kernel: Kernel) -> tuple[str, ...]:
    """Lead back to ``before`` from wherever ``done`` got to; what could not be put back.

    An operation that fails does not stop the rest: each round runs what is still to do, without
    those that failed.
    """
    try:
        return _lead_back(before, done, kernel)
    except OSError as error:
        return (f"undo stopped, for the kernel could not be asked: {error}",)


def _lead_back(before: State, done: Plan, kernel: Kernel) -> tuple[str, ...]:
    target = undo_target(before, done)
    failed: dict[str, str] = {}
    for _ in range(ROUNDS + 2):
        seen = kernel.snapshot()
        rest = plan(seen, target, done.topology).operations
        failed |= {op.describe(): why for op in rest if (why := _why_spared(op, before, seen))}
        todo = [op for op in rest if op.describe() not in failed]
        if not todo:
            break
        _run_past_failures(todo, kernel, failed)
    rest = plan(kernel.snapshot(), target, done.topology).operations
    return tuple(f"{op.describe()}: {failed.get(op.describe(), 'not done')}" for op in rest)


def _why_spared(operation: Operation, before: State, seen: State) -> str | None:
    """Why a parent stays up: the host has begun to use it since ``up`` set it up."""
    if not isinstance(operation, SetLink) or operation.new.get("up") is not False:
        return None
    key = LinkName(operation.namespace, operation.name)
    earlier = _users(before, key)
    users = [user for user in _users(seen, key) if user not in earlier]
    return f"it is in use ({', '.join(users)})" if users else None


def _users(state: State, key: LinkName) -> list[str]:
    link, host = state.link(key), state.namespaces[HOST]
    if link is None or link.owner is not None or key.namespace != HOST:
        return []
    return used_by_host(link, (route for route in host.routes if not route.ours))


def _run_past_failures(todo: list[Operation], kernel: Kernel, failed: dict[str, str]) -> None:
    while todo:
        try:
            kernel.run(todo, lambda _: None, stoppable=False)
        except Refused as refused:
            failed[refused.operation.describe()] = refused.text or errno_name(refused.errno)
            todo = todo[todo.index(refused.operation) + 1 :]
        else:
            return
