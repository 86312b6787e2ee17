"""Namespaces whose processes block a repair: they are set aside, and the rest is kept up."""

from collections.abc import Iterable

from vlanlink.errors import Diagnostic
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session
from vlanlink.topology import Topology

_ROUNDS = 4
"""Setting one namespace aside may reveal the next obstacle."""


def without_obstacles(
    session: Session, seen: Observation, failed: frozenset[str]
) -> tuple[Observation, tuple[Diagnostic, ...]]:
    """The observation with namespaces set aside, and the problems that are for.

    ``failed``: those in which a repair failed a moment ago. What is not up yet comes up as a whole.
    """
    if seen.records.own is None:
        return seen, ()
    told: list[Diagnostic] = []
    aside = failed
    for _ in range(_ROUNDS):
        if aside != seen.context.aside:
            seen = session.observe(seen.topology, aside=aside)
        problems = seen.problems()
        found = namespaces_at_fault(problems, seen.topology)
        if found <= aside:
            break
        told += problems
        aside |= found
    return seen, tuple(dict.fromkeys(told))


def namespaces_at_fault(problems: Iterable[Diagnostic], topology: Topology) -> frozenset[str]:
    """The namespaces that all the problems are about; none if one is about something else."""
    found = [_namespace(problem, topology) for problem in problems]
    return frozenset(name for name in found if name) if all(found) else frozenset()


def _namespace(problem: Diagnostic, topology: Topology) -> str | None:
    match problem.path:
        case ("namespaces", str(name), *_):
            return name
        case ("links", str(name), "peer", *_):
            peer = topology.links[name].peer if name in topology.links else None
            return peer.namespace if peer else None
    return None
