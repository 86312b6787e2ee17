"""The host's routes to its endpoints through a shim, and their return routes. Pure.

The host's routes are in table local: there the kernel keeps a route whose source address goes for a
moment, and no rule needs to lead to it.
"""

import ipaddress
from collections.abc import Iterable, Iterator

from vlanlink.dataclass import replace
from vlanlink.desired.builder import Builder
from vlanlink.desired.routes import ANYWHERE, KERNEL_METRIC
from vlanlink.desired.shim.link import endpoint_links, reachable_addresses
from vlanlink.desired.shim.sources import Shim, arp_ignore
from vlanlink.errors import Problem
from vlanlink.model import HOST, TABLE_LOCAL, TABLE_MAIN, Link, Route, family_of

_Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network


def add_shim_routes(builder: Builder) -> None:
    """Add the host's routes to the endpoints, and their routes to the host's addresses."""
    if not builder.addressing.shims:
        return
    host, prefixes = _HostRoutes(builder), _prefixes(builder)
    for shim in builder.addressing.shims.values():
        link = builder.links.get(shim.key)
        if link is None:
            continue
        endpoints = [endpoint for endpoint in endpoint_links(builder, shim.network) if endpoint.up]
        ranges = _add_range_routes(builder, host, shim, endpoints)
        for endpoint in endpoints:
            _add_routes_to(builder, host, shim, endpoint, ranges)
            _add_routes_back(builder, shim, link, endpoint, prefixes[endpoint.namespace])


class _HostRoutes:
    """The host's routes by destination and metric, of which there is one each."""

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
    """A route of table local hides one of table main."""
    table = TABLE_MAIN if route.table == TABLE_LOCAL else route.table
    return (route.to, route.metric, table)


def _prefixes(builder: Builder) -> dict[str, list[_Prefix]]:
    """The prefixes of the addresses in each namespace."""
    found: dict[str, list[_Prefix]] = {}
    for link in builder.links.values():
        networks = (ipaddress.ip_interface(address.text).network for address in link.addresses)
        found.setdefault(link.namespace, []).extend(networks)
    return found


def sources(builder: Builder, shim: Shim, family: int) -> tuple[str, ...]:
    """The host's source addresses of a family, with prefix: written, the parent's, link-local."""
    written = builder.addressing.shim_addresses[shim.network]
    of_family = tuple(text for text in written if family_of(text) == family)
    of_parent = shim.parent_addresses.get(family, ()) if shim.speaks_as_parent else ()
    link = builder.links[shim.key]
    own = tuple(a.text for a in link.addresses if a.family == family)
    return of_family or of_parent or own


def _source(builder: Builder, shim: Shim, prefix: _Prefix) -> str:
    """The host's source address for a prefix."""
    return _nearest(sources(builder, shim, prefix.version), prefix)


def _nearest(texts: Iterable[str], prefix: _Prefix) -> str:
    """Of several addresses, one inside a prefix if there is one, else the first."""
    bare = [text.partition("/")[0] for text in texts]
    return next((ip for ip in bare if ipaddress.ip_address(ip) in prefix), bare[0])


def _add_range_routes(
    builder: Builder, host: _HostRoutes, shim: Shim, endpoints: list[Link]
) -> list[Route]:
    """One route for each range, where nobody else can have an address in it."""
    made: list[Route] = []
    network = builder.topology.networks[shim.network]
    for subnet in builder.addressing.subnets[shim.network]:
        whole = subnet.subnet if network.parent is None else None
        prefix = subnet.ip_range or whole
        if prefix is None:
            continue
        if not any(_in(a.bare, prefix) for link in endpoints for a in link.addresses):
            continue
        outsiders = [] if network.parent is None else [subnet.gateway]
        outsiders += [] if network.parent is None else [*subnet.aux_addresses.values()]
        if any(_in(str(ip), prefix) for ip in outsiders if ip is not None):
            continue
        route = _route(builder, shim, str(prefix), _source(builder, shim, subnet.subnet))
        if any(_in(ip, prefix) for ip in _hosts_own(builder)) or host.conflicting(route):
            continue
        if any(_is_more_specific(other, prefix) for other in builder.observed.host.routes):
            continue  # which a route of table local would hide
        host.add(route)
        made.append(route)
    return made


