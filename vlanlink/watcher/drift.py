"""What has drifted: the causes in a plan, without what follows from them. Pure.

A namespace that is gone is one thing, though the plan that repairs it also makes its links,
addresses and routes.
"""

from collections.abc import Iterable

from vlanlink.planning.change import Causes, Drift
from vlanlink.planning.operations import Operation


def drifts(operations: Iterable[Operation]) -> tuple[Drift, ...]:
    """The things that operations put right, without those that only follow from others."""
    every, causes = tuple(operations), Causes()
    for op in every:
        op.note(causes)
    found = tuple(drift for op in every for drift in op.drifts(causes))
    return found or tuple(Drift(op.describe(), "is to be done") for op in every)
