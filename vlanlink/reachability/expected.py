"""Who is expected to reach whom, by the topology. Pure.

A pair is judged where the topology alone determines the result: its path and the return path lie,
or end, inside the topology. A pair that a router outside could connect is not judged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import ip_address

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.routes import ANYWHERE
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, Namespace, Route, State
from vlanlink.reachability.paths import Outcome, Path, Paths, title
from vlanlink.reachability.segments import Segments
from vlanlink.topology import InterfaceConfig, Topology

GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Pair:
    """A namespace, and an address that it is expected to reach or not to reach.

    ``target`` is the namespace with the address, or ``gateway``; ``interface`` the link that
    probes a gateway. ``expected`` is None where only a router outside could connect the two.
    """

    source: str
    target: str
    address: str
    interface: str | None
    expected: bool | None
    path: Path

    @property
    def reason(self) -> str:
        """Why that is expected."""
        return self.path.reason

    @property
    def kind(self) -> str:
        """The reason without names: one for all pairs of a kind."""
        named = self.path.outcome not in (Outcome.ARRIVES, Outcome.BLOCKED)
        return str(self.path.outcome) if named else self.path.reason


def expected_state(observed: State, desired: State, topology: str) -> State:
    """The machine as the topology wants it: its own links, and what else exists.

    The host and the topology's namespaces only; other namespaces count as outside.
    """
    return State(
        {
            name: _expected_namespace(observed.namespaces.get(name), wanted, topology)
            for name, wanted in desired.namespaces.items()
            if _is_inside(wanted, topology)
        }
    )


def observed_state(observed: State, desired: State, topology: str) -> State:
    """The same namespaces as observed."""
    return State(
        {
            name: observed.namespaces.get(name) or Namespace(name, made=False)
            for name, wanted in desired.namespaces.items()
            if _is_inside(wanted, topology)
        }
    )


def _is_inside(wanted: Namespace, topology: str) -> bool:
    """Whether a namespace has links of the topology; others are only kept."""
    return wanted.name == HOST or any(link.owner == topology for link in wanted.links.values())


def _expected_namespace(seen: Namespace | None, wanted: Namespace, topology: str) -> Namespace:
    if seen is None:
        return wanted
    links = {name: link for name, link in seen.links.items() if link.owner != topology}
    for name, link in wanted.links.items():
        links[name] = _expected_link(seen.links.get(name), link)
    routes = {route for route in seen.routes if not route.ours and route.dev in links}
    return replace(
        wanted,
        links=links,
        routes=wanted.routes | routes,
        sysctls={**seen.sysctls, **wanted.sysctls},
    )


def _expected_link(seen: Link | None, wanted: Link) -> Link:
    if seen is None:
        return wanted
    if wanted.owner is None:  # a foreign link with some settings in the file
        return replace(seen, settings={**seen.settings, **wanted.settings})
    known = {address.text for address in wanted.addresses}
    learnt = tuple(a for a in seen.addresses if not a.ours and a.text not in known)
    settings = {"mac": seen.settings.get("mac"), **wanted.settings}
    return replace(wanted, addresses=(*wanted.addresses, *learnt), settings=settings,
                   master=seen.master)  # fmt: skip


def hairpins(topology: Topology) -> frozenset[LinkName]:
    """The links whose switch reflects frames to the port that they came from."""
    return frozenset(
        key
        for key, interface in _interfaces(topology)
        if interface.network and topology.networks[interface.network].hairpin
    )


def paths_of(state: State, topology: Topology) -> Paths:
    """The paths of a State, with the topology's ``hairpin`` switches."""
    return Paths(state, Segments(state, hairpins(topology)))


def endpoints(desired: State) -> tuple[str, ...]:
    """The namespaces with an address of the topology's."""
    return tuple(
        name
        for name, space in desired.namespaces.items()
        if name != HOST and any(True for _ in own_addresses(space))
    )


def own_addresses(space: Namespace) -> Iterator[str]:
    """The addresses to probe: those of links that are up."""
    for link in space.links.values():
        if link.up and link.name != LOOPBACK:
            yield from (a.bare for a in link.addresses if not a.link_local)


