"""Topology → desired State: everything that the file leaves unsaid is said here, once. Pure.

Networks become the options of their endpoints' links, missing VLAN parents become links, MACs and
default routes are worked out, and what no topology needs any longer is put back as it was. ``down``
is the same with an empty topology.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from vlanlink.desired.addressing import ProbeResults, work_out_addresses
from vlanlink.desired.builder import Builder
from vlanlink.desired.conflicts import address_conflicts, name_conflicts, parent_conflicts
from vlanlink.desired.duplicates import AddressProbe, ask_about_addresses
from vlanlink.desired.links import desired_link, peer_link
from vlanlink.desired.ownership import hand_over, kept_routes, restore_parents
from vlanlink.desired.parent_names import parents_first
from vlanlink.desired.parents import dummy_parent, find_parent
from vlanlink.desired.routes import default_routes, desired_route, subnet_routes
from vlanlink.desired.shim.link import add_shims
from vlanlink.desired.shim.routes import add_shim_routes
from vlanlink.desired.shim.warnings import return_routes, shim_warnings
from vlanlink.desired.sysctls import desired_sysctls
from vlanlink.errors import Path, Problem
from vlanlink.model import (
    HOST,
    LOOPBACK,
    NAMELESS,
    Link,
    LinkName,
    Namespace,
    Route,
    State,
    owner_in_words,
)
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record, Records
from vlanlink.topology import InterfaceConfig, Topology
from vlanlink.topology import LinkConfig as TopologyLink
from vlanlink.topology.export import text_of


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a topology comes to on this machine."""

    desired: State
    record: Record
    leases: Leases
    conflicts: tuple[Problem, ...] = ()
    """Why it can't be had here. Nothing may be changed if there are any."""
    warnings: tuple[Problem, ...] = ()
    lost: tuple[str, ...] = ()
    """The commands that would put back what nobody knows the prior value of."""
    probes: tuple[AddressProbe, ...] = ()
    """What the LAN is to be asked before anything of it is used."""


def resolve(
    topology: Topology,
    observed: State,
    records: Records,
    identity: str = "",
    leases: Leases | None = None,
    heard: ProbeResults | None = None,
) -> Resolution:
    """What ``topology`` wants of the machine that ``observed`` shows.

    ``records`` tell how things were, ``identity`` is the machine's (machine-id(5)), ``leases``
    are addresses handed out before, ``heard`` is what the LAN said of addresses so far.
    """
    heard = heard or {}
    addressing = work_out_addresses(topology, observed, leases or Leases(), heard)
    return _Resolver(topology, observed, records, identity, addressing).resolve(heard)


