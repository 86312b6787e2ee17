"""The links that others stand on: their state, and what they do with frames of other MACs."""

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import combinations

from vlanlink.kernel.facts import DockerNetwork, MachineFacts
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link, LinkName
from vlanlink.preflight.hypervisors import filter_of
from vlanlink.preflight.report import Finding
from vlanlink.preflight.topology import TopologyNeeds, has_own_mac, standing_on

MANY_MACS = 32
"""NICs filter 16 to 128 MACs in hardware; switches and clouds often allow fewer on a port."""
IPV6_MINIMUM_MTU = 1280


def state(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Down, or up without a carrier."""
    for parent, above in standing_on(facts, asked):
        if not above or not _is_there(parent, asked):
            continue
        if not parent.up:
            yield _down(parent, asked)
        elif not parent.carrier:
            yield Finding(
                "parent-no-carrier",
                "failure" if asked else "warning",
                f"{parent.name} has no carrier",
                f"nothing gets through it: {_some(above)}",
                "plug it in, or set the other end up",
            )


def _down(parent: Link, asked: TopologyNeeds | None) -> Finding:
    if asked:
        return Finding(
            "parent-down",
            "note",
            f"{parent.name} is down",
            "up sets it up, down sets it down again; whether it has a carrier is unknown till then",
        )
    return Finding(
        "parent-down",
        "warning",
        f"{parent.name} is down",
        "what stands on it reaches nobody",
        f"ip link set {parent.name} up",
    )


def cannot_carry(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Ports and Wi-Fi. For a topology, what `up` refuses says it."""
    for parent, _ in standing_on(facts, asked) if not asked else ():
        if parent.master:
            yield Finding(
                "parent-is-port",
                "note",
                f"{parent.name} is a port of {parent.master}",
                "it can't carry macvlan or ipvlan besides",
                f'parent = "{parent.master}"',
            )
        if parent.station:
            yield Finding(
                "parent-wifi",
                "note",
                f"{parent.name} is a Wi-Fi station",
                "the access point drops frames of other MACs, so it can't carry macvlan",
                'kind = "ipvlan", mode = "l2"',
            )


def foreign_macs(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Virtual NICs that may drop the frames of MACs that are not theirs."""
    for parent, above in standing_on(facts, asked):
        nic = facts.nic(parent)
        concerned = [link for link in above if has_own_mac(link)]
        known = filter_of(nic.driver, facts.vendor, virtual_function=nic.virtual_function)
        if known and (concerned or not asked):
            yield Finding(
                "foreign-macs",
                "warning" if concerned else "note",
                f"{parent.name} is a {known.name} ({nic.driver})",
                f"it may drop frames of MACs other than its own: macvlan{_named(concerned)} is "
                "then reached by nobody; ipvlan is not concerned",
                known.command,
            )


def mac_count(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """More MACs than a NIC filters, or a switch allows."""
    for parent, above in standing_on(facts, asked):
        seen = facts.state.links() if asked else ()
        there = [link for link in seen if link.parent == parent.key]
        names = {link.key for link in (*above, *there) if has_own_mac(link)}
        if facts.nic(parent).driver and len(names) > MANY_MACS:
            yield Finding(
                "many-macs",
                "note",
                f"{parent.name} carries {len(names)} MACs besides its own",
                "a NIC that can't filter so many takes in everything (more load), a virtual one "
                "may drop the rest; switches limit the MACs of a port",
                'kind = "ipvlan" has one MAC for all of them',
            )


def promiscuity(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Promiscuous by hand, as old guides have it."""
    for parent, _ in standing_on(facts, asked):
        if facts.nic(parent).promiscuous:
            yield Finding(
                "promiscuous",
                "note",
                f"{parent.name} is set promiscuous",
                "neither macvlan nor ipvlan needs it: each frame on the wire costs time",
                f"ip link set {parent.name} promisc off",
            )


def mtu(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Too small for IPv6."""
    for parent, above in standing_on(facts, asked):
        size = parent.settings.get("mtu")
        if not isinstance(size, int) or size >= IPV6_MINIMUM_MTU:
            continue
        six = [link for link in above if any(a.family == 6 for a in link.addresses)]
        yield Finding(
            "mtu-small",
            "failure" if asked and six else "note",
            f"{parent.name} has an MTU of {size}",
            f"IPv6 takes {IPV6_MINIMUM_MTU} (RFC 8200): there is none on it{_named(six)}",
            f"ip link set {parent.name} mtu 1500",
        )


def docker(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Docker's networks on the same parents."""
    for parent, above in standing_on(facts, asked):
        for network in facts.docker:
            if network.parent == parent.name:
                yield _beside_docker(network, parent, above)


def _beside_docker(network: DockerNetwork, parent: Link, above: Iterable[Link]) -> Finding:
    who = f"Docker's network {network.name} is {network.kind} on {parent.name}"
    for link in above:
        why = _clash(network, link) if link.parent == parent.key else None
        if why:
            remove = f"docker network rm {network.name} (or use another parent)"
            return Finding("docker-network", "warning", who, why, remove)
    why = "Docker and vlanlink don't know of each other's addresses: give each a range of its own"
    return Finding("docker-network", "note", who, why, "ip_range = …, in both")


def _clash(network: DockerNetwork, link: Link) -> str | None:
    mine, theirs = KINDS.get(link.kind), KINDS.get(network.kind)
    if not mine or not theirs or not mine.rx_handler:
        return None
    fails = f"{link.kind} {link.key} fails while a container of it runs"
    if mine.rx_handler != theirs.rx_handler:
        return f"a parent carries either macvlan or ipvlan links: {fails}"
    if mine.exclusive(link.settings) or theirs.exclusive(network.options):
        return f"one of the two must be alone on its parent: {fails}"
    for option in mine.options:
        have, want = theirs.get(network.options, option.key), mine.get(link.settings, option.key)
        if option.per_parent and have != want:
            return f"{option.key} belongs to the parent: {want} and {have} change each other"
    return None


def one_subnet_twice(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """Two NICs of the host in one subnet: answers to ARP and packets go astray."""
    del asked
    host = facts.state.host.links.values()
    by_subnet: dict[str, list[str]] = {}
    for link in host:
        for address in link.addresses if link.up and link.owner is None else ():
            net = ipaddress.ip_interface(address.text).network
            if net.version == 4 and net.prefixlen < 32:
                by_subnet.setdefault(str(net), []).append(link.name)
    for subnet, found in by_subnet.items():
        for one, other in combinations(dict.fromkeys(found), 2):
            yield from _astray(facts, subnet, one, other)


def _astray(facts: MachineFacts, subnet: str, one: str, other: str) -> Iterator[Finding]:
    both = f"{one} and {other} are both in {subnet}"
    if any(_effective(facts, "rp_filter", name) == 1 for name in (one, other)):
        yield Finding(
            "rp-filter",
            "warning",
            f"{both}, and rp_filter is 1",
            "what comes in by the one that the answer would not leave by is dropped",
            "sysctl -w " + " ".join(f"net.ipv4.conf.{name}.rp_filter=2" for name in (one, other)),
        )
    answers = [n for n in (one, other) if not _effective(facts, "arp_ignore", n)]
    if answers and not any(_effective(facts, "arp_filter", n) for n in (one, other)):
        yield Finding(
            "arp-flux",
            "warning",
            f"{both}, and arp_ignore is 0 on {' and '.join(answers)}",
            "each answers ARP for the addresses of the other: the LAN learns the wrong MAC",
            "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
        )


def arp_silence(facts: MachineFacts, asked: TopologyNeeds | None) -> Iterator[Finding]:
    """A parent on which the host answers no ARP."""
    for parent, _ in standing_on(facts, asked):
        if parent.addresses and (_effective(facts, "arp_ignore", parent.name) or 0) >= 8:
            yield Finding(
                "arp-ignore",
                "warning",
                f"arp_ignore on {parent.name} is 8",
                "the host answers no ARP there: the LAN and the endpoints can't reach it",
                f"sysctl -w net.ipv4.conf.{parent.name}.arp_ignore=0",
            )


def _effective(facts: MachineFacts, key: str, name: str) -> int | None:
    """The greater of the link's own value and that of all (ip-sysctl.rst); None if unknown."""
    names = (f"net/ipv4/conf/{where}/{key}" for where in ("all", name))
    values = [facts.sysctl(HOST, key) for key in names]
    numbers = [int(value) for value in values if value is not None]
    return max(numbers) if numbers else None


def _is_there(parent: Link, asked: TopologyNeeds | None) -> bool:
    """Not a link that the topology sets up itself."""
    return not asked or LinkName(HOST, parent.name) not in asked.wanted or parent.owner is None


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
