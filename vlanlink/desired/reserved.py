"""Which addresses are already in use on the parent of a network. Pure.

An address chosen for a network must not be one of the host's on that parent, of another's link on
it, or of the rest of the topology: its other networks on that parent and its standalone links. Nor
may it be another network's gateway or aux address there, or leased to another topology.

A new choice also avoids the addresses of the host's other links, and the gateways of routes. An
endpoint that already has such an address keeps it.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from vlanlink.desired.context import Context
from vlanlink.model import HOST, LinkName, State, owner_in_words
from vlanlink.store.attached import AttachmentKey, AttachmentLease
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record
from vlanlink.topology import (
    EndpointConfig,
    LinkConfig,
    NetworkConfig,
    PeerConfig,
    ShimConfig,
    Topology,
)
from vlanlink.topology.values import WORDS, Ip

_HOST = "the host"
_GATEWAY = "gateways of routes"


def addresses_in_use(
    network: str,
    topology: Topology,
    observed: State,
    leases: Leases,
    given: Mapping[LinkName, tuple[str, ...]],
) -> Iterator[tuple[Ip, str]]:
    """Each address in use and its holder. ``given``: the addresses assigned so far."""
    parent = topology.networks[network].parent
    if parent is None:
        return
    yield from _seen(LinkName(HOST, parent), topology, observed)
    if parent in topology.links:
        yield from _each(written(topology.links[parent].addresses), _HOST)
    for key, entry in _standalone(parent, topology):
        yield from _each(written(entry.addresses), str(key))
    for other, key, entry in _endpoints_of_others(network, topology):
        link = observed.link(key)
        held = link.addresses if link and link.owner == topology.name else ()
        leased = leases.addresses.get((other, key.namespace, key.name), ())
        found = (
            *written(entry.addresses),
            *given.get(key, ()),
            *leased,
            *(one.text for one in held),
        )
        yield from _each(found, f"endpoints of network {other}")


def avoided_addresses(topology: Topology, observed: State) -> Iterator[tuple[str, str]]:
    """The bare addresses that no new choice takes, whatever its parent, each with its holder."""
    for link in observed.host.links.values():
        yield from ((address.bare, _HOST) for address in link.addresses)
    for text in _written_for_host(topology):
        yield text.partition("/")[0], _HOST
    for via in {route.via for route in observed.host.routes if route.via is not None}:
        yield via, _GATEWAY
    yield from gateways_of_routes(topology)


def gateways_of_routes(topology: Topology) -> Iterator[tuple[str, str]]:
    """The gateways of the routes in the file, each with its holder."""
    entries = (*_links(topology), *_peers(topology))
    routes = chain(topology.host.routes, *(entry.routes for entry in entries))
    yield from ((str(route.via), _GATEWAY) for route in routes if route.via is not None)


def reserved_by_networks(network: str, topology: Topology) -> Iterator[tuple[Ip, str]]:
    """Gateways and aux addresses of the topology's other networks on the same parent."""
    parent = topology.networks[network].parent
    for name, other in topology.networks.items():
        if name != network and parent is not None and other.parent == parent:
            for ip in reserved_addresses(other):
                yield ip, f"network {name} (its gateway or aux address)"


def reserved_addresses(network: NetworkConfig) -> Iterator[Ip]:
    """The gateways and aux addresses of a network."""
    for subnet in network.subnets or ():
        if subnet.gateway is not None:
            yield subnet.gateway
        yield from subnet.aux_addresses.values()


def reserved_by_others(parent: str, records: Iterable[Record]) -> Iterator[tuple[Ip, str]]:
    """Gateways and aux addresses of other active topologies' networks on a parent."""
    for record in records:
        for text, network in record.reserved.get(parent, {}).items():
            who = f"network {record.topology}/{network} (its gateway or aux address)"
            yield ipaddress.ip_address(text), who


