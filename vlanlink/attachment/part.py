"""The part of a topology that one attachment is about, and how it joins the rest. Pure."""

from collections.abc import Iterator

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.reserved import written
from vlanlink.desired.resolve import Resolution
from vlanlink.model import HOST, Link, LinkName, Namespace, Route, State
from vlanlink.planning.plan import Plan, undo_target
from vlanlink.store.attached import AttachmentKey
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record
from vlanlink.topology import HostConfig, NamespaceConfig, Topology


def part_of(topology: Topology) -> Topology:
    """The topology without its endpoints: networks, and the host's links as parents."""
    spaces = {name: NamespaceConfig() for name in topology.namespaces}
    return replace(topology, namespaces=spaces, host=HostConfig())


def reserved(topology: Topology, leases: Leases) -> dict[str, str]:
    """The addresses of the topology's own endpoints, with prefix or bare, and who has them."""
    return {text.partition("/")[0]: who for text, who in _reserved(topology, leases)}


def _reserved(topology: Topology, leases: Leases) -> Iterator[tuple[str, str]]:
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            for text in written(interface.addresses):
                yield text, f"{space}/{name}"
    for (_, space, name), addresses in leases.addresses.items():
        yield from ((text, str(LinkName(space, name))) for text in addresses)


@dataclass(frozen=True, slots=True)
class Joined:
    """What was resolved for one attachment, with all else that the topology has as it is."""

    key: AttachmentKey
    own: Record
    leases: Leases
    """The topology's before."""
    interfaces: frozenset[str]
    """The attachment's interface, now and before."""
    gone: frozenset[str] = frozenset()
    """Bare addresses that it had before."""

    def __call__(self, observed: State, resolution: Resolution) -> Resolution:
        """As ``Narrowed``."""
        wanted, kept = resolution.desired, undo_target(observed, Plan(self.own.topology))
        _, space = self.key
        links = self._links(observed, wanted)
        host_links = {link.name: link for link in links if link.namespace == HOST}
        host = replace(
            kept.host,
            links={**kept.host.links, **host_links},
            routes=self._host_routes(kept, wanted, {*kept.host.links, *host_links}),
        )
        spaces = {**kept.namespaces, HOST: host}
        if space in observed.namespaces:
            spaces[space] = self._space(kept, wanted)
        return replace(
            resolution,
            desired=State(spaces, files=kept.files),
            record=self._record(resolution.record),
            leases=self._leases(resolution.leases),
            warnings=(),
            restore_commands=(),
        )

    def _record(self, found: Record) -> Record:
        return replace(
            self.own,
            parents={**found.parents, **self.own.parents},
            stands_on=tuple(sorted({*self.own.stands_on, *found.stands_on})),
        )

    def _endpoints(self, wanted: State) -> list[Link]:
        space = wanted.namespaces.get(self.key[1])
        links = space.links if space else {}
        return [links[name] for name in self.interfaces if name in links]

    def _links(self, observed: State, wanted: State) -> list[Link]:
        """Its parents as far as they are to be made or brought up, and a shim that is new."""
        found: list[Link] = []
        for endpoint in self._endpoints(wanted):
            below = endpoint.parent
            while below is not None and (link := wanted.link(below)):
                if observed.link(below) is None or link.owner is None:
                    found.append(link)
                below = link.parent
            for link in wanted.host.links.values():
                if link.parent == endpoint.parent and link.owner == self.own.topology:
                    found.append(_shared(observed.link(link.key), link))
        return found

    def _host_routes(self, kept: State, wanted: State, devs: set[str]) -> frozenset[Route]:
        ours = {
            route
            for route in wanted.host.routes
            if route.dev in devs and self._leads_here(route, wanted)
        }
        gone = {f"{ip}/{128 if ':' in ip else 32}" for ip in self.gone}
        left = {r for r in kept.host.routes if r.to not in gone}
        return frozenset(left | ours)

    def _leads_here(self, route: Route, wanted: State) -> bool:
        parents = {endpoint.parent for endpoint in self._endpoints(wanted)}
        dev = wanted.host.links.get(route.dev)
        return dev is not None and dev.owner == self.own.topology and dev.parent in parents

    def _space(self, kept: State, wanted: State) -> Namespace:
        name = self.key[1]
        before = kept.namespaces[name]
        links = {k: link for k, link in before.links.items() if k not in self.interfaces}
        links |= {link.name: link for link in self._endpoints(wanted)}
        routes = {route for route in before.routes if route.dev not in self.interfaces}
        now = wanted.namespaces.get(name)
        return replace(
            before, links=links, routes=frozenset(routes | (now.routes if now else set()))
        )

    def _leases(self, found: Leases) -> Leases:
        return replace(
            self.leases,
            attachments=found.attachments,
            parents={**self.leases.parents, **found.parents},
            subnets={**self.leases.subnets, **found.subnets},
            nics={**self.leases.nics, **found.nics},
        )


_IPV6 = ("disable_ipv6", "accept_ra", "accept_dad")


def _shared(seen: Link | None, shim: Link) -> Link:
    """A shim that others use too: it keeps what they need, and gets what is new."""
    if seen is None:
        return shim
    more = tuple(address for address in shim.addresses if address not in seen.addresses)
    settings = dict(seen.settings)
    if shim.settings.get("disable_ipv6") == 0 and seen.settings.get("disable_ipv6"):
        settings |= {k: v for k, v in shim.settings.items() if k in _IPV6}
    mtus = [v for v in (seen.settings.get("mtu"), shim.settings.get("mtu")) if isinstance(v, int)]
    return replace(
        seen,
        addresses=seen.addresses + more,
        settings=settings | {"mtu": min(mtus)},
        origin=shim.origin,
    )
