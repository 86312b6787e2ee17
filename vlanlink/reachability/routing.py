"""The routes and the source addresses that namespaces choose. Pure.

A process in a namespace can add any number of routes and addresses there: each is looked at once.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from vlanlink.model import (
    LOOPBACK,
    TABLE_LOCAL,
    TABLE_MAIN,
    Address,
    Link,
    LinkName,
    Namespace,
    Route,
    State,
)
from vlanlink.reachability.prefixes import Prefixes

_TABLES = (TABLE_LOCAL, TABLE_MAIN)
_PREFIX_METRIC = {4: 0, 6: 256}
"""Metric of the kernel's own route to an address's prefix (linux/ipv6_route.h)."""


class _Best:
    """The routes to one prefix that have the lowest metric: of a table, through one link or any."""

    def __init__(self) -> None:
        self._routes: dict[tuple[bool, str | None], list[Route]] = {}

    def add(self, route: Route) -> None:
        for dev in (None, route.dev):
            key = (route.table == TABLE_LOCAL, dev)
            best = self._routes.get(key)
            if best is None or route.metric < best[0].metric:
                self._routes[key] = [route]
            elif route.metric == best[0].metric:
                best.append(route)

    def of(self, *, local: bool, dev: str | None) -> list[Route]:
        return self._routes.get((local, dev), [])


class _Sources:
    """A link's own addresses of a family, by the subnets that they are in."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        self.first: str | None = None
        self._subnets: Prefixes[list[tuple[int, str]]] = Prefixes(list)
        for order, address in enumerate(addresses):
            self.first = self.first or address.bare
            subnet = self._subnets.at(address.text)
            if not subnet:
                subnet.append((order, address.bare))

    def toward(self, ip: IPv4Address | IPv6Address) -> str | None:
        """The first in a subnet with ``ip``, else the first."""
        found = [subnet[0] for subnet in self._subnets.containing(ip)]
        return min(found)[1] if found else self.first


class Routing:
    """The routing of the namespaces of a State."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tables: dict[tuple[str, int], Prefixes[_Best]] = {}
        self._own: dict[tuple[LinkName, int], _Sources] = {}
        self._anywhere: dict[tuple[str, int], list[tuple[int, str]]] = {}

    def best(self, namespace: str, address: str, by: Link | None) -> list[Route]:
        """The routes to an address: the longest prefix, then the lowest metric."""
        target = _parsed(address)
        table = self._table(namespace, target.version)
        # Table local is asked first (ip-rule(8)).
        for local in (True, False):
            for prefix in table.containing(target):
                found = prefix.of(local=local, dev=by.name if by else None)
                if found:
                    return list({(route.dev, route.via): route for route in found}.values())
        return []

    def _table(self, namespace: str, family: int) -> Prefixes[_Best]:
        key = (namespace, family)
        if key not in self._tables:
            space = self._state.namespaces[namespace]
            self._tables[key] = table = Prefixes(_Best)
            for route in (*_connected(space, family), *space.routes):
                if route.family == family and route.table in _TABLES and _is_up(space, route.dev):
                    table.at(route.to).add(route)
        return self._tables[key]

    def source(self, link: Link, route: Route, family: int) -> str | None:
        """The source address that the kernel picks: the route's, the link's, or another link's."""
        if route.src:
            return route.src
        toward = _parsed(route.via or route.to.partition("/")[0])
        own = self._of_link(link, family).toward(toward)
        if own is not None:
            return own
        others = self._of_namespace(link.namespace, family)
        if family == 6 and others:  # RFC 6724, rule 8: the longest prefix in common
            return min(others, key=partial(_distance, int(toward)))[1]
        link_local = (a.bare for a in link.addresses if a.family == family)
        return others[0][1] if others else next(link_local, None)

    def _of_link(self, link: Link, family: int) -> _Sources:
        key = (link.key, family)
        if key not in self._own:
            self._own[key] = _Sources(_global(link, family))
        return self._own[key]

    def _of_namespace(self, name: str, family: int) -> list[tuple[int, str]]:
        """The addresses of all links that are up, as numbers and text."""
        key = (name, family)
        if key not in self._anywhere:
            links = self._state.namespaces[name].links.values()
            found = (
                address.bare
                for link in links
                if link.up and link.name != LOOPBACK
                for address in _global(link, family)
            )
            self._anywhere[key] = [(int(ip_address(bare)), bare) for bare in found]
        return self._anywhere[key]


def _distance(toward: int, address: tuple[int, str]) -> int:
    return address[0] ^ toward


def _global(link: Link, family: int) -> Iterator[Address]:
    return (a for a in link.addresses if a.family == family and not a.link_local)


def _is_up(space: Namespace, name: str) -> bool:
    link = space.links.get(name)
    return link is not None and link.up


def _connected(space: Namespace, family: int) -> Iterator[Route]:
    for link in space.links.values():
        for address in link.addresses:
            if address.family == family and not address.text.endswith(("/32", "/128")):
                prefix = str(ip_network(address.text, strict=False))
                yield Route(prefix, link.name, metric=_PREFIX_METRIC[family], src=address.bare)


@lru_cache(4096)
def _parsed(address: str) -> IPv4Address | IPv6Address:
    return ip_address(address)