class _Resolver(Builder):
    @cached_property
    def other_names(self) -> dict[str, str]:
        """By alias, the name by which a namespace is known here."""
        spaces = self.observed.namespaces.items()
        return {alias: name for name, space in spaces for alias in space.aliases}

    def resolve(self, heard: ProbeResults) -> Resolution:
        self._add_namespaces()
        self._miss_old_paths()
        for name in parents_first(self.topology):
            self._add_link(HOST, name, self.topology.links[name], ("links", name))
        for space, namespace in self.topology.namespaces.items():
            for name, interface in namespace.interfaces.items():
                path = ("namespaces", space, "interfaces", name)
                self._add_link(space, name, interface, path)
        add_shims(self)
        self.conflicts += name_conflicts(self.links.values(), self.observed, self.name)
        self.conflicts += parent_conflicts(
            self.links, self.observed, self.name, frozenset(self.may_take_parent)
        )
        self.conflicts += address_conflicts(self)
        inquiries = ask_about_addresses(self, heard)
        self._add_routes()
        add_shim_routes(self)
        self.warnings += (*shim_warnings(self), *return_routes(self))
        hand_over(self)
        restore_parents(self)
        sysctls = desired_sysctls(
            self.topology, self.observed, self.records, self.links.keys(), self.warnings
        )
        self.conflicts += sysctls.conflicts
        return Resolution(
            State(self._spaces(sysctls.wanted)),
            self._record(sysctls.priors),
            self.addressing.leases,
            (*self.addressing.conflicts, *self.conflicts),
            tuple(self.warnings),
            tuple(sysctls.lost),
            inquiries,
        )

    # -- namespaces ----------------------------------------------------------------------------

    def _add_namespaces(self) -> None:
        for name, entry in self.topology.namespaces.items():
            self._add_namespace(name, ("namespaces", name), entry.pid, entry.path)
        for name, link in self.topology.links.items():
            if link.peer and link.peer.namespace:
                self._add_namespace(link.peer.namespace, ("links", name, "peer", "namespace"))

    def _add_namespace(
        self, name: str, origin: Path, pid: int | None = None, path: str | None = None
    ) -> None:
        if name in self.namespaces:
            return
        seen = self.observed.namespaces.get(name)
        seen = seen if seen and seen.made else None
        if (pid is not None or path is not None) and seen is None:
            where = f"process {pid}" if pid is not None else path
            key = "pid" if pid is not None else "path"
            self.conflicts.append(
                Problem((*origin, key), f"there is no network namespace at {where}")
            )
        called = self.other_names.get(name)
        if called is not None:
            whose = f"namespace {called}" if called != HOST else "the host's own namespace"
            self.conflicts.append(Problem(origin, f"{name} is {whose} by another name"))
        owner = self.name if seen is None else seen.owner
        if owner is not None and owner.startswith(NAMELESS):
            message = f"namespace {name} was made by {owner_in_words(owner)}"
            hint = "the two share the names of namespaces: give this one another"
            self.conflicts.append(Problem(origin, message, hint, at_key=True))
        self.namespaces[name] = Namespace(
            name, path=seen.path if seen else None, owner=owner, origin=origin
        )
        if owner == self.name:
            loopback = Link(
                LOOPBACK, "loopback", name, settings={"up": True}, owner=owner, origin=origin
            )
            self.links[loopback.key] = loopback

    def _miss_old_paths(self) -> None:
        """A namespace that was given by pid or path may live on where nothing here finds it."""
        own = self.records.own
        for name, path in own.paths.items() if own else ():
            if name not in self.observed.namespaces:
                message = (
                    f"namespace {name} is no longer at {path}: what was put there is out of sight"
                )
                self.warnings.append(Problem((), message))

    # -- links ---------------------------------------------------------------------------------

    def _add_link(
        self, space: str, name: str, entry: TopologyLink | InterfaceConfig, origin: Path
    ) -> None:
        network_name = entry.network if isinstance(entry, InterfaceConfig) else None
        network = self.topology.networks.get(network_name or "")
        parent_name = network.parent if network else entry.parent
        if network and network.parent is None:
            parent_name = dummy_parent(self, str(network_name), network)
        parent_path = ("networks", str(network_name), "parent") if network else (*origin, "parent")
        kind = network.kind if network else str(entry.kind)
        parent = find_parent(self, parent_name, kind, parent_path) if parent_name else None
        link = desired_link(
            self.topology,
            space,
            name,
            entry,
            origin,
            parent,
            self.identity,
            self.has_ipv6,
            self.addressing.addresses.get(LinkName(space, name)),
        )
        mtu_path = ("networks", str(network_name)) if network and not entry.mtu else origin
        self._check_mtu(link, parent, (*mtu_path, "mtu"), parent_path)
        self.links[link.key] = link
        if entry.take_parent or (network and network.take_parent):
            self.may_take_parent.add(link.key)
        if entry.peer:
            other = peer_link(self.topology, link, entry.peer, self.identity, self.has_ipv6)
            self.links[link.key] = replace(link, peer=other.key)
            self.links[other.key] = other

    def _check_mtu(self, link: Link, parent: Link | None, path: Path, related: Path) -> None:
        mtu = link.settings.get("mtu")
        if parent is None or not isinstance(mtu, int):
            return
        above = parent.settings.get("mtu", parent.defaults.get("mtu"))
        if isinstance(above, int) and mtu > above:
            self.conflicts.append(
                Problem(
                    path,
                    f"mtu {mtu} is above that of its parent {parent.name} ({above})",
                    f"raise that first: ip link set {parent.name} mtu {mtu}",
                    related=related,
                )
            )

    # -- routes --------------------------------------------------------------------------------

    def _add_routes(self) -> None:
        for link in list(self.links.values()):
            entry = self.entry(link)
            for i, route in enumerate(entry.routes if entry else ()):
                origin = (*link.origin, "routes", i)
                self.add_route(link.namespace, desired_route(route, link.name, origin))
        for space in self.topology.namespaces:
            defaults = list(default_routes(self.topology, space, self.links))
            others = subnet_routes(
                self.topology, space, self.links, self.addressing.subnets, defaults
            )
            for worked_out in (*defaults, *others):
                self.add_route(space, worked_out)
        for i, asked in enumerate(self.topology.host.routes):
            origin = ("host", "routes", i)
            key = LinkName(HOST, asked.dev)
            if key not in self.links and self.observed.link(key) is None:
                self.conflicts.append(
                    Problem((*origin, "dev"), f"there is no link {asked.dev} on this machine")
                )
            wanted = desired_route(asked, asked.dev, origin)
            if wanted in {r for r in self.observed.host.routes if not r.ours}:
                self.warnings.append(
                    Problem(origin, f"route {wanted} is there already; vlanlink leaves it alone")
                )
                continue
            self.add_route(HOST, wanted)

    # -- the result ----------------------------------------------------------------------------

    def _spaces(self, sysctls: Mapping[str, Mapping[str, str]]) -> dict[str, Namespace]:
        spaces = {HOST: Namespace(HOST, origin=("host",)), **self.namespaces}
        by_space: dict[str, dict[str, Link]] = {name: {} for name in spaces}
        for link in self.links.values():
            by_space[link.namespace][link.name] = link
        return {
            name: replace(
                space,
                links=by_space[name],
                routes=frozenset(self.routes.get(name, set()) | kept_routes(self, name)),
                sysctls=dict(sysctls.get(name, {})),
            )
            for name, space in spaces.items()
        }

    def _record(self, priors: Mapping[str, Mapping[str, object]]) -> Record:
        source = self.topology.source
        made = [n for n, space in self.namespaces.items() if space.owner == self.name]
        foreign_routes = [
            (space, str(route))
            for space, routes in self.routes.items()
            for route in routes
            if LinkName(space, route.dev) not in self.links and not self._has_owner(space, route)
        ]
        return Record(
            topology=self.name,
            file=source.file if source else None,
            text=text_of(self.topology),
            namespaces=tuple(sorted(made)),
            paths={
                n: namespace_path(entry.pid, entry.path)
                for n, entry in self.topology.namespaces.items()
                if entry.pid is not None or entry.path is not None
            },
            sysctls=priors,  # type: ignore[arg-type]
            raised=self.raised,
            routes=tuple(sorted(foreign_routes)),
        )

    def _has_owner(self, space: str, route: Route) -> bool:
        """Whether another topology has the route on a link of its own."""
        seen = self.observed.namespaces.get(space)
        dev = seen.links.get(route.dev) if seen else None
        if seen is None or dev is None or dev.owner in (None, self.name):
            return False
        row = (space, str(route))
        recorded = ([self.records.own] if self.records.own else []) + [*self.records.others]
        there = row in {(space, str(one)) for one in seen.routes if one.ours}
        return there and not any(row in record.routes for record in recorded)


def namespace_path(pid: int | None, path: str | None) -> str:
    """Where a namespace is found that a topology names by pid or path."""
    return path if path is not None else f"/proc/{pid}/ns/net"
