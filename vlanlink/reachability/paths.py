"""The way that packets take from a namespace to an address, over the links of a State. Pure.

The kernel's own rules, as far as a State holds what they need: longest prefix, then metric
(ip-route(8)); an IPv4 address is answered for by every link of its namespace, an IPv6 address by
its own (ip-sysctl.rst, arp_ignore); routed links have no neighbours, and their parent's namespace
sends on what is for none of them (Documentation/networking/ipvlan.rst).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, Namespace, Route, State, family_of
from vlanlink.reachability.segments import Block, Segments, Wire
from vlanlink.sysctl import FORWARDING

_HOPS = 16
_MAIN = 254


class Outcome(StrEnum):
    """Where a way ends."""

    ARRIVES = "arrives"
    OUTSIDE = "leaves the topology"
    NO_ROUTE = "no route"
    NO_WAY_BACK = "no way back"
    NOT_FORWARDED = "not forwarded"
    NOBODY = "nobody there"
    BARRED = "barred"


@dataclass(frozen=True, slots=True)
class Path:
    """A way, and what its end is for."""

    end: Outcome
    reason: str
    at: str = HOST
    """The namespace that it got to."""
    barrier: Block = Block.NONE
    link: LinkName | None = None
    """The first link that it takes, None for an address of the namespace's own."""
    next_hop: str | None = None
    """The neighbour on that link."""
    source: str | None = None
    """The address that is asked from."""
    came_by: tuple[LinkName, ...] = ()
    """The links by which it comes into the namespaces that it goes through."""


@dataclass(frozen=True, slots=True)
class _Row:
    route: Route
    network: object
    length: int


def title(namespace: str) -> str:
    """A namespace as it is called in messages."""
    return namespace or "host"


