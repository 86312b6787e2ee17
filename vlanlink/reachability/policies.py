"""Causes that lie in what others set up: rules, packet filters, MACs and routers. Pure."""

from collections.abc import Iterator

from vlanlink.desired.routes import ANYWHERE
from vlanlink.kernel.netlink.nftables import FilterChain
from vlanlink.kernel.netlink.rules import before_main
from vlanlink.kernel.packet.echo import FailureReason
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link, LinkName, family_of
from vlanlink.reachability.case import Case, Cause, Found
from vlanlink.reachability.expected import GATEWAY
from vlanlink.reachability.paths import title


def own_router(case: Case) -> Found | None:
    """The host's default route leads to its own endpoint, through the parent."""
    pair, state = case.pair, case.evidence.state
    if pair.source != HOST or pair.target == GATEWAY:
        return None
    default = ANYWHERE[family_of(pair.address)]
    routes = (r for r in state.host.routes if r.to == default and r.via == pair.address)
    for route in sorted(routes, key=str):
        if case.path.block:
            return Cause.OWN_ROUTER, (
                f"the host's default route is via {route.via} of {pair.target}, "
                f"through {route.dev}",
                case.path.reason,
            )
    return None


def rule_before_main(case: Case) -> Found | None:
    """A rule sends packets another way than the routes of table main."""
    for space, address, link in _ways(case):
        policy = case.evidence.policies.get(space)
        rules = before_main(policy.rules, family_of(address)) if policy else ()
        if not rules or (space, address) not in case.evidence.routes:
            continue
        hop = case.evidence.routes[space, address]
        seen = case.evidence.state.link(link)
        if hop and (hop.local or (seen and hop.index == seen.index)):
            continue
        where = f"through {_name(case, space, hop.index)}" if hop else "nowhere"
        asked = ", ".join(f'"{rule}"' for rule in rules[:3])
        return Cause.IP_RULE, (
            f"{title(space)} sends what is for {address} {where}, not through {link}",
            f"its ip rule {asked} comes before table main",
        )
    return None


def _ways(case: Case) -> Iterator[tuple[str, str, LinkName]]:
    """Where packets go there and back: namespace, address, and the link of the routes."""
    path, pair = case.path, case.pair
    if path.link:
        yield pair.source, pair.address, path.link
    if pair.target != GATEWAY and path.source:
        back = case.evidence.paths.path(pair.target, path.source)
        if back.link:
            yield pair.target, path.source, back.link


def _name(case: Case, space: str, index: int) -> str:
    links = case.evidence.state.namespaces[space].links.values()
    return next((str(link.key) for link in links if link.index == index), f"link {index}")


def mac_twice(case: Case) -> Found | None:
    """Another NIC of the host has the MAC of the link, or a station on the LAN."""
    link, parent = case.link, case.parent
    if case.pair.target != GATEWAY or not link or not parent:
        return None
    mac = str(link.settings.get("mac"))
    for other in case.evidence.state.host.links.values():
        if _is_nic(other) and other.key != parent.key and other.settings.get("mac") == mac:
            return Cause.MAC_TWICE, (f"{link.key} and {other.key} have the same MAC, {mac}",)
    if (parent.key, mac) in case.evidence.doubles:
        return Cause.MAC_TWICE, (
            f"a station on the LAN of {parent.key} has {mac}, the MAC of {link.key}",
            "a machine with the same machine-id and file derives the same MACs",
        )
    return None


def _is_nic(link: Link) -> bool:
    kind = KINDS.get(link.kind)
    return link.up and link.carrier and not link.master and not (kind and kind.has_parent)


def filtered(case: Case) -> Found | None:
    """A packet filter drops what comes in at an end, or what a router on the path forwards."""
    answer, pair = case.answer, case.pair
    family = family_of(pair.address)
    # ARP passes the filters of IPv4; neighbour discovery is a matter for those of IPv6.
    if not answer or (answer.why is FailureReason.NO_NEIGHBOUR and family == 4):
        return None
    ends = [pair.source, *([pair.target] if pair.target != GATEWAY else [])]
    for space in reversed(ends):
        lost = case.evidence.undelivered.get((space, family), 0)
        chain = _chain(case, space, "input", family)
        if chain and lost > 0:
            return Cause.INPUT_FILTER, (
                f"{title(space)}: {_in_words(chain)}",
                f"{title(space)} did not deliver {lost} packets that came in meanwhile",
            )
    for space in {key.namespace for key in case.path.ingress_links} - set(ends):
        if chain := _chain(case, space, "forward", family):
            return Cause.FORWARD_FILTER, (f"{title(space)}: {_in_words(chain)}",)
    return None


def _chain(case: Case, space: str, hook: str, family: int) -> FilterChain | None:
    policy = case.evidence.policies.get(space)
    chains = [c for c in policy.chains if c.hook == hook and c.concerns(family)] if policy else []
    return next(iter(sorted(chains, key=lambda chain: not chain.policy_drops)), None)


def _in_words(chain: FilterChain) -> str:
    if chain.policy_drops:
        return f"the policy of {chain} is drop"
    return f"rules of {chain} drop packets"
