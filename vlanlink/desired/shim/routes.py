"""The host's routes to its endpoints through a shim, and their return routes. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator

from vlanlink.desired.builder import Builder
from vlanlink.desired.routes import ANYWHERE, KERNEL_METRIC
from vlanlink.desired.shim.link import endpoint_links
from vlanlink.desired.shim.sources import Shim
from vlanlink.errors import Problem
from vlanlink.model import HOST, Link, Route, family_of

_Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network


def add_shim_routes(builder: Builder) -> None:
    """Add the host's routes to the endpoints, and their routes to the host's source addresses."""
    if not builder.addressing.shims:
        return
    host, prefixes = _HostRoutes(builder), _prefixes(builder)
    for shim in builder.addressing.shims.values():
        link = builder.links.get(shim.key)
        if link is None:
            continue
        endpoints = [endpoint for endpoint in endpoint_links(builder, shim.network) if endpoint.up]
        _require_source(builder, shim, endpoints)
        ranges = _add_range_routes(builder, host, shim, endpoints)
        for endpoint in endpoints:
            _add_routes_to(builder, host, shim, endpoint, ranges)
            _add_routes_back(builder, shim, link, endpoint, prefixes[endpoint.namespace])


class _HostRoutes:
    """The host's routes by destination, metric and table: the kernel has one for each."""

    def __init__(self, builder: Builder) -> None:
        """The routes that stay, and those desired so far."""
        self._builder = builder
        self._by_key = {_key(route): route for route in _routes_of_host(builder)}

    def conflicting(self, route: Route) -> Route | None:
        """An existing route to the same destination."""
        return self._by_key.get(_key(route))

    def add(self, route: Route) -> None:
        """Add it to the desired routes."""
        self._builder.add_route(HOST, route)
        self._by_key[_key(route)] = route


def _key(route: Route) -> tuple[object, ...]:
    return (route.to, route.metric, route.table)


def _prefixes(builder: Builder) -> dict[str, list[_Prefix]]:
    """The prefixes of the addresses in each namespace."""
    found: dict[str, list[_Prefix]] = {}
    for link in builder.links.values():
        networks = (ipaddress.ip_interface(address.text).network for address in link.addresses)
        found.setdefault(link.namespace, []).extend(networks)
    return found


def sources(builder: Builder, shim: Shim, family: int) -> tuple[str, ...]:
    """The host's source addresses of a family, with prefix."""
    own = builder.addressing.shim_addresses[shim.network]
    of_family = tuple(text for text in own if family_of(text) == family)
    return of_family or shim.of_parent.get(family, ())


def _source(builder: Builder, shim: Shim, prefix: _Prefix) -> str:
    """The host's source address for a prefix: one inside it if there is one, else the first."""
    bare = [text.partition("/")[0] for text in sources(builder, shim, prefix.version)]
    return next((ip for ip in bare if ipaddress.ip_address(ip) in prefix), bare[0])


def _require_source(builder: Builder, shim: Shim, endpoints: Iterable[Link]) -> None:
    subnets = builder.addressing.subnets[shim.network]
    there = {
        subnet.subnet.version for subnet in subnets
    }  # else the range is exhausted, which is reported elsewhere
    wanted = {a.family for link in endpoints for a in link.addresses if not a.link_local}
    for family in sorted(wanted - there):
        if not sources(builder, shim, family):
            message = (
                f"the shim of {shim.network} needs an IPv{family} address; its parent has none"
            )
            hint = "write shim = { addresses = [ … ] } with a free address"
            builder.conflicts.append(Problem(shim.origin, message, hint, at_key=True))


def _add_range_routes(
    builder: Builder, host: _HostRoutes, shim: Shim, endpoints: list[Link]
) -> list[Route]:
    """One route for each range, where nobody else can have an address in it."""
    made: list[Route] = []
    network = builder.topology.networks[shim.network]
    for subnet in builder.addressing.subnets[shim.network]:
        whole = subnet.subnet if network.parent is None else None
        prefix = subnet.ip_range or whole
        family = subnet.subnet.version
        if prefix is None or not sources(builder, shim, family):
            continue
        inside = [a for link in endpoints for a in link.addresses if _in(a.bare, prefix)]
        outsiders = [] if network.parent is None else [subnet.gateway]
        outsiders += [] if network.parent is None else [*subnet.aux_addresses.values()]
        route = _route(shim, str(prefix), _source(builder, shim, subnet.subnet))
        if not inside or any(_in(str(ip), prefix) for ip in outsiders if ip is not None):
            continue
        if any(_in(ip, prefix) for ip in _hosts_own(builder)) or host.conflicting(route):
            continue
        host.add(route)
        made.append(route)
    return made


