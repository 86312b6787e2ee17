"""Link names: implied VLANs (``eth0.50``), generated names, parents by name. Pure."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_interface
from zlib import crc32

from vlanlink.model import HOST, Link, LinkName, Route, State
from vlanlink.topology import Topology


def dummy_name(topology: str, network: str) -> str:
    """Name of the dummy parent of a network without one, in the style of Docker's ``dm-…``."""
    return f"dm-{crc32(f'{topology}/{network}'.encode()):08x}"


def shim_name(topology: str, parent: str, *kind_and_mode: str) -> str:
    """Name of a topology's shim on ``parent``, for endpoints of one kind and mode."""
    return f"sh-{crc32('/'.join((topology, parent, *kind_and_mode)).encode()):08x}"


def vlan_problem(seen: Link, implied: tuple[str, int]) -> str | None:
    """Why an existing link is not the VLAN that its name implies; None if it is."""
    below, vlan_id = implied
    if seen.kind != "vlan":
        return f"{seen.name} is a {seen.kind}, not VLAN {vlan_id} of {below}"
    if seen.settings.get("id") != vlan_id or seen.parent != LinkName(HOST, below):
        is_one = f"VLAN {seen.settings.get('id')} of {seen.parent}"
        return f"{seen.name} is {is_one}, not {vlan_id} of {below}"
    return None


def parents_first(topology: Topology) -> tuple[str, ...]:
    """The file's links, parents first (implied VLANs included)."""
    seen: set[str] = set()
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        entry, implied = topology.links.get(name), topology.implied(name)
        below = entry.parent if entry else implied and implied[0]
        if below:
            add(below)
        if entry:
            ordered.append(name)

    for name in topology.links:
        add(name)
    return tuple(ordered)


def missing_parents(topology: Topology, there: Collection[str]) -> tuple[str, ...]:
    """The missing host links that something else must create before the topology can come up.

    ``there``: the names and altnames of the host's links, and the MACs of its NICs. Links of the
    file and implied VLANs are created, so of these the parents count.
    """
    found = (_missing(name, topology, there) for name in _named_parents(topology))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def foreign_parents(topology: Topology, observed: State) -> tuple[str, ...]:
    """The host links under the topology that vlanlink did not make."""
    found = (_foreign(name, topology, observed) for name in _named_parents(topology))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _foreign(name: str, topology: Topology, observed: State) -> str | None:
    seen = observed.host.links.get(name)
    if name in topology.links:
        below = topology.links[name].parent
        return _foreign(below, topology, observed) if below else None
    if seen is not None and seen.owner != topology.name:
        return name if seen.owner is None else None
    implied = topology.implied(name)
    return _foreign(implied[0], topology, observed) if implied else None


def held_by_host(parent: Link, routes: Iterable[Route]) -> list[str]:
    """The host's addresses on a link, and the ``routes`` through it.

    Without the link-local address and route that the kernel gives every link that is up.
    """
    held = [a.text for a in parent.addresses if not a.link_local]
    return held + [
        str(r) for r in routes if r.dev == parent.name and not r.to.startswith("fe80::/")
    ]


def used_by_host(parent: Link, routes: Iterable[Route]) -> list[str]:
    """What the host would lose if ``parent`` went down, as words for a message.

    The route of an address's own prefix is not named beside the address.
    """
    prefixes = {str(ip_interface(address.text).network) for address in parent.addresses}
    others = (route for route in routes if route.to not in prefixes)
    port = [f"port of {parent.master}"] if parent.master else []
    return [*port, *held_by_host(parent, others)]


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
    implied = topology.implied(name)
    return _missing(implied[0], topology, there) if implied else name
