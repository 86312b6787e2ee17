"""What a topology needs and this machine lacks."""

import json
import re
from collections.abc import Iterator, Mapping

from vlanlink.dataclass import dataclass, field
from vlanlink.desired.conflicts import ancestors
from vlanlink.desired.duplicates import LanAnswers
from vlanlink.desired.requirements import too_new
from vlanlink.errors import Diagnostic, Path, Problem
from vlanlink.kernel.facts import MachineFacts
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, family_of
from vlanlink.preflight.report import Finding
from vlanlink.sysctl import FORWARDING, dotted, proc_path
from vlanlink.topology import Topology


@dataclass(frozen=True, slots=True)
class TopologyNeeds:
    """What a topology asks of the machine."""

    topology: Topology
    wanted: Mapping[LinkName, Link]
    """Its desired links."""
    conflicts: tuple[Diagnostic, ...] = ()
    """Why `up` would refuse it."""
    warnings: tuple[Diagnostic, ...] = ()
    """What `up` would warn of."""
    sysctls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The sysctls that it writes, by namespace and path."""
    lan: LanAnswers | None = None
    """What the LAN said, if it was asked."""


def refusals(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """What `up` would refuse before changing anything."""
    del facts
    for conflict in needs.conflicts if needs else ():
        why = "up refuses the topology on this machine"
        yield Finding("refused", "failure", conflict.message, why, conflict.hint, conflict)


def warnings(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """What `up` would warn of."""
    del facts
    for warning in needs.warnings if needs else ():
        why = "up warns of it, and goes on"
        yield Finding("warned", "warning", warning.message, why, warning.hint, warning)


def options(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Options that the kernel is too old for, as ``up`` refuses them."""
    for problem in too_new(needs.topology, facts.kernel) if needs else ():
        place = needs.topology.diagnose(problem) if needs else None
        why = "this kernel would ignore the option silently, so up refuses the topology"
        yield Finding("option-too-new", "failure", problem.message, why, problem.hint, place)


def no_ipv6(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """IPv6 addresses on a machine without IPv6."""
    loopback = facts.state.host.links.get(LOOPBACK)
    if not needs or loopback is None or "disable_ipv6" in loopback.settings:
        return
    for link in needs.wanted.values():
        if any(address.family == 6 for address in link.addresses):
            yield Finding(
                "no-ipv6",
                "failure",
                f"{link.key} has IPv6 addresses; this kernel runs without IPv6",
                "up can't assign them",
                "boot without ipv6.disable=1",
                _place(needs, link.origin),
            )


def routers(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """A namespace with a network's gateway address is its router, and must forward."""
    for space, gateway in _gateways(facts, needs) if needs else ():
        key = FORWARDING[family_of(gateway)]
        value = needs.sysctls.get(space, {}).get(key) if needs else None
        value = value if value is not None else facts.sysctl(space, key)
        if needs and value == "0":
            who = f"namespace {space}" if space != HOST else "the host"
            yield Finding(
                "no-forwarding",
                "failure",
                f"{who} has the gateway {gateway} but does not forward "
                f"({key.replace('/', '.')} is 0)",
                "it is that network's router: endpoints reach nobody beyond it",
                sysctl_table(needs.topology, space, key, 1),
                is_table=True,
                place=_place(needs, ("namespaces", space)) if space != HOST else None,
            )


def sysctl_table(topology: Topology, space: str, key: str, value: int) -> str:
    """The file's table of sysctls with one more, to append or to put in its place."""
    entry = topology.host if space == HOST else topology.namespaces.get(space)
    others = {k: v for k, v in (entry.sysctls if entry else {}).items() if proc_path(k) != key}
    name = space if re.fullmatch("[A-Za-z0-9_-]+", space) else json.dumps(space)
    table = "host.sysctls" if space == HOST else f"namespaces.{name}.sysctls"
    rows = [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in others.items()]
    return "\n".join([f"[{table}]", *rows, f'"{dotted(key)}" = {value}'])


def _gateways(facts: MachineFacts, needs: TopologyNeeds) -> Iterator[tuple[str, str]]:
    """The gateways on links of the topology or the host; one for each holder and family."""
    gateways = {
        str(subnet.gateway)
        for network in needs.topology.networks.values()
        for subnet in network.subnets or ()
        if subnet.gateway is not None
    }
    found: dict[tuple[str, int], str] = {}
    for link in (*needs.wanted.values(), *facts.state.host.links.values()):
        for address in link.addresses:
            if address.bare in gateways:
                found.setdefault((link.namespace, address.family), address.bare)
    for (space, _), gateway in found.items():
        yield space, gateway


def _place(needs: TopologyNeeds, origin: Path) -> Diagnostic:
    return needs.topology.diagnose(Problem(origin, "", at_key=True))


RULES = (refusals, warnings, routers, options, no_ipv6)


def used_parents(
    facts: MachineFacts, needs: TopologyNeeds | None
) -> Iterator[tuple[Link, tuple[Link, ...]]]:
    """The host's parents, each with the links on it, present or desired.

    For a topology, its own parents; else every device, and every link that carries others.
    """
    links = tuple(needs.wanted.values()) if needs else tuple(facts.state.links())
    wanted = needs.wanted if needs else {}
    users: dict[LinkName, list[Link]] = {}
    for link in links:
        for below in ancestors(link, wanted, facts.state):
            users.setdefault(below.key, []).append(link)
    for link in facts.state.host.links.values():
        mine = tuple(users.get(link.key, ()))
        device = link.kind == "device" and link.name != LOOPBACK and not needs
        if link.key.namespace == HOST and (mine or device):
            yield link, mine


def has_own_mac(link: Link) -> bool:
    """Whether a link has a MAC of its own."""
    kind = KINDS.get(link.kind)
    return kind is not None and kind.has_parent and kind.mac(link.settings) == "derived"