def leased_by_others(parent: str, leases: Mapping[str, Leases]) -> Iterator[tuple[Ip, str]]:
    """Addresses on a parent that are leased to other topologies."""
    for topology, found in leases.items():
        yield from _each(found.on(parent), f"leases of topology {topology}")


def kept_by_attachments(
    network: str, topology: Topology, context: Context, spaces: Collection[str]
) -> Iterator[tuple[Ip, str]]:
    """Addresses that attachments on the network's parent keep, except those in ``spaces``."""
    parents = {name: one.parent or name for name, one in topology.networks.items()}
    for (of, name), lease in context.leases.attachments.items():
        if parents.get(of) == parents[network] and not (of == network and name in spaces):
            yield from _each(lease.bare, f"attachments ({name})")
    for bare, who in context.reserved.items():
        yield ipaddress.ip_address(bare), who


def ended_first(context: Context, network: str) -> list[tuple[AttachmentKey, AttachmentLease]]:
    """The leases of the network's ended attachments, those that ended first at the beginning."""
    ended = [
        (lease.ended, key, lease)
        for key, lease in context.leases.attachments.items()
        if key[0] == network and lease.ended is not None
    ]
    return [(key, lease) for _, key, lease in sorted(ended, key=lambda one: one[:2])]


def written(entries: Iterable[str] | None) -> tuple[str, ...]:
    """The addresses among the entries of ``addresses``, without "auto" and subnets."""
    return tuple(entry for entry in entries or () if _is_address(entry))


def _seen(parent: LinkName, topology: Topology, observed: State) -> Iterator[tuple[Ip, str]]:
    link = observed.link(parent)
    if link:
        yield from _each((one.text for one in link.addresses), _HOST)
    for child in observed.children(parent):
        if child.owner != topology.name:
            who = owner_in_words(child.owner) if child.owner else f"{child.key}"
            yield from _each((one.text for one in child.addresses), who)


def _written_for_host(topology: Topology) -> Iterator[str]:
    """The addresses that the file lists for links in the host's namespace."""
    peers = (peer for peer in _peers(topology) if peer.namespace is None)
    for entry in (*topology.links.values(), *peers):
        yield from written(entry.addresses)
    for network in topology.networks.values():
        if isinstance(network.shim, ShimConfig):
            yield from written(network.shim.addresses)


def _links(topology: Topology) -> Iterator[LinkConfig]:
    """Every link and interface of the file."""
    yield from topology.links.values()
    for namespace in topology.namespaces.values():
        yield from namespace.interfaces.values()


def _peers(topology: Topology) -> Iterator[PeerConfig]:
    return (link.peer for link in _links(topology) if link.peer is not None)


def _standalone(parent: str, topology: Topology) -> Iterator[tuple[LinkName, EndpointConfig]]:
    """The links and interfaces on ``parent`` that are in no network."""
    for name, link in topology.links.items():
        if link.parent == parent:
            yield LinkName(HOST, name), link
    for namespace, entry in topology.namespaces.items():
        for name, interface in entry.interfaces.items():
            if interface.parent == parent:
                yield LinkName(namespace, name), interface


def _endpoints_of_others(
    network: str, topology: Topology
) -> Iterator[tuple[str, LinkName, EndpointConfig]]:
    """The endpoints of the topology's other networks on the same parent."""
    parent = topology.networks[network].parent
    others = {
        name
        for name, other in topology.networks.items()
        if name != network and other.parent == parent
    }
    for namespace, entry in topology.namespaces.items() if others else ():
        for name, interface in entry.interfaces.items():
            if interface.network in others:
                yield interface.network, LinkName(namespace, name), interface


def _each(texts: Iterable[str], who: str) -> Iterator[tuple[Ip, str]]:
    return ((ipaddress.ip_interface(text).ip, who) for text in texts)


def _is_address(entry: str) -> bool:
    if "/" not in entry:
        return entry not in WORDS
    try:
        ipaddress.ip_network(entry)
    except ValueError:
        return True
    return False
