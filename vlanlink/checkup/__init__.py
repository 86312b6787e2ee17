"""What ``doctor`` finds: facts of a machine judged, with a topology in mind or without. Pure.

The door to the kernel gathers ``Facts``; ``examine`` makes a ``Report`` of them. Its rules are in
``machine`` (what is so whatever shall come), ``parents`` (the links that things stand on) and
``wishes`` (what one topology needs).
"""

from collections.abc import Callable, Iterator

from vlanlink.checkup import machine, parents, wishes
from vlanlink.checkup.facts import Asked, DockerNetwork, Facts, Nic
from vlanlink.checkup.report import Finding, Report

RULES: tuple[Callable[[Facts, Asked | None], Iterator[Finding]], ...] = (
    *wishes.RULES,
    *machine.RULES,
    *parents.RULES,
)

__all__ = ["Asked", "DockerNetwork", "Facts", "Finding", "Nic", "Report", "examine"]


def examine(facts: Facts, asked: Asked | None = None) -> Report:
    """All that the rules say, the worst first."""
    found = [finding for rule in RULES for finding in rule(facts, asked)]
    return Report(asked.topology.name if asked else None, tuple(sorted(found, key=Finding.rank)))
