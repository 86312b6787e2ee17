"""Names that stand for links: ``eth0.50`` is VLAN 50 of eth0; those that no file gives. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator
from zlib import crc32

from vlanlink.model import HOST, Link, LinkName, Route, State
from vlanlink.topology import Topology

_VLAN_NAME = re.compile(r"(.+)\.([1-9][0-9]{0,3})")


def dummy_name(topology: str, network: str) -> str:
    """The name of the dummy link under a network that has no parent, as Docker's dm-… ones."""
    return f"dm-{crc32(f'{topology}/{network}'.encode()):08x}"


def shim_name(topology: str, parent: str, *what: str) -> str:
    """The name of the host's link beside a topology's endpoints of one kind and mode."""
    return f"sh-{crc32('/'.join((topology, parent, *what)).encode()):08x}"


def implied_vlan(name: str) -> tuple[str, int] | None:
    """The parent and VLAN id that a link name spells, or None: ``eth0.50`` → ("eth0", 50)."""
    match = _VLAN_NAME.fullmatch(name)
    return (match[1], int(match[2])) if match and int(match[2]) <= 4094 else None


def vlan_problem(seen: Link, implied: tuple[str, int]) -> str | None:
    """Why a link that is there is not the VLAN that its name spells, or None."""
    below, vlan_id = implied
    if seen.kind != "vlan":
        return f"{seen.name} is a {seen.kind}, not VLAN {vlan_id} of {below}"
    if seen.settings.get("id") != vlan_id or seen.parent != LinkName(HOST, below):
        is_one = f"VLAN {seen.settings.get('id')} of {seen.parent}"
        return f"{seen.name} is {is_one}, not {vlan_id} of {below}"
    return None


def parents_first(topology: Topology) -> tuple[str, ...]:
    """The file's own links, each after the one that it stands on, be it by way of implied VLANs."""
    seen: set[str] = set()
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        entry, implied = topology.links.get(name), implied_vlan(name)
        below = entry.parent if entry else implied and implied[0]
        if below:
            add(below)
        if entry:
            ordered.append(name)

    for name in topology.links:
        add(name)
    return tuple(ordered)


def missing_parents(topology: Topology, there: Collection[str]) -> tuple[str, ...]:
    """The links of the host that must come from elsewhere before the topology can be had.

    ``there`` are the names of the host's links. A VLAN that its name spells is made, and so is
    what the file describes: missing is then what they stand on.
    """
    found = (_missing(name, topology, there) for name in _named_parents(topology))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def parents_of_others(topology: Topology, observed: State) -> tuple[str, ...]:
    """The links of the host that the topology stands on, and that vlanlink did not make."""
    found = (_ground(name, topology, observed) for name in _named_parents(topology))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _ground(name: str, topology: Topology, observed: State) -> str | None:
    seen = observed.host.links.get(name)
    if name in topology.links:
        below = topology.links[name].parent
        return _ground(below, topology, observed) if below else None
    if seen is not None and seen.owner != topology.name:
        return name if seen.owner is None else None
    implied = implied_vlan(name)
    return _ground(implied[0], topology, observed) if implied else None


def held_by_host(parent: Link, routes: Iterable[Route]) -> list[str]:
    """The host's addresses on a link, and those of ``routes`` that lead there.

    What the kernel gives every link that is up does not count.
    """
    held = [a.text for a in parent.addresses if not a.link_local]
    return held + [
        str(r) for r in routes if r.dev == parent.name and not r.to.startswith("fe80::/")
    ]


def _named_parents(topology: Topology) -> Iterator[str]:
    used = {
        interface.network
        for namespace in topology.namespaces.values()
        for interface in namespace.interfaces.values()
    }
    for name, network in topology.networks.items():
        if network.parent and (name in used or network.shim):
            yield network.parent
    for namespace in topology.namespaces.values():
        for interface in namespace.interfaces.values():
            if interface.parent:
                yield interface.parent
    for link in topology.links.values():
        if link.parent:
            yield link.parent


def _missing(name: str, topology: Topology, there: Collection[str]) -> str | None:
    if name in topology.links:
        below = topology.links[name].parent
        return _missing(below, topology, there) if below else None
    if name in there:
        return None
    implied = implied_vlan(name)
    return _missing(implied[0], topology, there) if implied else name