class Reachability:
    """The pairs of a topology on a machine."""

    def __init__(self, topology: Topology, observed: State, desired: State) -> None:
        self.topology = topology
        self.desired = desired
        self.state = expected_state(observed, desired, topology.name)
        self.paths = paths_of(self.state, topology)
        self._exposed = frozenset(_exposed(self.paths))
        self._host_routers = frozenset(_routers(self.state.host))

    def pairs(self, chosen: Collection[str]) -> Iterator[Pair]:
        """Every pair among the chosen namespaces, the host and their gateways."""
        addresses = {
            name: tuple(dict.fromkeys(own_addresses(self.desired.namespaces[name])))
            for name in chosen
        }
        targets: dict[str, Iterable[str]] = {HOST: self._host_addresses(), **addresses}
        for source in (HOST, *chosen):
            for gateway, link in self._gateways(source):
                yield self._to_gateway(source, gateway, link)
            for target, held in targets.items():
                if target != source:
                    for address in held:
                        yield self._to_address(source, target, address)

    def _host_addresses(self) -> tuple[str, ...]:
        """The addresses of the topology's links on the host, and of its parents."""
        host = self.state.host
        parents = {link.parent.name for link in self.desired.links()
                   if link.parent and link.parent.namespace == HOST}  # fmt: skip
        wanted = [
            link
            for name, link in host.links.items()
            if link.up and (name in parents or name in self.desired.host.links)
        ]
        found = (a.bare for link in wanted for a in link.addresses)
        return tuple(dict.fromkeys(a for a in found if not ip_address(a).is_link_local))

    # -- expectations --------------------------------------------------------------------------

    def _to_address(self, source: str, target: str, address: str) -> Pair:
        path = self.paths.round_trip(source, address)
        expected = _verdict(path)
        if source == HOST and path.block and address in self._host_routers:
            # What can't be: the host has no way out then, whatever the topology says.
            return Pair(source, target, address, None, True, path)
        shut_in = expected is None and not {source, target} <= self._exposed
        if shut_in:
            who = title(source if source not in self._exposed else target)
            path = replace(
                path, outcome=Outcome.NOBODY, reason=f"{who} has no path out of the host"
            )
            expected = False
        return Pair(source, target, address, None, expected, path)

    def _to_gateway(self, source: str, gateway: str, link: Link) -> Pair:
        path = self.paths.path(source, gateway, link)
        expected = _verdict(path)
        if path.outcome is Outcome.OUTSIDE and path.next_hop == gateway:
            path = replace(path, outcome=Outcome.ARRIVES, reason="on its segment")
            expected = True
        return Pair(source, GATEWAY, gateway, link.name, expected, path)

    def _gateways(self, source: str) -> Iterator[tuple[str, Link]]:
        """The next hops of a namespace that are no endpoints of the topology."""
        space = self.desired.namespaces[source]
        found = [(route.via, route.dev) for route in sorted(space.routes, key=_order) if route.via]
        found += [(gateway, link) for gateway, link in self._written_gateways(source)]
        for gateway, name in dict.fromkeys(found):
            link = self.state.link(LinkName(source, name))
            if link and link.up and gateway and not self.paths.holders(gateway):
                yield gateway, link

    def _written_gateways(self, source: str) -> Iterator[tuple[str, str]]:
        namespace = self.topology.namespaces.get(source)
        for name, interface in namespace.interfaces.items() if namespace else ():
            network = self.topology.networks.get(interface.network or "")
            link = self.desired.link(LinkName(source, name))
            if network is None or link is None:
                continue
            own = [ip_address(address.bare) for address in link.addresses]
            for subnet in network.subnets or ():
                if subnet.gateway is not None and any(ip in subnet.subnet for ip in own):
                    yield str(subnet.gateway), link.name


def _routers(space: Namespace) -> Iterator[str]:
    """The next hop of the namespace's default route, per family."""
    for family, to in ANYWHERE.items():
        found = [r for r in space.routes if r.to == to and r.family == family]
        best = min(found, key=lambda route: route.metric, default=None)
        if best and best.via:
            yield best.via


def _order(route: Route) -> tuple[int, str, str, int]:
    return route.family, route.to, route.dev, route.metric


def _interfaces(topology: Topology) -> Iterator[tuple[LinkName, InterfaceConfig]]:
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            yield LinkName(space, name), interface


def _verdict(path: Path) -> bool | None:
    if path.outcome is Outcome.OUTSIDE:
        return None
    return path.outcome is Outcome.ARRIVES


def _exposed(paths: Paths) -> Iterator[str]:
    """The namespaces that an outside host could reach: by a segment of theirs, or a router."""
    segments = paths.segments
    on: Mapping[str, set[object]] = {
        name: {
            segments.of(link) for link in space.links.values() if link.up and link.name != LOOPBACK
        }
        for name, space in paths.state.namespaces.items()
    }
    found = {name for name, own in on.items() if any(map(segments.is_open, own))}  # type: ignore[arg-type]
    while True:
        through = {
            segment
            for name in found
            if paths.forwards(name, "", 4) or paths.forwards(name, "", 6)
            for segment in on[name]
        }
        more = {name for name, own in on.items() if own & through} - found
        if not more:
            yield from found
            return
        found |= more
