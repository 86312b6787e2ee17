"""Findings about who else is on the parents' LAN: a NIC's double, a router that is an endpoint."""

from collections.abc import Iterator

from vlanlink.desired.routes import ANYWHERE
from vlanlink.kernel.facts import MachineFacts
from vlanlink.kinds import KINDS
from vlanlink.model import Link, Route
from vlanlink.preflight.report import Finding
from vlanlink.preflight.topology import TopologyNeeds, used_parents


def mac_twice(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Two NICs of one host with one MAC, as cloned machines have them."""
    parents = [p for p, _ in used_parents(facts, needs) if _is_nic(p)]
    others = [link for link in facts.state.host.links.values() if _is_nic(link)]
    pairs = {frozenset((p.name, o.name)) for p in parents for o in others if _alike(p, o)}
    for one, two in sorted(tuple(sorted(pair)) for pair in pairs):
        mac = facts.state.host.links[one].settings.get("mac")
        yield Finding(
            "mac-twice",
            "warning",
            f"{one} and {two} have the same MAC, {mac}",
            "on one LAN switches and neighbours mix them up: endpoints are reached now and then",
            f"ip link set {two} address 02:…, or set it where {two} is defined",
        )


def _is_nic(link: Link) -> bool:
    return link.kind not in KINDS and link.master is None and link.kind != "loopback"


def _alike(one: Link, other: Link) -> bool:
    mac = one.settings.get("mac")
    return one.key != other.key and bool(mac) and mac == other.settings.get("mac")


def own_router(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """The host's default route leads to its own endpoint, which its parent can't reach."""
    for parent, users in used_parents(facts, needs):
        for route in sorted(facts.state.host.routes, key=str):
            endpoint = _router(route, parent, users)
            if endpoint:
                yield Finding(
                    "own-router",
                    "warning",
                    f"the host's router {route.via} is its own endpoint {endpoint.key}",
                    f"the host can't reach it through {parent.name}: a parent and the links on it "
                    "don't hear each other",
                    'shim = { name = "shim0" } on the network, up, then '
                    f"ip route replace default via {route.via} dev shim0 onlink"
                    f"{_source(parent, route)}",
                )


def _router(route: Route, parent: Link, users: tuple[Link, ...]) -> Link | None:
    if route.to != ANYWHERE[route.family] or route.dev != parent.name or route.via is None:
        return None
    on_parent = (link for link in users if link.parent == parent.key and link.namespace)
    return next((u for u in on_parent if route.via in {a.bare for a in u.addresses}), None)


def _source(parent: Link, route: Route) -> str:
    """The host's own address as the source: the shim has one that no router knows."""
    own = (a.bare for a in parent.addresses if a.family == route.family and not a.link_local)
    return next((f" src {address}" for address in own), "")


def lan_hosts(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Hosts that have addresses which `up` would choose; one that the file has is refused."""
    del facts
    if not needs or not needs.lan:
        return
    written = {a.bare for link in needs.wanted.values() for a in link.addresses}
    by_parent: dict[str, list[str]] = {}
    for (parent, address), mac in needs.lan.hosts.items():
        if address not in written:
            by_parent.setdefault(parent, []).append(f"{address} ({mac})")
    for parent, found in by_parent.items():
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        yield Finding(
            "lan-hosts",
            "note",
            f"hosts on the LAN of {parent} have {', '.join(found[:3])}{more}",
            "up passes over these addresses; a range that nobody else uses keeps the two apart",
            'ip_range = "…" in the subnet, outside what the LAN\'s DHCP server leases',
        )


def silent_gateways(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Gateways that nobody on the LAN has."""
    del facts
    for parent, gateway in needs.lan.silent if needs and needs.lan else ():
        yield Finding(
            "gateway-silent",
            "warning",
            f"nobody on the LAN of {parent} answers for the gateway {gateway}",
            "endpoints reach nothing beyond their subnet",
            "check gateway, parent and its VLAN id, and that the router is on",
        )


def unasked(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Parents from which nobody could be asked."""
    del facts
    for parent in needs.lan.unasked if needs and needs.lan else ():
        yield Finding(
            "lan-unasked",
            "note",
            f"the LAN of {parent} was not asked: that link is missing or has no carrier",
            "up creates what is missing, and asks then",
        )


def macs_on_the_lan(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Stations that have a MAC which a link is to have: clones of this machine."""
    del facts
    for parent, link, mac in needs.lan.doubles if needs and needs.lan else ():
        yield Finding(
            "mac-on-lan",
            "warning",
            f"a station on the LAN of {parent} has {mac}, which {link} is to have",
            "switches mix the two up; a machine with the same machine-id and file derives the same "
            "MACs",
            "on the clone: rm -f /etc/machine-id && systemd-machine-id-setup; or write another mac",
        )


RULES = (mac_twice, own_router, lan_hosts, silent_gateways, unasked, macs_on_the_lan)
