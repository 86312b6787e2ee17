"""Preflight checks of ``doctor``, for one topology or the machine in general. Pure.

The kernel interface gathers ``MachineFacts``; ``analyse`` makes a ``Report`` of them. The rules are
in ``machine`` (kernel, privilege, other managers), ``parents`` (the links below), ``neighbours``
(the LAN), ``policies`` (what else decides about packets) and ``topology`` (the needs of one
topology).
"""

from collections.abc import Callable, Iterator

from vlanlink.kernel.facts import MachineFacts
from vlanlink.preflight import machine, neighbours, parents, policies, topology
from vlanlink.preflight.report import Finding, Report
from vlanlink.preflight.topology import TopologyNeeds

RULES: tuple[Callable[[MachineFacts, TopologyNeeds | None], Iterator[Finding]], ...] = (
    *topology.RULES,
    *machine.RULES,
    *parents.RULES,
    *neighbours.RULES,
    *policies.RULES,
)


def analyse(facts: MachineFacts, needs: TopologyNeeds | None = None) -> Report:
    """Apply all rules; the worst findings come first."""
    found = [finding for rule in RULES for finding in rule(facts, needs)]
    return Report(needs.topology.name if needs else None, tuple(sorted(found, key=Finding.rank)))
