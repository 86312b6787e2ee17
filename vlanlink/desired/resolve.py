"""Topology + observed State → desired State: spell out everything that the file leaves out. Pure.

Networks become the options of their endpoints' links, missing VLAN parents become links, MACs and
default routes are derived, and what no topology needs any more is restored. ``down`` resolves an
empty topology.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired import aside
from vlanlink.desired.addressing import assign_addresses
from vlanlink.desired.attached import attachment_problems, ended_by_edit, with_attachments
from vlanlink.desired.attachments import attachment_leases, keep_networks, keep_shims
from vlanlink.desired.bound import bound
from vlanlink.desired.bridge_vlans import open_bridge_vlans, restore_bridge_vlans
from vlanlink.desired.builder import Builder
from vlanlink.desired.conflicts import (
    address_conflicts,
    lease_conflicts,
    mac_conflicts,
    name_conflicts,
    parent_conflicts,
)
from vlanlink.desired.context import Context
from vlanlink.desired.dhcp import leased_routes, unheard_routers
from vlanlink.desired.duplicates import AddressProbe, address_probes
from vlanlink.desired.links import desired_link, peer_link
from vlanlink.desired.namespaces import (
    add_namespaces,
    namespace_names,
    namespace_paths,
    warn_of_lost_paths,
)
from vlanlink.desired.netns_files import netns_files
from vlanlink.desired.ownership import hand_over, kept_routes, restore_parents, stay_under_strangers
from vlanlink.desired.parent_names import parents_first
from vlanlink.desired.parents import dummy_parent, find_parent, remember_parent
from vlanlink.desired.renamed import with_nics
from vlanlink.desired.reserved import reserved_addresses
from vlanlink.desired.route_conflicts import route_conflicts
from vlanlink.desired.routes import ANYWHERE, default_routes, desired_route, subnet_routes
from vlanlink.desired.shim.link import add_shims
from vlanlink.desired.shim.routes import add_shim_routes
from vlanlink.desired.shim.warnings import return_routes, shim_warnings
from vlanlink.desired.sysctls import Sysctls, desired_sysctls
from vlanlink.errors import Path, Problem, shell_word
from vlanlink.model import (
    HOST,
    FileKey,
    Link,
    LinkName,
    Namespace,
    NetnsFile,
    Route,
    State,
)
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record
from vlanlink.topology import InterfaceConfig, LinkConfig, SubnetConfig, Topology
from vlanlink.topology.export import text_of


@dataclass(frozen=True, slots=True)
class Resolution:
    """A topology resolved for one machine."""

    desired: State
    record: Record
    leases: Leases
    conflicts: tuple[Problem, ...] = ()
    """Reasons this machine can't apply it. If any, change nothing."""
    warnings: tuple[Problem, ...] = ()
    restore_commands: tuple[str, ...] = ()
    """Commands that restore what has no known original value."""
    probes: tuple[AddressProbe, ...] = ()
    """What to ask the LAN before the new addresses are used."""
    ended: tuple[Problem, ...] = ()
    """Namespaces given by pid or path that have ended: the rest is applied without them."""


def resolve(topology: Topology, observed: State, context: Context | None = None) -> Resolution:
    """Resolve ``topology`` for the machine that ``observed`` shows."""
    context, topology = context or Context(), bound(topology, observed)
    attached = [one for one in context.attached if one.id in observed.namespaces]
    whole = with_attachments(topology, attached, _chosen_subnets(context))
    addressing = assign_addresses(whole, observed, context)
    builder = Builder(whole, observed, context, addressing)
    aside.leave_namespaces(builder)
    add_namespaces(builder)
    warn_of_lost_paths(builder)
    _warn_of_unreadable_record(builder)
    _add_links(builder)
    keep_networks(builder)
    add_shims(builder)
    open_bridge_vlans(builder)
    builder.conflicts += name_conflicts(builder)
    may_take_parent = frozenset(builder.may_take_parent)
    builder.conflicts += parent_conflicts(builder.links, observed, builder.name, may_take_parent)
    builder.conflicts += (*address_conflicts(builder), *lease_conflicts(builder))
    builder.conflicts += mac_conflicts(builder)
    probes = address_probes(builder)
    aside.leave_links(builder)
    hand_over(builder)
    stay_under_strangers(builder)
    _add_routes(builder)
    add_shim_routes(builder)
    keep_shims(builder)
    builder.conflicts += route_conflicts(builder)
    builder.warnings += (*addressing.warnings, *shim_warnings(builder), *return_routes(builder))
    builder.conflicts += attachment_problems(topology, context.leases.attachments)
    builder.warnings += (*ended_by_edit(topology, context.attached), *unheard_routers(builder))
    restore_parents(builder)
    restore_bridge_vlans(builder)
    sysctls, files = desired_sysctls(builder), netns_files(builder)
    return Resolution(
        State(_namespaces(builder, sysctls.wanted), files=files),
        _record(builder, topology, sysctls, files),
        with_nics(attachment_leases(topology, attached, addressing, context), observed),
        (*addressing.conflicts, *builder.conflicts),
        tuple(builder.warnings),
        tuple(sysctls.restore_commands),
        probes,
        tuple(builder.ended.values()),
    )


