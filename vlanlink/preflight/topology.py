"""What one topology needs of the machine, and does not find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vlanlink.desired.conflicts import ancestors
from vlanlink.desired.requirements import too_new
from vlanlink.errors import Diagnostic, Path, Problem
from vlanlink.kernel.facts import MachineFacts
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, family_of
from vlanlink.preflight.report import Finding
from vlanlink.sysctl import FORWARDING
from vlanlink.topology import Topology


@dataclass(frozen=True, slots=True)
class TopologyNeeds:
    """What a topology asks of the machine."""

    topology: Topology
    wanted: Mapping[LinkName, Link]
    """Its links as they shall be."""
    conflicts: tuple[Diagnostic, ...] = ()
    """What `up` would refuse it for."""
    sysctls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What it writes, by namespace and path."""


def refusals(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """What `up` would refuse before it changes anything."""
    del facts
    for conflict in asked.conflicts if asked else ():
        why = "up refuses the topology on this machine"
        yield Finding("refused", "failure", conflict.message, why, conflict.hint, conflict)


def options(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Options that the kernel is too old for, as ``up`` refuses them."""
    for problem in too_new(asked.topology, facts.kernel) if asked else ():
        place = asked.topology.diagnose(problem) if asked else None
        why = "this kernel would ignore the option silently, so up refuses the topology"
        yield Finding("option-too-new", "failure", problem.message, why, problem.hint, place)


def no_ipv6(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """IPv6 addresses on a machine without IPv6."""
    loopback = facts.state.host.links.get(LOOPBACK)
    if not asked or loopback is None or "disable_ipv6" in loopback.settings:
        return
    for link in asked.wanted.values():
        if any(address.family == 6 for address in link.addresses):
            yield Finding(
                "no-ipv6",
                "failure",
                f"{link.key} has IPv6 addresses, and this kernel runs without IPv6",
                "up can't give it those",
                "boot without ipv6.disable=1",
                _place(asked, link.origin),
            )


def routers(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Who holds a network's gateway is its router, and must forward."""
    for space, gateway in _gateways(facts, asked) if asked else ():
        key = FORWARDING[family_of(gateway)]
        value = asked.sysctls.get(space, {}).get(key) if asked else None
        value = value if value is not None else facts.sysctl(space, key)
        if asked and value == "0":
            who = f"namespace {space}" if space != HOST else "the host"
            table = f"namespaces.{space}" if space != HOST else "host"
            yield Finding(
                "no-forwarding",
                "failure",
                f"{who} has the gateway {gateway}, and does not forward "
                f"({key.replace('/', '.')} is 0)",
                "it is the router of that network: beyond it, nobody is reached",
                f'[{table}] sysctls = {{ "{key.replace("/", ".")}" = 1 }}',
                _place(asked, ("namespaces", space)) if space != HOST else None,
            )


def _gateways(facts: MachineFacts, asked: TopologyNeeds) -> Iterator[tuple[str, str]]:
    """The gateways that the topology's own links, or the host's, hold; one a holder and family."""
    gateways = {
        str(subnet.gateway)
        for network in asked.topology.networks.values()
        for subnet in network.subnets or ()
        if subnet.gateway is not None
    }
    found: dict[tuple[str, int], str] = {}
    for link in (*asked.wanted.values(), *facts.state.host.links.values()):
        for address in link.addresses:
            if address.bare in gateways:
                found.setdefault((link.namespace, address.family), address.bare)
    for (space, _), gateway in found.items():
        yield space, gateway


def _place(asked: TopologyNeeds, origin: Path) -> Diagnostic:
    return asked.topology.diagnose(Problem(origin, "", at_key=True))


RULES = (refusals, routers, options, no_ipv6)


def standing_on(
    facts: MachineFacts, asked: TopologyNeeds | None
) -> Iterator[tuple[Link, tuple[Link, ...]]]:
    """The host's links that matter as parents, each with what stands on it, or shall.

    For a topology those are its parents; else every device, and whatever carries something.
    """
    links = tuple(asked.wanted.values()) if asked else tuple(facts.state.links())
    wanted = asked.wanted if asked else {}
    above: dict[LinkName, list[Link]] = {}
    for link in links:
        for below in ancestors(link, wanted, facts.state):
            above.setdefault(below.key, []).append(link)
    for link in facts.state.host.links.values():
        mine = tuple(above.get(link.key, ()))
        device = link.kind == "device" and link.name != LOOPBACK and not asked
        if link.key.namespace == HOST and (mine or device):
            yield link, mine


def has_own_mac(link: Link) -> bool:
    """Whether a link sends under a MAC that is not its parent's."""
    kind = KINDS.get(link.kind)
    return kind is not None and kind.has_parent and kind.mac(link.settings) == "derived"
