"""Failures of a change in the user's terms."""

from collections.abc import Iterator
from contextlib import contextmanager

from vlanlink.errors import (
    ApplyError,
    ConflictError,
    Diagnostic,
    Interrupted,
    PrivilegeError,
    Problem,
)
from vlanlink.kernel.explain import is_lack_of_feature, is_lack_of_privilege
from vlanlink.planning.operations import Refused
from vlanlink.reconcile.apply import Unfinished
from vlanlink.topology import Topology


@contextmanager
def translated(topology: Topology) -> Iterator[None]:
    """Raise what ended a transaction in the user's terms."""
    try:
        yield
    except Unfinished as failure:
        raise _translated(failure, topology) from None


def _translated(failure: Unfinished, topology: Topology) -> BaseException:
    reason, not_undone = failure.reason, failure.not_undone
    if reason is None:
        message = "interrupted" if not_undone else "interrupted; rolled back"
        return Interrupted(Diagnostic(message), not_undone=not_undone)
    if isinstance(reason, tuple):
        found = tuple(topology.diagnose(problem) for problem in reason)
        return ApplyError(*found, not_undone=not_undone) if not_undone else ConflictError(*found)
    if isinstance(reason, str):
        diagnostic = topology.diagnose(Problem(failure.origin, reason))
        return ApplyError(diagnostic, not_undone=not_undone)
    if isinstance(reason, Refused):
        return _refused(reason, topology, not_undone)
    for line in not_undone:
        reason.add_note(f"not rolled back: {line}")
    return reason


def _refused(
    refused: Refused, topology: Topology, not_undone: tuple[str, ...]
) -> ApplyError | PrivilegeError:
    diagnostic = refused.diagnose(
        lambda path, message, hint: topology.diagnose(Problem(path, message, hint))
    )
    if not not_undone and (is_lack_of_feature(refused) or is_lack_of_privilege(refused)):
        return PrivilegeError(diagnostic)
    return ApplyError(diagnostic, not_undone=not_undone)
