"""What attachments leave in a desired State: leases, and what ended ones come back to. Pure."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from vlanlink.dataclass import replace
from vlanlink.desired.addressing import Addressing
from vlanlink.desired.attached import Attached
from vlanlink.desired.builder import Builder
from vlanlink.desired.context import Context
from vlanlink.desired.parents import dummy_parent, find_parent
from vlanlink.model import HOST, Link, LinkName
from vlanlink.store.leases import Leases
from vlanlink.topology import Topology


def attachment_leases(
    topology: Topology, attached: Iterable[Attached], addressing: Addressing, context: Context
) -> Leases:
    """``addressing``'s leases with those of attachments, some of which were there before.

    Attachments keep their leases here, and have none among the endpoints'. What a DHCP server gave
    is kept with the DHCP leases.
    """
    live = {one.key: LinkName(one.id, one.record.interface) for one in attached}
    ids = {name for _, name in live}
    kept = {}
    for key, lease in context.leases.attachments.items():
        if key[0] not in topology.networks or key in addressing.taken_back:
            continue
        found = addressing.addresses.get(live[key]) if key in live else None
        if found and (by_dhcp := context.dhcp.get((live[key].namespace, live[key].name))):
            found = tuple(text for text in found if text != by_dhcp.address)
        kept[key] = lease if found is None else replace(lease, addresses=found, ended=None)
    parents = {network: topology.networks[network].parent for network, _ in kept}
    return Leases(
        {key: found for key, found in addressing.leased.items() if key[1] not in ids},
        addressing.leased_subnets,
        {**addressing.parents, **{n: parent for n, parent in parents.items() if parent}},
        kept,
    )


def keep_networks(builder: Builder) -> None:
    """Keep the parent of each network that attachments come back to."""
    for name in dict.fromkeys(network for network, _ in builder.context.leases.attachments):
        network = builder.topology.networks.get(name)
        if network is not None:
            parent = network.parent or dummy_parent(builder, name, network)
            find_parent(builder, parent, network.kind, ("networks", name, "parent"))


def keep_shims(builder: Builder) -> None:
    """Keep a shim whose endpoints have all ended, and the host's routes to ended ones."""
    attachments = builder.context.leases.attachments
    networks = [builder.topology.networks.get(network) for network, _ in attachments]
    shimmed = {
        (network.parent or "", network.kind) for network in networks if network and network.shim
    }
    for seen in builder.observed.host.links.values():
        if (
            seen.owner == builder.name
            and seen.key not in builder.links
            and (seen.parent in builder.links or _is_of_others(builder, seen.parent))
            and any(_is_shim(seen, parent, kind) for parent, kind in shimmed)
        ):
            builder.links[seen.key] = seen
    kept = {bare for lease in attachments.values() for bare in lease.bare}
    held = builder.context.known.held
    keys = {(name, lease.interface) for (_, name), lease in attachments.items()}
    kept |= {held[key].bare for key in keys & held.keys()}
    for route in builder.observed.host.routes:
        key = LinkName(HOST, route.dev)
        leads_there = any(ip_address(bare) in ip_network(route.to) for bare in kept)
        if route.ours and leads_there and key in builder.links and builder.links[key].owner:
            builder.add_route(HOST, route)


def _is_of_others(builder: Builder, parent: LinkName | None) -> bool:
    """Whether a parent stays without the topology."""
    link = builder.observed.link(parent)
    return link is not None and link.owner != builder.name


def _is_shim(link: Link, parent: str, kind: str) -> bool:
    return link.kind == kind and link.parent is not None and parent in ("", link.parent.name)