def _chosen_subnets(context: Context) -> dict[str, tuple[SubnetConfig, ...]]:
    """The subnets chosen for networks that have none in the file."""
    return {
        name: tuple(SubnetConfig(subnet=ip_network(text)) for text in texts)
        for name, texts in context.leases.subnets.items()
    }


# -- namespaces ------------------------------------------------------------------------------------


def _warn_of_unreadable_record(builder: Builder) -> None:
    if builder.records.unreadable is not None:
        message = f"the record of {builder.name} counts as lost: {builder.records.unreadable}"
        builder.warnings.append(Problem((), message))


# -- links -----------------------------------------------------------------------------------------


def _add_links(builder: Builder) -> None:
    for name in parents_first(builder.topology):
        peer = builder.topology.links[name].peer
        if peer and peer.namespace in (*builder.ended, *builder.aside):
            continue
        _add_link(builder, LinkName(HOST, name), builder.topology.links[name], ("links", name))
    for space, namespace in builder.topology.namespaces.items():
        left = space in (*builder.ended, *builder.aside)
        for name, interface in namespace.interfaces.items() if not left else ():
            path = ("namespaces", space, "interfaces", name)
            _add_link(builder, LinkName(space, name), interface, path)


def _add_link(
    builder: Builder, key: LinkName, entry: LinkConfig | InterfaceConfig, origin: Path
) -> None:
    network_name = entry.network if isinstance(entry, InterfaceConfig) else None
    network = builder.topology.networks.get(network_name or "")
    parent_name = network.parent if network else entry.parent
    if network and network.parent is None:
        parent_name = dummy_parent(builder, str(network_name), network)
    parent_path = ("networks", str(network_name), "parent") if network else (*origin, "parent")
    kind = network.kind if network else str(entry.kind)
    parent = find_parent(builder, parent_name, kind, parent_path) if parent_name else None
    link = desired_link(builder, key, entry, origin, parent)
    mtu_path = ("networks", str(network_name)) if network and not entry.mtu else origin
    _check_mtu(builder, link, parent, (*mtu_path, "mtu"), parent_path)
    builder.links[link.key] = link
    if entry.take_parent or (network and network.take_parent):
        builder.may_take_parent.add(link.key)
    if entry.peer:
        other = peer_link(builder, link, entry.peer)
        builder.links[link.key] = replace(link, peer=other.key)
        builder.links[other.key] = other


def _check_mtu(
    builder: Builder, link: Link, parent: Link | None, path: Path, related: Path
) -> None:
    mtu = link.settings.get("mtu")
    if parent is None or not isinstance(mtu, int):
        return
    limit = parent.settings.get("mtu", parent.defaults.get("mtu"))
    if isinstance(limit, int) and mtu > limit:
        message = f"mtu {mtu} is above that of its parent {parent.name} ({limit})"
        hint = f"raise the parent's first: ip link set {shell_word(parent.name)} mtu {mtu}"
        builder.conflicts.append(Problem(path, message, hint, related=related))


# -- routes ----------------------------------------------------------------------------------------


def _add_routes(builder: Builder) -> None:
    topology, addressing = builder.topology, builder.addressing
    for link in list(builder.links.values()):
        entry = builder.entry(link)
        for i, route in enumerate(entry.routes if entry else ()):
            origin = (*link.origin, "routes", i)
            builder.add_route(link.namespace, desired_route(route, link.name, origin))
    leased = _add_leased_routes(builder)
    for space in topology.namespaces.keys() & builder.namespaces.keys() - builder.aside:
        defaults = list(default_routes(topology, space, builder.links, leased))
        others = subnet_routes(topology, space, builder.links, addressing.subnets, defaults)
        for derived in (*defaults, *others):
            builder.add_route(space, derived)
    _add_host_routes(builder)


