"""Which shims a topology has, and whose addresses the host speaks with by way of them. Pure.

A shim is the host's own link in a network, for a parent and what is on it do not reach each other.
What it needs no address for is left to the parent's own, which it never holds itself.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vlanlink.desired.parent_names import dummy_name, shim_name
from vlanlink.errors import Path
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LinkName, State, family_of
from vlanlink.topology import InterfaceConfig, NetworkConfig, SubnetConfig, Topology
from vlanlink.topology import ShimConfig as ShimTable

_AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Shim:
    """The shim of one network. Networks on one parent share the link of that name."""

    network: str
    name: str
    of_parent: Mapping[int, tuple[str, ...]]
    """By family, the parent's addresses that the host can speak with, with prefix."""
    words: tuple[str, ...]
    """What it asks of the network's addresses, as an endpoint's ``addresses`` do."""
    auto: frozenset[int]
    """The families that "auto" stands for."""

    @property
    def key(self) -> LinkName:
        """Where the link is."""
        return LinkName(HOST, self.name)

    @property
    def origin(self) -> Path:
        """The entry of the file that asks for it."""
        return ("networks", self.network, "shim")


def host_reaches(network: NetworkConfig) -> bool:
    """Whether the host reaches the endpoints of a network by way of its shim."""
    siblings = KINDS[network.kind].sibling_traffic(network.options)
    return network.shim is not False and (
        siblings == "bridge" or (siblings == "hairpin" and network.hairpin)
    )


def shim_of(
    name: str, topology: Topology, observed: State, subnets: Sequence[SubnetConfig]
) -> Shim | None:
    """The shim of a network, whose ``subnets`` are those written or chosen; None if it has none."""
    network = topology.networks[name]
    endpoints = list(_endpoints(name, topology))
    if network.shim is False or not endpoints:
        return None
    table = network.shim if isinstance(network.shim, ShimTable) else ShimTable()
    kind = KINDS[network.kind]
    modes = [str(kind.get(network.options, o.key)) for o in kind.options if o.always]
    parent = network.parent or dummy_name(topology.name, name)
    of_parent = parent_addresses(topology, observed, network)
    if kind.mac(network.options) == "fixed" and not kind.layer3(network.options):
        of_parent = {}  # with the parent's MAC on both, only an address of its own tells them apart
    asked = {6 if ":" in word else 4 for word in _words(endpoints, subnets)}
    lacking = frozenset(asked - of_parent.keys())
    left_out = table.addresses is None
    return Shim(
        network=name,
        name=table.name or shim_name(topology.name, parent, kind.name, *modes),
        of_parent=of_parent,
        words=(_AUTO,) if left_out and lacking else table.addresses or (),
        auto=lacking if left_out else frozenset(asked),
    )


def sysctl_keys(network: NetworkConfig) -> tuple[str, ...]:
    """What of the host's settings a shim of it depends on: arp_ignore, then rp_filter."""
    found = ["net/ipv4/conf/all/arp_ignore", "net/ipv4/conf/all/rp_filter"]
    if network.parent is not None:
        found.append(f"net/ipv4/conf/{network.parent}/rp_filter")
    return tuple(found) if network.shim is not False else ()


def _endpoints(network: str, topology: Topology) -> Iterator[InterfaceConfig]:
    for namespace in topology.namespaces.values():
        yield from (i for i in namespace.interfaces.values() if i.network == network)


def _words(endpoints: Sequence[InterfaceConfig], subnets: Sequence[SubnetConfig]) -> Iterator[str]:
    """What endpoints have or ask for, "auto" as the subnets that it may choose from."""
    for interface in endpoints:
        for word in (_AUTO,) if interface.addresses is None else interface.addresses:
            if word != _AUTO:
                yield word
                continue
            for subnet in subnets:
                if subnet.subnet.version == 4 or interface.ipv6 != "off":
                    yield str(subnet.subnet)


def parent_addresses(
    topology: Topology, observed: State, network: NetworkConfig
) -> dict[int, tuple[str, ...]]:
    """Addresses that stay come before those with a lifetime; those of a day are left out."""
    entry = topology.links.get(network.parent or "")
    texts = list(entry.addresses or ()) if entry else []
    seen = observed.link(LinkName(HOST, network.parent)) if network.parent else None
    ours = seen is not None and seen.owner == topology.name
    there = [a for a in (seen.addresses if seen else ()) if not a.temporary]
    texts += [
        address.text
        for address in sorted(there, key=lambda address: not address.permanent)
        if not (ours and address.ours) and address.text not in texts
    ]
    found: dict[int, tuple[str, ...]] = {}
    for text in texts:
        if not ipaddress.ip_interface(text).is_link_local:
            found[family_of(text)] = (*found.get(family_of(text), ()), text)
    return found
