"""The path of packets from a namespace to an address, over the links of a State. Pure.

It follows the kernel's rules as far as a State has the data: longest prefix, then metric
(ip-route(8)); every link of a namespace answers for its IPv4 addresses, only the address's own link
for an IPv6 one (ip-sysctl.rst, arp_ignore); layer 3 links have no neighbours, and their parent's
namespace routes what is for none of them (Documentation/networking/ipvlan.rst).
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from vlanlink.dataclass import dataclass, replace
from vlanlink.kinds import KINDS
from vlanlink.model import (
    HOST,
    LOOPBACK,
    TABLE_LOCAL,
    TABLE_MAIN,
    Address,
    Link,
    LinkName,
    Namespace,
    Route,
    State,
    family_of,
)
from vlanlink.reachability.segments import Block, Segment, Segments
from vlanlink.sysctl import FORWARDING

_HOPS = 16
_TABLES = (TABLE_LOCAL, TABLE_MAIN)


class Outcome(StrEnum):
    """How a path ends."""

    ARRIVES = "arrives"
    OUTSIDE = "leaves the topology"
    NO_ROUTE = "no route"
    NO_RETURN_PATH = "no return path"
    NOT_FORWARDED = "not forwarded"
    NOBODY = "nobody there"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Path:
    """A path, how it ends, and why."""

    outcome: Outcome
    reason: str
    at: str = HOST
    """The namespace where it ends."""
    block: Block = Block.NONE
    link: LinkName | None = None
    """The egress link; None if the namespace has the address itself."""
    next_hop: str | None = None
    """The neighbour on that link."""
    source: str | None = None
    """The source address."""
    ingress_links: tuple[LinkName, ...] = ()
    """The link by which it enters each namespace on the way."""


@dataclass(frozen=True, slots=True)
class _Row:
    route: Route
    network: object
    length: int


def title(namespace: str) -> str:
    """A namespace's name for messages."""
    return namespace or "host"


