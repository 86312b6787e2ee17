"""Why a probe differs from its expectation: measured facts → cause. Pure.

A cause is named only where a measured fact shows it. Each cause has a test that provokes it.
"""

from collections.abc import Callable, Iterator

from vlanlink.desired.bridge_vlans import open_command, vlan_bridges
from vlanlink.kernel.packet.echo import FailureReason
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link, LinkName, State, family_of, self_vlan
from vlanlink.reachability.case import Case, Cause, Found
from vlanlink.reachability.expected import GATEWAY
from vlanlink.reachability.paths import Outcome, title
from vlanlink.reachability.policies import filtered, mac_twice, own_router, rule_before_main
from vlanlink.reachability.segments import Block


def explain(case: Case) -> tuple[str | None, tuple[str, ...]]:
    """The cause of a difference with its evidence; without a cause, the nearest facts."""
    rules = _NOT_REACHED if case.pair.expected else _REACHED
    for rule in rules:
        found = rule(case)
        if found:
            return found
    return None, tuple(_nearest(case))


def _nearest(case: Case) -> Iterator[str]:
    answer = case.answer
    if answer is None:
        return
    if answer.why:
        yield f"{title(case.pair.source)}: {answer.why}"
    if answer.detail:
        yield answer.detail
    if answer.reached and answer.neighbour:
        yield f"{case.pair.address} is reached by {answer.neighbour}"


# -- expected, but not reached ---------------------------------------------------------------------


def _missing(case: Case) -> Found | None:
    """A link, namespace or address of the topology is missing or down."""
    pair, state = case.pair, case.evidence.state
    keys = [pair.path.link] if pair.path.link else []
    for space in (pair.source, *(key.namespace for key in pair.path.ingress_links)):
        if not state.namespaces[space].made:
            return Cause.MISSING, (f"there is no namespace {space}",)
    for key in (*keys, *pair.path.ingress_links):
        link = state.link(key)
        if link is None:
            return Cause.MISSING, (f"there is no link {key}",)
        if not link.up:
            return Cause.DOWN, (f"{key} is down",)
    wanted = [(pair.source, pair.path.source)]
    wanted += [(pair.target, pair.address)] if pair.target != GATEWAY else []
    for space, address in wanted:
        if address and not case.evidence.paths.has(space, address):
            return Cause.MISSING, (f"{title(space)} does not have {address}",)
    return None


def _no_carrier(case: Case) -> Found | None:
    ends = [case.link, *(case.evidence.state.link(key) for key in case.pair.path.ingress_links)]
    for link in ends:
        below = link and case.evidence.state.link(link.parent)
        while below:
            if not below.up:
                return Cause.DOWN, (f"{below.key} is down",)
            lower = case.evidence.state.link(below.parent)
            if not below.carrier and (lower is None or lower.carrier):
                return Cause.NO_CARRIER, (f"{below.key} has no carrier",)
            below = lower
    return None


def _bridge_vlan(case: Case) -> Found | None:
    """A VLAN on a VLAN-aware bridge that is not open to the host."""
    link = case.link
    for upper, bridge in vlan_bridges(link, _below(case, link)) if link else ():
        vlan = int(str(upper.settings["id"]))
        if bridge.settings.get(self_vlan(vlan)) is not True:
            return Cause.BRIDGE_VLAN, (
                f"VLAN {vlan} is not open on bridge {bridge.name}",
                f"{open_command(bridge.name, vlan)} opens it",
            )
    return None


def _below(case: Case, link: Link | None) -> Iterator[Link]:
    while link and (link := case.evidence.state.link(link.parent)):
        yield link


_ENDS = {
    Outcome.NO_ROUTE: Cause.NO_ROUTE,
    Outcome.NO_RETURN_PATH: Cause.NO_RETURN_ROUTE,
    Outcome.NOT_FORWARDED: Cause.NOT_FORWARDED,
    Outcome.BLOCKED: Cause.CHANGED,
    Outcome.NOBODY: Cause.CHANGED,
}


def _no_path(case: Case) -> Found | None:
    """The machine's own links, routes and sysctls don't lead there."""
    path = case.path
    if path.outcome in _ENDS:
        return _ENDS[path.outcome], (path.reason,)
    return None


def _gateway_silent(case: Case) -> Found | None:
    """A gateway does not answer: compare with the parent's own ARP request for it."""
    answer, parent, link = case.answer, case.parent, case.link
    if not (answer and parent and link) or case.pair.target != GATEWAY:
        return None
    probe = (parent.key, case.pair.address)
    if probe not in case.evidence.arp_replies:
        return None
    mac = case.evidence.arp_replies[probe]
    nobody = f"nobody answers {link.key} for {case.pair.address}"
    if mac is None:
        return Cause.GATEWAY_SILENT, (f"{nobody}, nor {parent.key} itself",)
    if answer.why is not FailureReason.NO_NEIGHBOUR:
        return None
    answered = f"{mac} answers {parent.key} itself"
    kind = KINDS.get(link.kind)
    if kind and not kind.accepts_source(link.settings, mac):
        return Cause.NOT_LISTED, (nobody, f"{answered}, and {link.key} does not list it")
    if link.settings.get("mac") == parent.settings.get("mac"):
        return None
    return Cause.EXTRA_MACS, (nobody, answered)