def _add_leased_routes(builder: Builder) -> dict[LinkName, Route]:
    """Add the routes of DHCP leases but for those that the file has; return the default routes."""
    found: dict[LinkName, Route] = {}
    for link in list(builder.links.values()):
        taken = {
            (route.to, route.metric, route.table)
            for route in builder.routes.get(link.namespace, ())
        }
        for route in leased_routes(builder, link):
            if (route.to, route.metric, route.table) in taken:
                continue
            if route.to == ANYWHERE[4]:
                found[link.key] = route
            else:
                builder.add_route(link.namespace, route)
    return found


def _add_host_routes(builder: Builder) -> None:
    foreign = {route for route in builder.observed.host.routes if not route.ours}
    for i, entry in enumerate(builder.topology.host.routes):
        origin = ("host", "routes", i)
        key = LinkName(HOST, entry.dev)
        if key not in builder.links and builder.observed.link(key) is None:
            message = f"there is no link {entry.dev} on this machine"
            builder.conflicts.append(Problem((*origin, "dev"), message))
        builder.refuse_leaving(key, (*origin, "dev"))
        route = desired_route(entry, entry.dev, origin)
        if route in foreign:
            message = f"route {route} already exists; vlanlink leaves it alone"
            builder.warnings.append(Problem(origin, message))
            continue
        builder.add_route(HOST, route)
        remember_parent(builder, entry.dev)


# -- the result ------------------------------------------------------------------------------------


def _namespaces(builder: Builder, sysctls: Mapping[str, Mapping[str, str]]) -> dict[str, Namespace]:
    found = {HOST: Namespace(HOST, origin=("host",)), **builder.namespaces}
    by_namespace: dict[str, dict[str, Link]] = {name: {} for name in found}
    for link in builder.links.values():
        by_namespace[link.namespace][link.name] = link
    return {
        name: replace(
            namespace,
            links=by_namespace[name],
            routes=frozenset(builder.routes.get(name, set()) | kept_routes(builder, name)),
            sysctls=dict(sysctls.get(name, {})),
        )
        for name, namespace in found.items()
    }


def _record(
    builder: Builder,
    topology: Topology,
    sysctls: Sysctls,
    files: Mapping[FileKey, NetnsFile],
) -> Record:
    source = topology.source
    made = [n for n, namespace in builder.namespaces.items() if namespace.owner == builder.name]
    foreign_routes = [
        (space, str(route))
        for space, routes in builder.routes.items()
        for route in routes
        if not _is_on_own_link(builder, space, route) and not _has_owner(builder, space, route)
    ]
    paths = namespace_paths(topology)
    record = Record(
        topology=builder.name,
        file=source.file if source else None,
        text=text_of(topology),
        namespaces=tuple(sorted(made)),
        uses=tuple(sorted(namespace_names(topology) - paths.keys())),
        stands_on=tuple(sorted(set(_made_parents(builder)))),
        paths=paths,
        sysctls=sysctls.originals,
        parents=builder.parents,
        routes=tuple(sorted(foreign_routes)),
        reserved=_reserved(builder.topology),
        files=tuple(key for key in files if key[0] in topology.namespaces),
    )
    return aside.recorded(builder, record)


def _reserved(topology: Topology) -> dict[str, dict[str, str]]:
    """Gateways and aux addresses by parent, for other topologies to see."""
    found: dict[str, dict[str, str]] = {}
    for name, network in topology.networks.items():
        for ip in reserved_addresses(network) if network.parent is not None else ():
            found.setdefault(str(network.parent), {})[str(ip)] = name
    return found


def _made_parents(builder: Builder) -> Iterator[str]:
    for link in builder.links.values():
        if link.owner == builder.name and link.parent and link.parent.namespace == HOST:
            below = builder.links.get(link.parent) or builder.observed.link(link.parent)
            if below and below.owner is not None:
                yield below.name


def _is_on_own_link(builder: Builder, space: str, route: Route) -> bool:
    """Whether the route goes with a link of the topology's, not a NIC that only stays up."""
    dev = builder.links.get(LinkName(space, route.dev))
    return dev is not None and dev.owner == builder.name


def _has_owner(builder: Builder, space: str, route: Route) -> bool:
    """Whether another topology has the route on a link of its own."""
    seen = builder.observed.namespaces.get(space)
    dev = seen.links.get(route.dev) if seen else None
    if seen is None or dev is None or dev.owner in (None, builder.name):
        return False
    row = (space, str(route))
    records = builder.records
    recorded = ([records.own] if records.own else []) + [*records.others]
    exists = row in {(space, str(one)) for one in seen.routes if one.ours}
    return exists and not any(row in record.routes for record in recorded)