class Paths:
    """The paths of a State."""

    def __init__(self, state: State, segments: Segments) -> None:
        self.state = state
        self.segments = segments
        self._tables: dict[tuple[str, int], list[_Row]] = {}
        self._found: dict[tuple[str, str, str | None], Path] = {}
        self._held = {name: _addresses(space) for name, space in state.namespaces.items()}
        self._holders: dict[str, list[str]] = {}
        for name, held in self._held.items():
            for address in held:
                self._holders.setdefault(address, []).append(name)
        self._answering: dict[tuple[Segment, str], list[Link]] = {}
        for link in state.links():
            if link.up and not _is_layer3(link):
                for address in self._answered_by(link):
                    self._answering.setdefault((segments.of(link), address), []).append(link)

    def _answered_by(self, link: Link) -> set[str]:
        """The addresses that a link answers its neighbours for."""
        own = {held.bare for held in link.addresses}
        return own | {held for held in self._held[link.namespace] if family_of(held) == 4}

    def round_trip(self, namespace: str, address: str, by: Link | None = None) -> Path:
        """The path to an address, if the return path arrives too; else the reason why not."""
        path = self.path(namespace, address, by)
        if path.outcome is not Outcome.ARRIVES or path.link is None:
            return path
        if path.source is None:
            reason = f"{title(namespace)} has no source address"
            return replace(path, outcome=Outcome.NO_ROUTE, reason=reason)
        back = self.path(path.at, path.source, self._scope(path))
        if back.outcome is Outcome.ARRIVES:
            through = [title(key.namespace) for key in path.ingress_links[:-1]]
            reason = f"through {' and '.join(through)}" if through else path.reason
            return replace(
                path, reason=reason, ingress_links=(*path.ingress_links, *back.ingress_links)
            )
        if back.outcome is Outcome.OUTSIDE:
            return replace(path, outcome=Outcome.OUTSIDE, reason=f"return path: {back.reason}")
        reason = f"no return path: {back.reason}"
        return replace(path, outcome=Outcome.NO_RETURN_PATH, reason=reason, block=back.block)

    def _scope(self, path: Path) -> Link | None:
        """The link by which an answer leaves: a link-local address is one of its own link."""
        if not path.source or not Address(path.source).link_local or not path.ingress_links:
            return None
        return self.state.link(path.ingress_links[-1])

    def path(self, namespace: str, address: str, by: Link | None = None) -> Path:
        """The path of packets from a namespace to an address, through link ``by`` if given."""
        key = (namespace, address, by.name if by else None)
        if key not in self._found:
            self._found[key] = self._from(namespace, address, by, ingress_links=(), hops=_HOPS)
        return self._found[key]

    def holders(self, address: str) -> list[str]:
        """The namespaces that have the address."""
        return self._holders.get(address, [])

    def answered_by_another(self, namespace: str, target: str, address: str) -> str | None:
        """Why an answer from the address would not be the target's; None if it would be."""
        holders = self.holders(address)
        if namespace in holders:
            return f"{title(namespace)} has {address} too, and answers itself"
        if all(name == target for name in holders):
            return None
        path = self.path(namespace, address)
        if path.outcome is not Outcome.ARRIVES or path.at == target:
            return None
        return f"{title(path.at)} has {address} too, and answers"

    def forwards(self, namespace: str, link: str, family: int) -> bool:
        """Whether the namespace forwards packets that enter by a link."""
        values = self.state.namespaces[namespace].sysctls
        keys = [FORWARDING[family]]
        if family == 4:
            keys = [f"net/ipv4/conf/{link}/forwarding", "net/ipv4/conf/all/forwarding", *keys]
        return next((values[key] for key in keys if key in values), "0") != "0"

    # -- hop by hop ----------------------------------------------------------------------------

    def _from(
        self,
        at: str,
        address: str,
        by: Link | None,
        *,
        ingress_links: tuple[LinkName, ...],
        hops: int,
    ) -> Path:
        if address in self._held[at]:
            return Path(Outcome.ARRIVES, "", at, ingress_links=ingress_links)
        family = family_of(address)
        if ingress_links and not self.forwards(at, ingress_links[-1].name, family):
            return Path(Outcome.NOT_FORWARDED, f"{title(at)} does not forward IPv{family}", at)
        if hops == 0:
            return Path(Outcome.NO_ROUTE, f"there is a routing loop on the path to {address}", at)
        best = self._best(at, address, by)
        if not best:
            return Path(Outcome.NO_ROUTE, f"{title(at)} has no route to {address}", at)
        found = [self._along(route, at, address, ingress_links, hops) for route in best]
        if len({path.outcome for path in found}) > 1:
            reason = f"{title(at)} has several equal routes to {address}"
            return replace(found[0], outcome=Outcome.OUTSIDE, reason=reason)
        return found[0]

    def _along(
        self, route: Route, at: str, address: str, ingress_links: tuple[LinkName, ...], hops: int
    ) -> Path:
        link = self.state.namespaces[at].links[route.dev]
        if _is_layer3(link):
            found = self._without_neighbours(link, address, ingress_links)
            next_hop = None
        else:
            next_hop = route.via or address
            found = self._by_neighbour(link, next_hop, address, ingress_links, hops)
        source = self._source(at, link, route, family_of(address))
        return replace(found, link=link.key, next_hop=next_hop, source=source)

    def _by_neighbour(
        self,
        link: Link,
        next_hop: str,
        address: str,
        ingress_links: tuple[LinkName, ...],
        hops: int,
    ) -> Path:
        segment = self.segments.of(link)
        answering = self._answering.get((segment, next_hop), [])
        others = [other for other in answering if other.key != link.key]
        known = [(other, self.segments.adjacency(link, other)) for other in others]
        for other, adjacency in known:
            if adjacency.joined:
                ingress = (*ingress_links, other.key)
                path = self._from(
                    other.namespace, address, None, ingress_links=ingress, hops=hops - 1
                )
                if path.outcome is Outcome.ARRIVES and len(ingress) == 1:
                    return replace(path, reason=adjacency.reason, block=adjacency.block)
                return path
        if known:
            _, adjacency = known[0]
            return Path(Outcome.BLOCKED, adjacency.reason, link.namespace, adjacency.block)
        if self.segments.is_open(segment):
            beyond = "" if next_hop == address else f" via {next_hop}"
            return Path(Outcome.OUTSIDE, f"leaves through {link.key}{beyond}", link.namespace)
        return Path(
            Outcome.NOBODY, f"nobody on the segment of {link.key} has {next_hop}", link.namespace
        )

    def _without_neighbours(
        self, link: Link, address: str, ingress_links: tuple[LinkName, ...]
    ) -> Path:
        """Through a layer 3 link: to a sibling that has the address, else on from its parent."""
        for other in self.segments.members(self.segments.of(link)):
            sibling = other.key != link.key and other.parent == link.parent
            if sibling and other.up and address in {held.bare for held in other.addresses}:
                adjacency = self.segments.adjacency(link, other)
                if adjacency.joined:
                    ingress = (*ingress_links, other.key)
                    return Path(
                        Outcome.ARRIVES, adjacency.reason, other.namespace, ingress_links=ingress
                    )
                return Path(Outcome.BLOCKED, adjacency.reason, link.namespace, adjacency.block)
        parent = self.state.link(link.parent)
        if parent is None:
            return Path(Outcome.OUTSIDE, f"leaves through {link.key}", link.namespace)
        if address in {held.bare for held in parent.addresses}:
            reason = f"{link.kind} routes through {parent.key}"
            ingress = (*ingress_links, parent.key)
            return Path(Outcome.ARRIVES, reason, parent.namespace, ingress_links=ingress)
        if self.segments.is_open(self.segments.of(link)):
            return Path(
                Outcome.OUTSIDE, f"leaves through {parent.key}, as {title(parent.namespace)} routes"
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
        # Table local is asked first (ip-rule(8)).
        rows = [row for row in rows if row.route.table == TABLE_LOCAL] or rows
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
                if route.family == family and route.table in _TABLES and _is_up(space, route.dev)
            ]
        return self._tables[key]

    def _source(self, at: str, link: Link, route: Route, family: int) -> str | None:
        """The source address that the kernel picks: the route's, the link's, or another link's."""
        if route.src:
            return route.src
        toward = _parsed(route.via or route.to.partition("/")[0])
        own = [a for a in link.addresses if a.family == family and not a.link_local]
        for held in own:
            if toward in ip_network(held.text, strict=False):
                return held.bare
        if own:
            return own[0].bare
        others = [
            a.bare
            for other in self.state.namespaces[at].links.values()
            if other.up and other.name != LOOPBACK
            for a in other.addresses
            if a.family == family and not a.link_local
        ]
        if family == 6 and others:  # RFC 6724, rule 8: the longest prefix in common
            return min(others, key=lambda ip: int(_parsed(ip)) ^ int(toward))
        link_local = [a.bare for a in link.addresses if a.family == family]
        return next(iter([*others, *link_local]), None)


def _is_layer3(link: Link) -> bool:
    kind = KINDS.get(link.kind)
    return kind is not None and kind.layer3(link.settings)


def _is_up(space: Namespace, name: str) -> bool:
    link = space.links.get(name)
    return link is not None and link.up


def _addresses(space: Namespace) -> frozenset[str]:
    links = (link for link in space.links.values() if link.up)
    return frozenset(a.bare for link in links for a in link.addresses)


_PREFIX_METRIC = {4: 0, 6: 256}
"""Metric of the kernel's own route to an address's prefix (linux/ipv6_route.h)."""


def _connected(space: Namespace, family: int) -> Iterator[Route]:
    for link in space.links.values():
        for address in link.addresses:
            if address.family == family and not address.text.endswith(("/32", "/128")):
                prefix = str(ip_network(address.text, strict=False))
                yield Route(prefix, link.name, metric=_PREFIX_METRIC[family], src=address.bare)


@lru_cache(4096)
def _parsed(address: str) -> IPv4Address | IPv6Address:
    return ip_address(address)
