"""Who must reach whom, as a topology promises it. Pure.

A pair is judged when the topology by itself determines it: the way there and back lies within it,
or it ends within it. What a router outside could join is not judged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from vlanlink.model import HOST, LOOPBACK, Link, LinkName, Namespace, Route, State
from vlanlink.reachability.paths import Outcome, Path, Paths, title
from vlanlink.reachability.segments import Segments
from vlanlink.topology import InterfaceConfig, Topology

GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Pair:
    """A namespace, and an address that it reaches or does not.

    ``target`` is the namespace that has the address, or ``gateway``; ``interface`` the link that a
    gateway is asked by. ``promised`` is None for what only a router outside could join.
    """

    source: str
    target: str
    address: str
    interface: str | None
    promised: bool | None
    way: Path

    @property
    def reason(self) -> str:
        """Why the topology promises that."""
        return self.way.reason

    @property
    def kind(self) -> str:
        """The same without names: pairs of one kind have one answer for one cause."""
        named = self.way.end not in (Outcome.ARRIVES, Outcome.BARRED)
        return str(self.way.end) if named else self.way.reason


def promised_state(observed: State, desired: State, topology: str) -> State:
    """The machine as the topology wants it: what it makes, and what is there besides.

    Only the namespaces of the topology, and the host; what is in others is outside.
    """
    return State(
        {
            name: _promised_namespace(observed.namespaces.get(name), wanted, topology)
            for name, wanted in desired.namespaces.items()
            if _is_inside(wanted, topology)
        }
    )


def observed_state(observed: State, desired: State, topology: str) -> State:
    """The same namespaces as they are."""
    return State(
        {
            name: observed.namespaces.get(name) or Namespace(name, made=False)
            for name, wanted in desired.namespaces.items()
            if _is_inside(wanted, topology)
        }
    )


def _is_inside(wanted: Namespace, topology: str) -> bool:
    """Whether the topology has something in a namespace; the others are there to be kept."""
    return wanted.name == HOST or any(link.owner == topology for link in wanted.links.values())


def _promised_namespace(seen: Namespace | None, wanted: Namespace, topology: str) -> Namespace:
    if seen is None:
        return wanted
    links = {name: link for name, link in seen.links.items() if link.owner != topology}
    for name, link in wanted.links.items():
        links[name] = _promised_link(seen.links.get(name), link)
    routes = {route for route in seen.routes if not route.ours and route.dev in links}
    return replace(
        wanted,
        links=links,
        routes=wanted.routes | routes,
        sysctls={**seen.sysctls, **wanted.sysctls},
    )


def _promised_link(seen: Link | None, wanted: Link) -> Link:
    if seen is None:
        return wanted
    if wanted.owner is None:  # somebody else's, of which some settings are asked for
        return replace(seen, settings={**seen.settings, **wanted.settings})
    known = {address.text for address in wanted.addresses}
    learnt = tuple(a for a in seen.addresses if not a.ours and a.text not in known)
    settings = {"mac": seen.settings.get("mac"), **wanted.settings}
    return replace(wanted, addresses=(*wanted.addresses, *learnt), settings=settings,
                   master=seen.master)  # fmt: skip


def hairpins(topology: Topology) -> frozenset[LinkName]:
    """The links whose switch sends frames back by the port that they came from."""
    return frozenset(
        key
        for key, interface in _interfaces(topology)
        if interface.network and topology.networks[interface.network].hairpin
    )


def paths_of(state: State, topology: Topology) -> Paths:
    """The ways of a State, with what the topology tells of the switch."""
    return Paths(state, Segments(state, hairpins(topology)))


def endpoints(desired: State) -> tuple[str, ...]:
    """The namespaces with an address that is the topology's."""
    return tuple(
        name
        for name, space in desired.namespaces.items()
        if name != HOST and any(True for _ in own_addresses(space))
    )


def own_addresses(space: Namespace) -> Iterator[str]:
    """The addresses that can be asked for, of links that are up."""
    for link in space.links.values():
        if link.up and link.name != LOOPBACK:
            yield from (a.bare for a in link.addresses if not a.link_local)


class Reachability:
    """The pairs of a topology on a machine."""

    def __init__(self, topology: Topology, observed: State, desired: State) -> None:
        self.topology = topology
        self.desired = desired
        self.state = promised_state(observed, desired, topology.name)
        self.paths = paths_of(self.state, topology)
        self._exposed = frozenset(_exposed(self.paths))

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
        """Those of the host's links that the topology made, or has something on."""
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

    # -- what is promised ----------------------------------------------------------------------

    def _to_address(self, source: str, target: str, address: str) -> Pair:
        way = self.paths.there_and_back(source, address)
        promised = _verdict(way)
        shut_in = promised is None and not {source, target} <= self._exposed
        if shut_in:
            who = title(source if source not in self._exposed else target)
            way = replace(way, end=Outcome.NOBODY, reason=f"{who} has no way out of the host")
            promised = False
        return Pair(source, target, address, None, promised, way)

    def _to_gateway(self, source: str, gateway: str, link: Link) -> Pair:
        way = self.paths.way(source, gateway, link)
        promised = _verdict(way)
        if way.end is Outcome.OUTSIDE and way.next_hop == gateway:
            way = replace(way, end=Outcome.ARRIVES, reason="on its wire")
            promised = True
        return Pair(source, GATEWAY, gateway, link.name, promised, way)

    def _gateways(self, source: str) -> Iterator[tuple[str, Link]]:
        """The next hops of a namespace that no endpoint of the topology is."""
        space = self.desired.namespaces[source]
        found = [(route.via, route.dev) for route in sorted(space.routes, key=_order) if route.via]
        found += [(gateway, link) for gateway, link in self._written_gateways(source)]
        for gateway, name in dict.fromkeys(found):
            link = self.state.link(LinkName(source, name))
            if link and link.up and gateway and not self.paths.holders(gateway):
                yield gateway, link

    def _written_gateways(self, source: str) -> Iterator[tuple[str, str]]:
        for key, interface in _interfaces(self.topology):
            network = self.topology.networks.get(interface.network or "")
            link = self.desired.link(key)
            if key.namespace != source or network is None or link is None:
                continue
            own = [ip_address(address.bare) for address in link.addresses]
            for subnet in network.subnets or ():
                if subnet.gateway is not None and any(ip in subnet.subnet for ip in own):
                    yield str(subnet.gateway), link.name


def _order(route: Route) -> tuple[int, str, str, int]:
    return route.family, route.to, route.dev, route.metric


def _interfaces(topology: Topology) -> Iterator[tuple[LinkName, InterfaceConfig]]:
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            yield LinkName(space, name), interface


def _verdict(way: Path) -> bool | None:
    if way.end is Outcome.OUTSIDE:
        return None
    return way.end is Outcome.ARRIVES


def _exposed(paths: Paths) -> Iterator[str]:
    """The namespaces that what is outside could reach: by a wire of theirs, or by a router."""
    wires = paths.wires
    on: Mapping[str, set[object]] = {
        name: {wires.of(link) for link in space.links.values() if link.up and link.name != LOOPBACK}
        for name, space in paths.state.namespaces.items()
    }
    found = {name for name, own in on.items() if any(map(wires.is_open, own))}  # type: ignore[arg-type]
    while True:
        through = {
            wire
            for name in found
            if paths.forwards(name, "", 4) or paths.forwards(name, "", 6)
            for wire in on[name]
        }
        more = {name for name, own in on.items() if own & through} - found
        if not more:
            yield from found
            return
        found |= more
