"""Which shims a topology has, and the host's source addresses on them. Pure.

A shim is the host's own link in a network, because a parent and the links on it can't reach each
other. Where the parent has an address the host uses that one; the shim itself never holds it. Where
it has none, the host uses the shim's link-local address: none of the LAN's is taken unasked.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from vlanlink.dataclass import dataclass
from vlanlink.desired.parent_names import dummy_name, shim_name
from vlanlink.errors import Path
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LinkName, State, family_of
from vlanlink.topology import InterfaceConfig, NetworkConfig, ShimConfig, SubnetConfig, Topology
from vlanlink.topology.dhcp import address_entries
from vlanlink.topology.values import AUTO

_ARP_IGNORE = "net/ipv4/conf/all/arp_ignore"


@dataclass(frozen=True, slots=True)
class Shim:
    """The shim of one network. Networks on one parent share its link."""

    network: str
    name: str
    parent_addresses: Mapping[int, tuple[str, ...]]
    """By family, with prefix."""
    speaks_as_parent: bool
    """The host's packets to endpoints have the parent's address as source, if it has one."""
    entries: tuple[str, ...]
    """Its ``addresses``, in the form of an endpoint's."""
    auto: frozenset[int]
    """The families that "auto" stands for."""

    @property
    def key(self) -> LinkName:
        """The link's namespace and name."""
        return LinkName(HOST, self.name)

    @property
    def origin(self) -> Path:
        """The entry of the file that asks for it."""
        return ("networks", self.network, "shim")


def shim_of(
    name: str, topology: Topology, observed: State, subnets: Sequence[SubnetConfig]
) -> Shim | None:
    """The shim of a network; None if it has none. ``subnets``: those written or chosen."""
    network = topology.networks[name]
    endpoints = list(_endpoints(name, topology))
    if network.shim is False or not endpoints:
        return None
    table = network.shim if isinstance(network.shim, ShimConfig) else ShimConfig()
    kind = KINDS[network.kind]
    modes = [str(kind.get(network.options, o.key)) for o in kind.options if o.always]
    written = (topology.written or topology).networks[name].parent  # stays when a NIC is renamed
    parent = written or dummy_name(topology.name, name)
    return Shim(
        network=name,
        name=table.name or shim_name(topology.name, parent, kind.name, *modes),
        parent_addresses=parent_addresses(topology, observed, network),
        # In ipvlan l2 both have the parent's MAC: only an address of its own tells them apart.
        speaks_as_parent=kind.mac(network.options) != "fixed" or kind.layer3(network.options),
        entries=table.addresses or (),
        auto=frozenset(family_of(entry) for entry in _entries(network, endpoints, subnets)),
    )


def arp_ignore(observed: State) -> int:
    """The host's net.ipv4.conf.all.arp_ignore; the shim's own is 0."""
    return int(observed.host.sysctls.get(_ARP_IGNORE, "0"))


def sysctl_keys(network: NetworkConfig) -> tuple[str, ...]:
    """The host's sysctls that the network's shim depends on: arp_ignore, then rp_filter."""
    found = [_ARP_IGNORE, "net/ipv4/conf/all/rp_filter"]
    if network.parent is not None:
        found.append(f"net/ipv4/conf/{network.parent}/rp_filter")
    return tuple(found) if network.shim is not False else ()


def _endpoints(network: str, topology: Topology) -> Iterator[InterfaceConfig]:
    for namespace in topology.namespaces.values():
        yield from (i for i in namespace.interfaces.values() if i.network == network)


def _entries(
    network: NetworkConfig, endpoints: Sequence[InterfaceConfig], subnets: Sequence[SubnetConfig]
) -> Iterator[str]:
    """The endpoints' ``addresses`` entries, "auto" replaced by the subnets that it means."""
    for interface in endpoints:
        for entry in address_entries(interface, network):
            if entry != AUTO:
                yield entry
                continue
            for subnet in subnets:
                if subnet.subnet.version == 4 or interface.ipv6 != "off":
                    yield str(subnet.subnet)


def parent_addresses(
    topology: Topology, observed: State, network: NetworkConfig
) -> dict[int, tuple[str, ...]]:
    """The parent's usable addresses by family, permanent ones first, without temporary ones."""
    entry = topology.links.get(network.parent or "")
    texts = list(entry.addresses or ()) if entry else []
    seen = observed.link(LinkName(HOST, network.parent)) if network.parent else None
    ours = seen is not None and seen.owner == topology.name
    there = [a for a in (seen.addresses if seen else ()) if not (a.temporary or a.tentative)]
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
