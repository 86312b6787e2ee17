"""Topology → desired State: everything that the file leaves unsaid is said here, once. Pure.

Networks become the options of their endpoints' links, missing VLAN parents become links, MACs and
default routes are worked out, and what no topology needs any longer is put back as it was. ``down``
is the same with an empty topology.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from vlanlink.desired.addressing import Heard, work_out_addresses
from vlanlink.desired.draft import Draft
from vlanlink.desired.endpoints import DEFAULT_MTU, IPV6_MINIMUM_MTU, desired_link, peer_link
from vlanlink.desired.heritage import keep_what_others_use, kept_routes, put_parents_back
from vlanlink.desired.occupancy import address_conflicts, name_conflicts, parent_conflicts
from vlanlink.desired.parents import dummy_name, implied_vlan, vlan_problem
from vlanlink.desired.priors import desired_sysctls
from vlanlink.desired.probing import Inquiry, ask_about_addresses
from vlanlink.desired.routes import default_routes, desired_route, subnet_routes
from vlanlink.desired.shim.link import add_shims
from vlanlink.desired.shim.routes import add_shim_routes
from vlanlink.desired.shim.warnings import return_routes, shim_warnings
from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS
from vlanlink.leases import Leases
from vlanlink.model import (
    HOST,
    LOOPBACK,
    Link,
    LinkName,
    Namespace,
    Setting,
    State,
)
from vlanlink.record import PriorLink, Record, Records
from vlanlink.topology import Interface, Network, Topology
from vlanlink.topology import Link as TopologyLink


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
    inquiries: tuple[Inquiry, ...] = ()
    """What the LAN is to be asked before anything of it is used."""


def resolve(
    topology: Topology,
    observed: State,
    records: Records,
    identity: str = "",
    leases: Leases | None = None,
    heard: Heard | None = None,
) -> Resolution:
    """What ``topology`` wants of the machine that ``observed`` shows.

    ``records`` tell how things were, ``identity`` is the machine's (machine-id(5)), ``leases``
    are addresses handed out before, ``heard`` is what the LAN said of addresses so far.
    """
    heard = heard or {}
    addressing = work_out_addresses(topology, observed, leases or Leases(), heard)
    return _Resolver(topology, observed, records, identity, addressing).resolve(heard)


class _Resolver(Draft):
    @cached_property
    def other_names(self) -> dict[str, str]:
        """By alias, the name by which a namespace is known here."""
        spaces = self.observed.namespaces.items()
        return {alias: name for name, space in spaces for alias in space.aliases}

    def resolve(self, heard: Heard) -> Resolution:
        self._add_namespaces()
        self._miss_old_paths()
        for name, link in self.topology.links.items():
            self._add_link(HOST, name, link, ("links", name))
        for space, namespace in self.topology.namespaces.items():
            for name, interface in namespace.interfaces.items():
                path = ("namespaces", space, "interfaces", name)
                self._add_link(space, name, interface, path)
        add_shims(self, self._has_ipv6())
        self.conflicts += name_conflicts(self.links.values(), self.observed, self.name)
        self.conflicts += parent_conflicts(
            self.links, self.observed, self.name, frozenset(self.takers)
        )
        self.conflicts += address_conflicts(self.links, self.observed, self.name)
        inquiries = ask_about_addresses(self, heard)
        self._add_routes()
        add_shim_routes(self)
        self.warnings += (*shim_warnings(self), *return_routes(self))
        keep_what_others_use(self)
        put_parents_back(self)
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
        self, space: str, name: str, entry: TopologyLink | Interface, origin: Path
    ) -> None:
        network_name = entry.network if isinstance(entry, Interface) else None
        network = self.topology.networks.get(network_name or "")
        parent_name = network.parent if network else entry.parent
        if network and network.parent is None:
            parent_name = self._dummy(str(network_name), network)
        parent_path = ("networks", str(network_name), "parent") if network else (*origin, "parent")
        kind = network.kind if network else str(entry.kind)
        parent = self._parent(parent_name, kind, parent_path) if parent_name else None
        link = desired_link(
            self.topology,
            space,
            name,
            entry,
            origin,
            parent,
            self.identity,
            self._has_ipv6(),
            self.addressing.addresses.get(LinkName(space, name)),
        )
        mtu_path = ("networks", str(network_name)) if network and not entry.mtu else origin
        self._check_mtu(link, parent, (*mtu_path, "mtu"), parent_path)
        self.links[link.key] = link
        if entry.take_parent or (network and network.take_parent):
            self.takers.add(link.key)
        if entry.peer:
            other = peer_link(self.topology, link, entry.peer, self.identity, self._has_ipv6())
            self.links[link.key] = replace(link, peer=other.key)
            self.links[other.key] = other

    def _has_ipv6(self) -> bool:
        loopback = self.observed.host.links.get(LOOPBACK)
        return loopback is None or "disable_ipv6" in loopback.settings

    def _parent(self, name: str, kind: str, path: Path) -> Link | None:
        """The parent as it shall be: ours to make, another's to use, or a conflict."""
        key = LinkName(HOST, name)
        if key in self.links and self.links[key].owner is not None:
            return self._real(self.links[key], kind)
        if name in self.topology.links:
            self._add_link(HOST, name, self.topology.links[name], ("links", name))
            return self._real(self.links[key], kind)
        seen = self.observed.link(key)
        implied = implied_vlan(name)
        if implied and (seen is None or seen.owner == self.name):
            return self._make_vlan(name, implied, path)
        if seen is None:
            self.conflicts.append(
                Problem(path, f"parent {name} does not exist on this machine", self._parents_hint())
            )
            return None
        problem = implied and vlan_problem(seen, implied)
        if problem:
            self.conflicts.append(Problem(path, problem))
        self._raise(seen, path)
        return self._real(seen, kind)

    def _parents_hint(self) -> str:
        names = sorted(n for n, link in self.observed.host.links.items() if n != LOOPBACK)
        return "there are " + ", ".join(names[:12]) if names else "there is no link but lo"

    def _dummy(self, name: str, network: Network) -> str:
        """The parent of a network that has none: a dummy link of ours."""
        link_name = dummy_name(self.name, name)
        mtu = {"mtu": network.mtu} if network.mtu else {}
        link = Link(
            link_name,
            "dummy",
            settings={"up": True, **mtu, **self._no_ipv6(mtu or {"mtu": DEFAULT_MTU})},
            defaults={"mtu": DEFAULT_MTU},
            owner=self.name,
            origin=("networks", name),
        )
        self.links.setdefault(link.key, link)
        return link_name

    def _real(self, link: Link, kind: str) -> Link:
        """The device below a parent of the same kind, which is where the kernel attaches."""
        while KINDS.get(kind) and KINDS[kind].flattens and link.kind == kind and link.parent:
            below = self.links.get(link.parent) or self.observed.link(link.parent)
            if below is None:
                break
            link = below
        return link

    def _make_vlan(self, name: str, implied: tuple[str, int], path: Path) -> Link | None:
        below_name, vlan_id = implied
        below = self._parent(below_name, "vlan", path)
        if below is None:
            return None
        self._refuse_other_name(name, below, vlan_id, path)
        link = Link(
            name,
            "vlan",
            parent=below.key,
            settings={"id": vlan_id, "up": True, **self._no_ipv6(_inherited(below))},
            defaults=_inherited(below),
            owner=self.name,
            origin=path,
        )
        self.links[link.key] = link
        return link

    def _refuse_other_name(self, name: str, below: Link, vlan_id: int, path: Path) -> None:
        for other in self.observed.children(below.key):
            same = (other.kind, other.settings.get("id"), other.settings.get("protocol"))
            if same == ("vlan", vlan_id, "802.1q") and other.key != LinkName(HOST, name):
                self.conflicts.append(
                    Problem(
                        path,
                        f"VLAN {vlan_id} of {below.name} is there under the name {other.key}",
                        f'write parent = "{other.name}"',
                    )
                )

    def _no_ipv6(self, inherited: Mapping[str, Setting]) -> dict[str, Setting]:
        mtu = inherited.get("mtu")
        small = isinstance(mtu, int) and mtu < IPV6_MINIMUM_MTU
        return {"disable_ipv6": 1} if self._has_ipv6() and not small else {}

    def _raise(self, seen: Link, path: Path) -> None:
        """Set a parent up that is down, and remember what it was."""
        own = self.records.own
        before = own.raised.get(seen.name) if own else None
        if before is None:
            before = next(
                (r.raised[seen.name] for r in self.records.others if seen.name in r.raised), None
            )
        if seen.up and before is None:
            return
        if seen.owner is not None:
            return
        if before is None:
            before = PriorLink(
                tuple(a.text for a in seen.addresses if a.permanent),
                tuple(a.text for a in seen.addresses if a.permanent and a.nodad),
                tuple(sorted(str(child.key) for child in self.observed.children(seen.key))),
            )
        self.raised[seen.name] = before
        if seen.key not in self.links:
            self.links[seen.key] = Link(
                seen.name, seen.kind, settings={"up": True}, owner=None, origin=path
            )

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
            if LinkName(space, route.dev) not in self.links
        ]
        return Record(
            topology=self.name,
            file=source.file if source else None,
            text=source.text if source else "",
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


def namespace_path(pid: int | None, path: str | None) -> str:
    """Where a namespace is found that a topology names by pid or path."""
    return path if path is not None else f"/proc/{pid}/ns/net"


def _inherited(parent: Link) -> dict[str, Setting]:
    return {
        key: value
        for key in ("mtu", "mac")
        if (value := parent.settings.get(key, parent.defaults.get(key))) is not None
    }
