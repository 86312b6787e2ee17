"""The host's routes to its endpoints by way of a shim, and theirs back. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator

from vlanlink.desired.builder import Builder
from vlanlink.desired.routes import ANYWHERE, KERNEL_METRIC
from vlanlink.desired.shim.link import endpoint_links
from vlanlink.desired.shim.sources import Shim
from vlanlink.errors import Problem
from vlanlink.model import HOST, Link, Route, family_of

_Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network


def add_shim_routes(draft: Builder) -> None:
    """The host's routes to the endpoints, and theirs to what the host speaks with."""
    if not draft.addressing.shims:
        return
    host, homes = _HostRoutes(draft), _prefixes(draft)
    for shim in draft.addressing.shims.values():
        link = draft.links.get(shim.key)
        if link is None:
            continue
        endpoints = [endpoint for endpoint in endpoint_links(draft, shim.network) if endpoint.up]
        _complain_of_no_source(draft, shim, endpoints)
        ranges = _add_range_routes(draft, host, shim, endpoints)
        for endpoint in endpoints:
            _add_routes_to(draft, host, shim, endpoint, ranges)
            _add_routes_back(draft, shim, link, endpoint, homes[endpoint.namespace])


class _HostRoutes:
    """The host's routes by the place that they lead to, of which the kernel has one each."""

    def __init__(self, draft: Builder) -> None:
        """Those that others have there, and those that are wanted so far."""
        seen = draft.observed.host
        others = (one for one in seen.routes if seen.links[one.dev].owner != draft.name)
        self._draft = draft
        self._by_place = {_place(one): one for one in (*others, *draft.routes.get(HOST, ()))}

    def in_the_way(self, route: Route) -> Route | None:
        """One to the same place."""
        return self._by_place.get(_place(route))

    def add(self, route: Route) -> None:
        """Want it."""
        self._draft.add_route(HOST, route)
        self._by_place[_place(route)] = route


def _place(route: Route) -> tuple[object, ...]:
    return (route.to, route.metric, route.table)


def _prefixes(draft: Builder) -> dict[str, list[_Prefix]]:
    """The prefixes of the addresses in each namespace."""
    found: dict[str, list[_Prefix]] = {}
    for link in draft.links.values():
        networks = (ipaddress.ip_interface(address.text).network for address in link.addresses)
        found.setdefault(link.namespace, []).extend(networks)
    return found


def sources(draft: Builder, shim: Shim, family: int) -> tuple[str, ...]:
    """The addresses of a family that the host speaks with, with prefix."""
    own = draft.addressing.shim_addresses[shim.network]
    of_family = tuple(text for text in own if family_of(text) == family)
    return of_family or shim.of_parent.get(family, ())


def _source(draft: Builder, shim: Shim, prefix: _Prefix) -> str:
    """What the host speaks with to a prefix: of several addresses one in it, else the first."""
    bare = [text.partition("/")[0] for text in sources(draft, shim, prefix.version)]
    return next((ip for ip in bare if ipaddress.ip_address(ip) in prefix), bare[0])


def _complain_of_no_source(draft: Builder, shim: Shim, endpoints: Iterable[Link]) -> None:
    subnets = draft.addressing.subnets[shim.network]
    there = {subnet.subnet.version for subnet in subnets}  # else no address was left: told already
    wanted = {a.family for link in endpoints for a in link.addresses if not a.link_local}
    for family in sorted(wanted - there):
        if not sources(draft, shim, family):
            message = f"the shim of {shim.network} needs an IPv{family} address, and there is none"
            hint = "write shim = { addresses = [ … ] } with one that is free"
            draft.conflicts.append(Problem(shim.origin, message, hint, at_key=True))


