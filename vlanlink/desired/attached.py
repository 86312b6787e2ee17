"""Attachments as endpoints of a topology: what its file would say of them. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.ipam import edges
from vlanlink.errors import Problem
from vlanlink.kinds import KINDS
from vlanlink.store.attached import AttachmentKey, AttachmentLease, AttachmentRecord
from vlanlink.store.dhcp_leases import Endpoint
from vlanlink.store.leases import Leases
from vlanlink.topology import (
    DefaultRouteConfig,
    InterfaceConfig,
    NamespaceConfig,
    NetworkConfig,
    SubnetConfig,
    Topology,
)
from vlanlink.topology.dhcp import asks_dhcp
from vlanlink.topology.values import DHCP


@dataclass(frozen=True, slots=True)
class Attached:
    """A live attachment: its record and its lease, and where its namespace is now."""

    record: AttachmentRecord
    lease: AttachmentLease
    path: str

    @property
    def key(self) -> AttachmentKey:
        """Network and id."""
        return self.record.key

    @property
    def id(self) -> str:
        """Its namespace's name in every State."""
        return self.record.id


def with_attachments(
    topology: Topology,
    attached: Iterable[Attached],
    subnets: Mapping[str, tuple[SubnetConfig, ...]] | None = None,
) -> Topology:
    """``topology``, and every attachment of its networks as an endpoint.

    ``subnets``: by network, those chosen where the file has none.
    """
    namespaces = dict(topology.namespaces)
    for one in attached:
        network = topology.networks.get(one.record.network)
        if network is None or one.id in topology.namespaces:
            continue
        entry = namespaces.get(one.id, NamespaceConfig(path=one.path))
        chosen = (subnets or {}).get(one.record.network, ())
        interface = _interface(one, network, network.subnets or chosen)
        found = {**entry.interfaces, one.record.interface: interface}
        namespaces[one.id] = replace(entry, interfaces=found)
    if len(namespaces) == len(topology.namespaces):
        return topology
    return topology.edited(namespaces=namespaces)


def _interface(
    one: Attached, network: NetworkConfig, subnets: tuple[SubnetConfig, ...]
) -> InterfaceConfig:
    own_mac = KINDS[network.kind].mac(network.options) == "derived"
    four, six = (one.record.default_routes.get(family) for family in ("4", "6"))
    keeps = four is None and six is None
    return InterfaceConfig(
        network=one.record.network,
        addresses=_addresses(one.lease, subnets),
        mac=one.lease.mac if own_mac else None,
        default_route=None if keeps else DefaultRouteConfig(ipv4=four, ipv6=six),
    )


def _addresses(lease: AttachmentLease, subnets: tuple[SubnetConfig, ...]) -> tuple[str, ...] | None:
    """Those that it keeps; where an edit forbids one, those asked for, else others are chosen.

    What a DHCP server gave is none of those that it keeps.
    """
    if DHCP in lease.asked:
        return lease.asked
    for texts in (lease.addresses, lease.asked):
        if texts and (texts == lease.asked or all(_fits(text, subnets) for text in texts)):
            return texts
    return None


def asking_ids(topology: Topology, leases: Leases) -> Iterator[Endpoint]:
    """The ids that ask by DHCP, or will when they are live again, with their interfaces."""
    for (name, space), lease in leases.attachments.items():
        network = topology.networks.get(name)
        if network is not None:
            addresses = _addresses(lease, network.subnets or ())
            if asks_dhcp(InterfaceConfig(network=name, addresses=addresses), network):
                yield space, lease.interface


def _fits(text: str, subnets: tuple[SubnetConfig, ...]) -> bool:
    ip = ipaddress.ip_interface(text).ip
    for subnet in subnets:
        if ip in subnet.subnet:
            taken = (subnet.gateway, *subnet.aux_addresses.values(), *edges(subnet.subnet))
            return ip not in taken
    return False


def attachment_problems(
    topology: Topology, leases: Mapping[AttachmentKey, AttachmentLease]
) -> Iterator[Problem]:
    """What the file takes from attachments: their addresses, or their id as a namespace's name."""
    parents = {name: network.parent or name for name, network in topology.networks.items()}
    held = {
        (parents[network], bare): (network, name)
        for (network, name), lease in leases.items()
        if network in parents
        for bare in lease.bare
    }
    ids = {name: (network, name) for network, name in leases if network in parents}
    for space, namespace in topology.namespaces.items():
        if space in ids:
            message = f"namespace {space} has the name of an attachment to {ids[space][0]}"
            yield Problem(
                ("namespaces", space), message, _detach(topology, ids[space]), at_key=True
            )
        for name, interface in namespace.interfaces.items():
            parent = parents.get(interface.network or "", interface.parent)
            for at, text in enumerate(interface.addresses or ()):
                holder = held.get((parent or "", text.partition("/")[0]))
                if holder:
                    path = ("namespaces", space, "interfaces", name, "addresses", at)
                    bare = text.partition("/")[0]
                    message = f"{space}/{name} can't have {bare}: attachment {holder[1]} keeps it"
                    yield Problem(path, message, _detach(topology, holder))


def _detach(topology: Topology, key: AttachmentKey) -> str:
    return f"vlanlink detach {topology.name}/{key[0]} {key[1]}, or write another one"


def ended_by_edit(topology: Topology, attached: Iterable[Attached]) -> Iterator[Problem]:
    """A warning for each attachment whose network leaves the file."""
    for one in attached if topology.source else ():
        if one.record.network not in topology.networks:
            message = f"attachment {one.id} ends: the file has no network {one.record.network}"
            yield Problem((), message)