def _in(ip: str, prefix: _Prefix) -> bool:
    return ipaddress.ip_address(ip) in prefix


def _hosts_own(builder: Builder) -> Iterator[str]:
    """The host's addresses and next hops, except those of the topology's shims."""
    shims = {shim.key for shim in builder.addressing.shims.values()}
    links = [link for key, link in builder.links.items() if key.namespace == HOST and link.owner]
    desired = {link.key for link in links}
    for seen in builder.observed.host.links.values():
        if seen.owner != builder.name and seen.key not in desired:
            links.append(seen)
    for link in links:
        yield from (a.bare for a in link.addresses if link.key not in shims)
    for route in _routes_of_host(builder):
        yield from [route.via] if route.via else []


def _routes_of_host(builder: Builder) -> Iterator[Route]:
    """The host's routes but for what the topology has there and no longer wants."""
    seen, own = builder.observed.host, builder.records.own
    recorded = own.routes if own else ()
    for route in seen.routes:
        of_ours = seen.links[route.dev].owner == builder.name
        if not of_ours and not (route.ours and (HOST, str(route)) in recorded):
            yield route
    yield from builder.routes.get(HOST, ())


def _add_routes_to(
    builder: Builder, host: _HostRoutes, shim: Shim, endpoint: Link, ranges: list[Route]
) -> None:
    for address in endpoint.addresses:
        if address.link_local or not sources(builder, shim, address.family):
            continue
        if any(_in(address.bare, ipaddress.ip_network(route.to)) for route in ranges):
            continue
        source = _source(builder, shim, ipaddress.ip_interface(address.text).network)
        route = _route(shim, _full_length(address.text), source)
        other = host.conflicting(route)
        if other:
            message = f"the host already has a route to {address.bare}: {other}"
            hint = "delete that route: the shim adds its own"
            builder.conflicts.append(Problem(shim.origin, message, hint, at_key=True))
        else:
            host.add(route)


def _route(shim: Shim, to: str, src: str) -> Route:
    metric = KERNEL_METRIC[family_of(to)]
    return Route(to, shim.name, metric=metric, src=src, origin=shim.origin)


def _full_length(text: str) -> str:
    ip = ipaddress.ip_interface(text).ip
    return f"{ip}/{ip.max_prefixlen}"


# -- and back --------------------------------------------------------------------------------------


def _add_routes_back(
    builder: Builder, shim: Shim, link: Link, endpoint: Link, prefixes: list[_Prefix]
) -> None:
    """The endpoint's routes to the host's source addresses, where it has none yet.

    For an IPv6 address of the parent only the parent answers, so that route leads via the shim's
    link-local address. For an IPv4 one the shim answers. Its own ARP source address needs a route
    on this interface too (rp_filter).
    """
    own = {address.bare for address in link.addresses}
    arp_sources = [a.bare for a in link.addresses if a.family == 4][:1]
    host_sources = {
        _source(builder, shim, ipaddress.ip_interface(a.text).network): None
        for a in endpoint.addresses
        if not a.link_local and sources(builder, shim, a.family)
    }
    here = {address.family for address in endpoint.addresses}
    for ip in (
        *host_sources,
        *(arp_sources if 4 in here and "arp_announce" in link.settings else ()),
    ):
        family = family_of(ip)
        via = None
        if family == 6 and ip not in own and "arp_announce" in link.settings:
            via = next(a.bare for a in link.addresses if a.link_local)
        route = Route(
            _full_length(ip),
            endpoint.name,
            via=via,
            metric=KERNEL_METRIC[family],
            origin=shim.origin,
        )
        there = builder.routes.get(endpoint.namespace, set())
        connected = via is None and _is_connected(ip, prefixes, there)
        if not connected and all(_key(one) != _key(route) for one in there):
            builder.add_route(endpoint.namespace, route)


def _is_connected(ip: str, prefixes: list[_Prefix], routes: Iterable[Route]) -> bool:
    """Whether one of a namespace's prefixes, or an on-link default route, covers the address."""
    anywhere = any(route.to == ANYWHERE[family_of(ip)] and route.via is None for route in routes)
    return anywhere or any(_in(ip, prefix) for prefix in prefixes)
