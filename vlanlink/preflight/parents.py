"""Findings about parents: their state, and how they treat frames of other MACs."""

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import combinations

from vlanlink.kernel.facts import DockerNetwork, MachineFacts
from vlanlink.kinds import KINDS
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU
from vlanlink.model import HOST, Link, LinkName
from vlanlink.preflight.hypervisors import filter_of
from vlanlink.preflight.report import Finding
from vlanlink.preflight.topology import TopologyNeeds, has_own_mac, used_parents
from vlanlink.sysctl import link_setting

MANY_MACS = 32
"""NICs filter 16 to 128 MACs in hardware; switches and clouds often allow fewer on a port."""


def state(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """A parent that is down, or up without a carrier."""
    for parent, users in used_parents(facts, needs):
        if not users or not _exists(parent, needs):
            continue
        if not parent.up:
            yield _down(parent, needs)
        elif not parent.carrier:
            yield Finding(
                "parent-no-carrier",
                "failure" if needs else "warning",
                f"{parent.name} has no carrier",
                f"it passes no traffic: {_some(users)}",
                "connect the cable, or bring up the other end",
            )


def _down(parent: Link, needs: TopologyNeeds | None) -> Finding:
    if needs:
        return Finding(
            "parent-down",
            "note",
            f"{parent.name} is down",
            "up brings it up, down sets it down again; its carrier is unknown until then",
        )
    return Finding(
        "parent-down",
        "warning",
        f"{parent.name} is down",
        "the links on it reach nobody",
        f"ip link set {parent.name} up",
    )


def cannot_carry(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Ports and Wi-Fi clients. For a topology, ``refusals`` reports them."""
    for parent, _ in used_parents(facts, needs) if not needs else ():
        if parent.master:
            yield Finding(
                "parent-is-port",
                "note",
                f"{parent.name} is a port of {parent.master}",
                "so it can't carry macvlan or ipvlan links",
                f'parent = "{parent.master}"',
            )
        if parent.wifi_client:
            yield Finding(
                "parent-wifi",
                "note",
                f"{parent.name} is a Wi-Fi client",
                "the access point drops frames of other MACs, so it can't carry macvlan",
                'kind = "ipvlan", mode = "l2"',
            )


def foreign_macs(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Virtual NICs that may drop frames of other MACs."""
    for parent, users in used_parents(facts, needs):
        nic = facts.nic(parent)
        affected = [link for link in users if has_own_mac(link)]
        known = filter_of(nic.driver, facts.vendor, virtual_function=nic.virtual_function)
        if known and (affected or not needs):
            yield Finding(
                "foreign-macs",
                "warning" if affected else "note",
                f"{parent.name} is a {known.name} ({nic.driver})",
                f"it may drop frames of MACs other than its own: nobody could reach macvlan links"
                f"{_named(affected)}; ipvlan is not affected",
                known.command,
            )


def mac_count(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """More MACs than a NIC can filter, or a switch allows."""
    for parent, users in used_parents(facts, needs):
        seen = facts.state.links() if needs else ()
        there = [link for link in seen if link.parent == parent.key]
        names = {link.key for link in (*users, *there) if has_own_mac(link)}
        if facts.nic(parent).driver and len(names) > MANY_MACS:
            yield Finding(
                "many-macs",
                "note",
                f"{parent.name} carries {len(names)} MACs in addition to its own",
                "a NIC that can't filter so many receives every frame (more load), a virtual one "
                "may drop the rest; switches limit the MACs of a port",
                'kind = "ipvlan" uses one MAC for all of them',
            )


def promiscuity(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Set promiscuous manually, as old guides advise."""
    for parent, _ in used_parents(facts, needs):
        if facts.nic(parent).promiscuous:
            yield Finding(
                "promiscuous",
                "note",
                f"{parent.name} is set promiscuous",
                "neither macvlan nor ipvlan needs it, and every frame on the wire costs CPU time",
                f"ip link set {parent.name} promisc off",
            )


def mtu(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """An MTU too small for IPv6."""
    for parent, users in used_parents(facts, needs):
        size = parent.settings.get("mtu")
        if not isinstance(size, int) or size >= IPV6_MINIMUM_MTU:
            continue
        six = [link for link in users if any(a.family == 6 for a in link.addresses)]
        yield Finding(
            "mtu-small",
            "failure" if needs and six else "note",
            f"{parent.name} has an MTU of {size}",
            f"IPv6 needs {IPV6_MINIMUM_MTU} (RFC 8200): it has none{_named(six)}",
            f"ip link set {parent.name} mtu 1500",
        )


def docker(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Docker's networks on the same parents."""
    for parent, users in used_parents(facts, needs):
        for network in facts.docker:
            if network.parent == parent.name:
                yield _docker_network(network, parent, users)


def _docker_network(network: DockerNetwork, parent: Link, users: Iterable[Link]) -> Finding:
    who = f"Docker's network {network.name} is {network.kind} on {parent.name}"
    for link in users:
        why = _conflict(network, link) if link.parent == parent.key else None
        if why:
            remove = f"docker network rm {network.name} (or use another parent)"
            return Finding("docker-network", "warning", who, why, remove)
    why = "Docker and vlanlink don't know each other's addresses: give each its own range"
    return Finding("docker-network", "note", who, why, "ip_range = …, in both")


def _conflict(network: DockerNetwork, link: Link) -> str | None:
    mine, theirs = KINDS.get(link.kind), KINDS.get(network.kind)
    if not mine or not theirs or not mine.rx_handler:
        return None
    fails = f"{link.kind} {link.key} fails while a container of it runs"
    if mine.rx_handler != theirs.rx_handler:
        return f"a parent carries either macvlan or ipvlan links: {fails}"
    if mine.exclusive(link.settings) or theirs.exclusive(network.options):
        return f"one of the two must be the only link on its parent: {fails}"
    for option in mine.options:
        have, want = theirs.get(network.options, option.key), mine.get(link.settings, option.key)
        if option.per_parent and have != want:
            return f"{option.key} applies to the whole parent: {want} and {have} change each other"
    return None


def one_subnet_twice(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Two NICs of the host in one subnet: ARP replies and packets take the wrong one."""
    del needs
    host = facts.state.host.links.values()
    by_subnet: dict[str, list[str]] = {}
    for link in host:
        for address in link.addresses if link.up and link.owner is None else ():
            net = ipaddress.ip_interface(address.text).network
            if net.version == 4 and net.prefixlen < 32:
                by_subnet.setdefault(str(net), []).append(link.name)
    for subnet, found in by_subnet.items():
        for one, other in combinations(dict.fromkeys(found), 2):
            yield from _same_subnet(facts, subnet, one, other)


def _same_subnet(facts: MachineFacts, subnet: str, one: str, other: str) -> Iterator[Finding]:
    both = f"{one} and {other} are both in {subnet}"
    if any(_effective(facts, "rp_filter", name) == 1 for name in (one, other)):
        yield Finding(
            "rp-filter",
            "warning",
            f"{both}, and rp_filter is 1",
            "the kernel drops packets that enter by the NIC that the answer would not leave by",
            f"sysctl -w {' '.join(link_setting(name, 'rp_filter', 2) for name in (one, other))}",
        )
    answers = [n for n in (one, other) if not _effective(facts, "arp_ignore", n)]
    if answers and not any(_effective(facts, "arp_filter", n) for n in (one, other)):
        yield Finding(
            "arp-flux",
            "warning",
            f"{both}, and arp_ignore is 0 on {' and '.join(answers)}",
            "each answers ARP for the other's addresses: the LAN learns the wrong MAC",
            # Of each NIC, not of all links: the shim has to answer for its parent's address.
            f"sysctl -w {' '.join(_own_addresses_only(name) for name in (one, other))}",
        )


def _own_addresses_only(name: str) -> str:
    return f"{link_setting(name, 'arp_ignore', 1)} {link_setting(name, 'arp_announce', 2)}"


def arp_silence(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """A parent on which the host answers no ARP."""
    for parent, _ in used_parents(facts, needs):
        if parent.addresses and (_effective(facts, "arp_ignore", parent.name) or 0) >= 8:
            yield Finding(
                "arp-ignore",
                "warning",
                f"arp_ignore on {parent.name} is 8",
                "the host answers no ARP there: the LAN and the endpoints can't reach it",
                f"sysctl -w {' '.join(_answering_again(facts, parent.name))}",
            )


def _answering_again(facts: MachineFacts, parent: str) -> Iterator[str]:
    for name in ("all", parent):
        if int(facts.sysctl(HOST, f"net/ipv4/conf/{name}/arp_ignore") or 0) >= 8:
            yield link_setting(name, "arp_ignore", 0)


def _effective(facts: MachineFacts, key: str, name: str) -> int | None:
    """The higher of the link's own value and that of ``all`` (ip-sysctl.rst); None if unknown."""
    names = (f"net/ipv4/conf/{where}/{key}" for where in ("all", name))
    values = [facts.sysctl(HOST, key) for key in names]
    numbers = [int(value) for value in values if value is not None]
    return max(numbers) if numbers else None


def _exists(parent: Link, needs: TopologyNeeds | None) -> bool:
    """False for a link that the topology brings up itself."""
    return not needs or LinkName(HOST, parent.name) not in needs.wanted or parent.owner is None


def _some(links: Iterable[Link]) -> str:
    names = [str(link.key) for link in links]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _named(links: Iterable[Link]) -> str:
    text = _some(links)
    return f" ({text})" if text else ""


RULES = (
    cannot_carry,
    state,
    foreign_macs,
    docker,
    mtu,
    one_subnet_twice,
    arp_silence,
    mac_count,
    promiscuity,
)