class Paths:
    """The ways of a State."""

    def __init__(self, state: State, wires: Segments) -> None:
        self.state = state
        self.wires = wires
        self._tables: dict[tuple[str, int], list[_Row]] = {}
        self._held = {name: _addresses(space) for name, space in state.namespaces.items()}
        self._answering: dict[tuple[Wire, str], list[Link]] = {}
        for link in state.links():
            if link.up and not _is_routed(link):
                for address in self._answered_by(link):
                    self._answering.setdefault((wires.of(link), address), []).append(link)

    def _answered_by(self, link: Link) -> set[str]:
        """The addresses that a link answers its neighbours for."""
        own = {held.bare for held in link.addresses}
        return own | {held for held in self._held[link.namespace] if family_of(held) == 4}

    def there_and_back(self, namespace: str, address: str, by: Link | None = None) -> Path:
        """The way to an address; one that arrives without a way back ends with that."""
        way = self.way(namespace, address, by)
        if way.end is not Outcome.ARRIVES or way.link is None:
            return way
        if way.source is None:
            reason = f"{title(namespace)} has no address to ask from"
            return replace(way, end=Outcome.NO_ROUTE, reason=reason)
        back = self.way(way.at, way.source)
        if back.end is Outcome.ARRIVES:
            through = [title(key.namespace) for key in way.came_by[:-1]]
            reason = f"by way of {' and '.join(through)}" if through else way.reason
            return replace(way, reason=reason, came_by=(*way.came_by, *back.came_by))
        if back.end is Outcome.OUTSIDE:
            return replace(way, end=Outcome.OUTSIDE, reason=f"back: {back.reason}")
        reason = f"no way back: {back.reason}"
        return replace(way, end=Outcome.NO_WAY_BACK, reason=reason, barrier=back.barrier)

    def way(self, namespace: str, address: str, by: Link | None = None) -> Path:
        """The way of packets from a namespace to an address; by one of its links, if given."""
        return self._from(namespace, address, by, came_by=(), hops=_HOPS)

    def holders(self, address: str) -> list[str]:
        """The namespaces that have the address."""
        return [name for name, held in self._held.items() if address in held]

    def forwards(self, namespace: str, link: str, family: int) -> bool:
        """Whether what comes in by a link and is for others is sent on."""
        values = self.state.namespaces[namespace].sysctls
        keys = [FORWARDING[family]]
        if family == 4:
            keys = [f"net/ipv4/conf/{link}/forwarding", "net/ipv4/conf/all/forwarding", *keys]
        return next((values[key] for key in keys if key in values), "0") != "0"

    # -- one step after the other --------------------------------------------------------------

    def _from(
        self,
        at: str,
        address: str,
        by: Link | None,
        *,
        came_by: tuple[LinkName, ...],
        hops: int,
    ) -> Path:
        if address in self._held[at]:
            return Path(Outcome.ARRIVES, "", at, came_by=came_by)
        family = family_of(address)
        if came_by and not self.forwards(at, came_by[-1].name, family):
            return Path(Outcome.NOT_FORWARDED, f"{title(at)} does not forward IPv{family}", at)
        if hops == 0:
            return Path(Outcome.NO_ROUTE, f"the way to {address} goes round in circles", at)
        best = self._best(at, address, by)
        if not best:
            return Path(Outcome.NO_ROUTE, f"{title(at)} has no route to {address}", at)
        ways = [self._along(route, at, address, came_by, hops) for route in best]
        if len({way.end for way in ways}) > 1:
            reason = f"{title(at)} has several equal routes to {address}"
            return replace(ways[0], end=Outcome.OUTSIDE, reason=reason)
        return ways[0]

    def _along(
        self, route: Route, at: str, address: str, came_by: tuple[LinkName, ...], hops: int
    ) -> Path:
        link = self.state.namespaces[at].links[route.dev]
        if _is_routed(link):
            found = self._without_neighbours(link, address, came_by)
            next_hop = None
        else:
            next_hop = route.via or address
            found = self._by_neighbour(link, next_hop, address, came_by, hops)
        source = self._source(at, link, route, family_of(address))
        return replace(found, link=link.key, next_hop=next_hop, source=source)

    def _by_neighbour(
        self, link: Link, next_hop: str, address: str, came_by: tuple[LinkName, ...], hops: int
    ) -> Path:
        wire = self.wires.of(link)
        answering = self._answering.get((wire, next_hop), [])
        others = [other for other in answering if other.key != link.key]
        met = [(other, self.wires.meet(link, other)) for other in others]
        for other, meeting in met:
            if meeting.heard:
                ways_in = (*came_by, other.key)
                way = self._from(other.namespace, address, None, came_by=ways_in, hops=hops - 1)
                if way.end is Outcome.ARRIVES and len(ways_in) == 1:
                    return replace(way, reason=meeting.reason, barrier=meeting.barrier)
                return way
        if met:
            _, meeting = met[0]
            return Path(Outcome.BARRED, meeting.reason, link.namespace, meeting.barrier)
        if self.wires.is_open(wire):
            beyond = "" if next_hop == address else f" by {next_hop}"
            return Path(Outcome.OUTSIDE, f"out of {link.key}{beyond}", link.namespace)
        return Path(
            Outcome.NOBODY, f"nobody on the wire of {link.key} has {next_hop}", link.namespace
        )

    def _without_neighbours(self, link: Link, address: str, came_by: tuple[LinkName, ...]) -> Path:
        """By a routed link: to a sibling that has the address, else on from the parent."""
        for other in self.wires.stations(self.wires.of(link)):
            sibling = other.key != link.key and other.parent == link.parent
            if sibling and other.up and address in {held.bare for held in other.addresses}:
                meeting = self.wires.meet(link, other)
                if meeting.heard:
                    ways_in = (*came_by, other.key)
                    return Path(Outcome.ARRIVES, meeting.reason, other.namespace, came_by=ways_in)
                return Path(Outcome.BARRED, meeting.reason, link.namespace, meeting.barrier)
        parent = self.state.link(link.parent)
        if parent is None:
            return Path(Outcome.OUTSIDE, f"out of {link.key}", link.namespace)
        if address in {held.bare for held in parent.addresses}:
            return Path(Outcome.ARRIVES, f"{link.kind} routes by {parent.key}", parent.namespace,
                       came_by=(*came_by, parent.key))  # fmt: skip
        if self.wires.is_open(self.wires.of(link)):
            return Path(
                Outcome.OUTSIDE, f"out of {parent.key}, as {title(parent.namespace)} routes"
            )
        return Path(Outcome.NOBODY, f"nobody on {parent.key} has {address}", link.namespace)

    # -- routes --------------------------------------------------------------------------------

    def _best(self, namespace: str, address: str, by: Link | None) -> list[Route]:
        target = _parsed(address)
        rows = [
            row
            for row in self._table(namespace, family_of(address))
            if target in row.network and (by is None or row.route.dev == by.name)  # type: ignore[operator]
        ]
        if not rows:
            return []
        length = max(row.length for row in rows)
        metric = min(row.route.metric for row in rows if row.length == length)
        best = [r.route for r in rows if r.length == length and r.route.metric == metric]
        return list({(route.dev, route.via): route for route in best}.values())

    def _table(self, namespace: str, family: int) -> list[_Row]:
        key = (namespace, family)
        if key not in self._tables:
            space = self.state.namespaces[namespace]
            routes = [*_connected(space, family), *space.routes]
            self._tables[key] = [
                _Row(route, (network := ip_network(route.to, strict=False)), network.prefixlen)
                for route in routes
                if route.family == family and route.table == _MAIN and _is_up(space, route.dev)
            ]
        return self._tables[key]

    def _source(self, at: str, link: Link, route: Route, family: int) -> str | None:
        """The address that the kernel asks from: of the route, the link, or another link."""
        if route.src:
            return route.src
        toward = _parsed(route.via or route.to.partition("/")[0])
        own = [a for a in link.addresses if a.family == family and not a.link_local]
        for held in own:
            if toward in ip_network(held.text, strict=False):
                return held.bare
        if own:
            return own[0].bare
        others = (
            a.bare
            for other in self.state.namespaces[at].links.values()
            if other.up and other.name != LOOPBACK
            for a in other.addresses
            if a.family == family and not a.link_local
        )
        return next(others, None)


def _is_routed(link: Link) -> bool:
    kind = KINDS.get(link.kind)
    return kind is not None and kind.layer3(link.settings)


def _is_up(space: Namespace, name: str) -> bool:
    link = space.links.get(name)
    return link is not None and link.up


def _addresses(space: Namespace) -> frozenset[str]:
    links = (link for link in space.links.values() if link.up)
    return frozenset(a.bare for link in links for a in link.addresses)


_PREFIX_METRIC = {4: 0, 6: 256}
"""What the kernel gives the route of an address's prefix (linux/ipv6_route.h)."""


def _connected(space: Namespace, family: int) -> Iterator[Route]:
    for link in space.links.values():
        for address in link.addresses:
            if address.family == family and not address.text.endswith(("/32", "/128")):
                prefix = str(ip_network(address.text, strict=False))
                yield Route(prefix, link.name, metric=_PREFIX_METRIC[family], src=address.bare)


@lru_cache(4096)
def _parsed(address: str) -> IPv4Address | IPv6Address:
    return ip_address(address)
