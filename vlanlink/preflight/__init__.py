"""What ``doctor`` finds: facts of a machine judged, with a topology in mind or without. Pure.

The door to the kernel gathers ``Facts``; ``analyse`` makes a ``Report`` of them. Its rules are in
``machine`` (what is so whatever shall come), ``parents`` (the links that things stand on) and
``topology`` (what one topology needs).
"""

from collections.abc import Callable, Iterator

from vlanlink.kernel.facts import MachineFacts
from vlanlink.preflight import machine, parents, topology
from vlanlink.preflight.report import Finding, Report
from vlanlink.preflight.topology import TopologyNeeds

RULES: tuple[Callable[[MachineFacts, TopologyNeeds | None], Iterator[Finding]], ...] = (
    *topology.RULES,
    *machine.RULES,
    *parents.RULES,
)


def analyse(facts: MachineFacts, asked: TopologyNeeds | None = None) -> Report:
    """All that the rules say, the worst first."""
    found = [finding for rule in RULES for finding in rule(facts, asked)]
    return Report(asked.topology.name if asked else None, tuple(sorted(found, key=Finding.rank)))