def _is_more_specific(route: Route, prefix: _Prefix) -> bool:
    """Whether a foreign route leads to a part of a prefix."""
    to = ipaddress.ip_network(route.to)
    if route.ours or to.version != prefix.version or to.prefixlen <= prefix.prefixlen:
        return False
    return to.network_address in prefix


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
    for address in reachable_addresses(shim, endpoint):
        if address.link_local:
            continue
        if any(_in(address.bare, ipaddress.ip_network(route.to)) for route in ranges):
            continue
        source = _source(builder, shim, ipaddress.ip_interface(address.text).network)
        route = _route(builder, shim, _full_length(address.text), source)
        other = host.conflicting(route)
        if other:
            message = f"the host already has a route to {address.bare}: {other}"
            hint = "delete that route: the shim adds its own"
            builder.conflicts.append(Problem(shim.origin, message, hint, at_key=True))
        else:
            host.add(route)


def _route(builder: Builder, shim: Shim, to: str, src: str) -> Route:
    """A route of the host's.

    Since Linux 6.6 an IPv6 route loses its source with the address. It may stay as it is where the
    kernel chooses the same source by itself.
    """
    metric = KERNEL_METRIC[family_of(to)]
    route = Route(to, shim.name, metric=metric, src=src, table=TABLE_LOCAL, origin=shim.origin)
    bare = replace(route, src=None)
    left = route.family == 6 and bare in builder.observed.host.routes
    return bare if left and _chosen_by_kernel(builder, to) == [src] else route


def _chosen_by_kernel(builder: Builder, to: str) -> list[str]:
    """The host's IPv6 addresses that share the longest prefix with a destination (RFC 6724)."""
    there = int(ipaddress.ip_network(to).network_address)
    lengths = {
        address.bare: 128 - (int(ipaddress.ip_address(address.bare)) ^ there).bit_length()
        for link in builder.observed.host.links.values()
        for address in link.addresses
        if address.family == 6 and not address.link_local and link.up
    }
    return [bare for bare, length in lengths.items() if length == max(lengths.values())]


def _full_length(text: str) -> str:
    ip = ipaddress.ip_interface(text).ip
    return f"{ip}/{ip.max_prefixlen}"


# -- and back --------------------------------------------------------------------------------------


def _add_routes_back(
    builder: Builder, shim: Shim, link: Link, endpoint: Link, prefixes: list[_Prefix]
) -> None:
    """The endpoint's routes to the host's addresses, where it has none yet."""
    for ip in _host_addresses(builder, shim, link, endpoint):
        family = family_of(ip)
        via = None if _answers_for(builder, link, ip) else _own(link, family)
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


def _host_addresses(builder: Builder, shim: Shim, link: Link, endpoint: Link) -> Iterator[str]:
    """The host's addresses for an endpoint: the shim's IPv4 one, its sources, its parent's.

    The shim's IPv4 address is what the host sends ARP requests from (arp_announce), and what
    MASQUERADE turns other sources into.
    """
    addresses = reachable_addresses(shim, endpoint)
    here = {address.family for address in addresses}
    found = [a.bare for a in link.addresses if a.family == 4 and 4 in here]
    for address in addresses:
        if address.link_local:
            continue
        prefix = ipaddress.ip_interface(address.text).network
        found.append(_source(builder, shim, prefix))
        of_parent = shim.parent_addresses.get(address.family, ())
        found += [_nearest(of_parent, prefix)] if of_parent else []
    yield from (ip for ip in dict.fromkeys(found) if not ip.startswith("fe80:"))


def _answers_for(builder: Builder, link: Link, ip: str) -> bool:
    """Whether the shim answers ARP or neighbour solicitations for one of the host's addresses.

    For an IPv6 address of the parent only the parent does; links without neighbours need no answer.
    """
    if "arp_announce" not in link.settings or ip in {address.bare for address in link.addresses}:
        return True
    return family_of(ip) == 4 and arp_ignore(builder.observed) == 0


def _own(link: Link, family: int) -> str:
    """The shim's own address that leads to the host's others: link-local in IPv6."""
    found = [a for a in link.addresses if a.family == family and (family == 4 or a.link_local)]
    return found[0].bare


def _is_connected(ip: str, prefixes: list[_Prefix], routes: Iterable[Route]) -> bool:
    """Whether one of a namespace's prefixes, or an on-link default route, covers the address."""
    anywhere = any(route.to == ANYWHERE[family_of(ip)] and route.via is None for route in routes)
    return anywhere or any(_in(ip, prefix) for prefix in prefixes)