def _hairpin_off(case: Case) -> Found | None:
    """Endpoints reach their gateway through the switch, but not each other on the same port."""
    pair, answer = case.pair, case.answer
    if pair.path.block is not Block.SWITCH or not answer:
        return None
    if answer.why is not FailureReason.NO_NEIGHBOUR:
        return None
    ends = [name for name in (pair.source, pair.target) if name != HOST]
    reached = {name: case.evidence.gateways.get(name, frozenset()) for name in ends}
    if not all(reached.values()):
        return None
    fact = " and ".join(f"{name} reaches {min(found)}" for name, found in reached.items())
    return Cause.HAIRPIN_OFF, (fact, answer.detail)


def _rp_filter(case: Case) -> Found | None:
    """Packets that enter by one link and would return by another are dropped (RFC 3704)."""
    path, pair, paths = case.path, case.pair, case.evidence.paths
    if path.outcome is not Outcome.ARRIVES or family_of(pair.address) != 4 or path.source is None:
        return None
    forth = paths.path(pair.source, pair.address).ingress_links
    back = paths.path(pair.target, path.source).ingress_links
    for key, sender in [
        *((key, path.source) for key in forth),
        *((key, pair.address) for key in back),
    ]:
        dropped = case.evidence.dropped.get(key.namespace, 0)
        egress = paths.path(key.namespace, sender).link
        if dropped and egress not in (None, key) and _is_strict(case.evidence.state, key):
            return Cause.RP_FILTER, (
                f"rp_filter is 1 on {key}, and the route back to {sender} is through {egress}",
                f"{title(key.namespace)} dropped {dropped} packets meanwhile",
            )
    return None


def _arp_ignore(case: Case) -> Found | None:
    """A link that should answer ARP for another link's address does not (ip-sysctl.rst)."""
    path, pair, paths = case.path, case.pair, case.evidence.paths
    if path.outcome is not Outcome.ARRIVES or family_of(pair.address) != 4 or path.source is None:
        return None
    for each in (paths.path(pair.source, pair.address), paths.path(pair.target, path.source)):
        link = case.evidence.state.link(each.ingress_links[0]) if each.ingress_links else None
        if link is None or each.next_hop is None:
            continue
        ignore = _effective_arp_ignore(case.evidence.state, link)
        own = {address.bare for address in link.addresses}
        if ignore >= _ANSWERS_NOBODY or (ignore and each.next_hop not in own):
            fact = f"arp_ignore is {ignore} on {link.key}"
            return Cause.ARP_IGNORE, (f"{fact}, so it does not answer for {each.next_hop}",)
    return None


_ANSWERS_NOBODY = 8


def _effective_arp_ignore(state: State, link: Link) -> int:
    values = state.namespaces[link.namespace].sysctls
    both = (values.get("net/ipv4/conf/all/arp_ignore"), link.settings.get("arp_ignore"))
    return max(int(str(value or 0)) for value in both)


def _is_strict(state: State, key: LinkName) -> bool:
    """The higher of the two values applies; 1 is strict (ip-sysctl.rst)."""
    values = state.namespaces[key.namespace].sysctls
    keys = (f"net/ipv4/conf/{name}/rp_filter" for name in ("all", key.name))
    return max(values.get(each, "0") for each in keys) == "1"


# -- reached, but not expected ---------------------------------------------------------------------


def _reflected(case: Case) -> Found | None:
    """The kernel delivers no such frame locally, and the target's own MAC answered."""
    pair, answer = case.pair, case.answer
    if not answer or pair.path.block not in (Block.SWITCH, Block.HIDDEN, Block.APART):
        return None
    if case.path.block is not pair.path.block:
        return None
    links = case.evidence.state.namespaces[pair.target].links.values()
    own = {link.settings.get("mac"): link for link in links}
    if answer.neighbour not in own:
        return None
    fact = f"{answer.neighbour} of {own[answer.neighbour].key} answers {title(pair.source)}"
    return Cause.HAIRPIN_ON, (fact, f"on the machine {pair.reason}")


def _joined_manually(case: Case) -> Found | None:
    path = case.path
    if path.outcome is Outcome.ARRIVES:
        reason = path.reason or "the address is its own"
        return Cause.CHANGED, (f"as the machine is now, {reason}",)
    return None


_Rule = Callable[[Case], Found | None]
_NOT_REACHED: tuple[_Rule, ...] = (
    _missing,
    _no_carrier,
    _bridge_vlan,
    own_router,
    _no_path,
    rule_before_main,
    _rp_filter,
    filtered,
    mac_twice,
    _gateway_silent,
    _hairpin_off,
    _arp_ignore,
)
_REACHED: tuple[_Rule, ...] = (_reflected, _joined_manually)
