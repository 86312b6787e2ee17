"""Drift in a user's words: the causes behind a plan, without their consequences. Pure.

A missing namespace is one drift, although the plan that repairs it also creates the namespace's
links, addresses and routes.
"""

from collections.abc import Iterable

from vlanlink.planning.change import Causes, Drift
from vlanlink.planning.operations import Operation


def drifts(operations: Iterable[Operation]) -> tuple[Drift, ...]:
    """The differences that ``operations`` repair, without mere consequences of others."""
    every, causes = tuple(operations), Causes()
    for op in every:
        op.note(causes)
    found = dict.fromkeys(drift for op in every for drift in op.drifts(causes))
    return tuple(found) or tuple(Drift(op.describe(), "is pending") for op in every)