def _add_range_routes(
    draft: Builder, host: _HostRoutes, shim: Shim, endpoints: list[Link]
) -> list[Route]:
    """One route for all addresses that are handed out, where nobody else can be among them."""
    made: list[Route] = []
    network = draft.topology.networks[shim.network]
    for subnet in draft.addressing.subnets[shim.network]:
        whole = subnet.subnet if network.parent is None else None
        prefix = subnet.ip_range or whole
        family = subnet.subnet.version
        if prefix is None or not sources(draft, shim, family):
            continue
        inside = [a for link in endpoints for a in link.addresses if _in(a.bare, prefix)]
        strangers = [] if network.parent is None else [subnet.gateway]
        strangers += [] if network.parent is None else [*subnet.aux_addresses.values()]
        route = _route(shim, str(prefix), _source(draft, shim, subnet.subnet))
        if not inside or any(_in(str(ip), prefix) for ip in strangers if ip is not None):
            continue
        if any(_in(ip, prefix) for ip in _hosts_own(draft)) or host.in_the_way(route):
            continue
        host.add(route)
        made.append(route)
    return made


def _in(ip: str, prefix: _Prefix) -> bool:
    return ipaddress.ip_address(ip) in prefix


def _hosts_own(draft: Builder) -> Iterator[str]:
    """The host's addresses and next hops, but for what the topology's shims have."""
    shims = {shim.key for shim in draft.addressing.shims.values()}
    links = {**draft.observed.host.links, **{k.name: v for k, v in draft.links.items() if not k[0]}}
    for link in links.values():
        yield from (a.bare for a in link.addresses if link.key not in shims)
    for route in draft.observed.host.routes:
        yield from [route.via] if route.via else []


def _add_routes_to(
    draft: Builder, host: _HostRoutes, shim: Shim, endpoint: Link, ranges: list[Route]
) -> None:
    for address in endpoint.addresses:
        if address.link_local or not sources(draft, shim, address.family):
            continue
        if any(_in(address.bare, ipaddress.ip_network(route.to)) for route in ranges):
            continue
        source = _source(draft, shim, ipaddress.ip_interface(address.text).network)
        route = _route(shim, _alone(address.text), source)
        other = host.in_the_way(route)
        if other:
            message = f"the host has a route to {address.bare} already: {other}"
            hint = "take that route away: the shim brings one of its own"
            draft.conflicts.append(Problem(shim.origin, message, hint, at_key=True))
        else:
            host.add(route)


def _route(shim: Shim, to: str, src: str) -> Route:
    metric = KERNEL_METRIC[family_of(to)]
    return Route(to, shim.name, metric=metric, src=src, origin=shim.origin)


def _alone(text: str) -> str:
    ip = ipaddress.ip_interface(text).ip
    return f"{ip}/{ip.max_prefixlen}"


# -- and back --------------------------------------------------------------------------------------


def _add_routes_back(
    draft: Builder, shim: Shim, link: Link, endpoint: Link, home: list[_Prefix]
) -> None:
    """The endpoint's routes to what it is spoken to with, where it would not find that by itself.

    In IPv6 nobody but the parent answers for the parent's address, so there the way leads through
    the shim's link-local one. In IPv4 the shim answers for it, and asks in the name of its first
    address: that has to be at home on this interface too (rp_filter).
    """
    own = {address.bare for address in link.addresses}
    asks_as = [a.bare for a in link.addresses if a.family == 4][:1]
    spoken = {
        _source(draft, shim, ipaddress.ip_interface(a.text).network): None
        for a in endpoint.addresses
        if not a.link_local and sources(draft, shim, a.family)
    }
    here = {address.family for address in endpoint.addresses}
    for ip in (*spoken, *(asks_as if 4 in here and "arp_announce" in link.settings else ())):
        family = family_of(ip)
        via = None
        if family == 6 and ip not in own and "arp_announce" in link.settings:
            via = next(a.bare for a in link.addresses if a.link_local)
        route = Route(
            _alone(ip),
            endpoint.name,
            via=via,
            metric=KERNEL_METRIC[family],
            origin=shim.origin,
        )
        there = draft.routes.get(endpoint.namespace, set())
        at_home = via is None and _is_at_home(ip, home, there)
        if not at_home and all(_place(one) != _place(route) for one in there):
            draft.add_route(endpoint.namespace, route)


def _is_at_home(ip: str, home: list[_Prefix], routes: Iterable[Route]) -> bool:
    """Whether a namespace's own prefixes lead there, or a default route by device alone."""
    anywhere = any(route.to == ANYWHERE[family_of(ip)] and route.via is None for route in routes)
    return anywhere or any(_in(ip, prefix) for prefix in home)
