"""The host's own link beside its endpoints, and the routes both ways. Pure.

A parent and the macvlan or ipvlan links on it do not reach each other: what the host sends to its
own parent leaves by the wire. A sibling of the endpoints does reach them. How it is made depends on
what the kernel says for it on the wire; docs/shim.md tells the reasons.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from vlanlink.draft import Draft
from vlanlink.endpoints import derived_mac, ipv6_policy
from vlanlink.errors import Problem
from vlanlink.kinds import KINDS
from vlanlink.links import kind_options
from vlanlink.model import HOST, Address, Link, LinkName, Route, Setting, family_of
from vlanlink.routes import ANYWHERE, KERNEL_METRIC
from vlanlink.shim_sources import Shim, parent_addresses

_LINK_LOCAL = int(ipaddress.IPv4Address("169.254.1.0"))
_LINK_LOCALS = 254 * 256
"""RFC 3927, section 2.1: the first and the last 256 are kept."""


def add_shims(draft: Draft, has_ipv6: bool) -> None:
    """The link of each shim, on the parent that the endpoints are on."""
    by_link: dict[LinkName, list[Shim]] = {}
    for shim in draft.addressing.shims.values():
        by_link.setdefault(shim.key, []).append(shim)
    for key, sharing in by_link.items():
        endpoints = [link for shim in sharing for link in _endpoints(draft, shim)]
        if endpoints and endpoints[0].parent:
            draft.links[key] = _link(draft, sharing, endpoints, has_ipv6)


def add_shim_routes(draft: Draft) -> None:
    """The host's routes to the endpoints, and theirs to what the host speaks with."""
    for shim in draft.addressing.shims.values():
        link = draft.links.get(shim.key)
        if link is None:
            continue
        endpoints = [endpoint for endpoint in _endpoints(draft, shim) if endpoint.up]
        _complain_of_no_source(draft, shim, endpoints)
        ranges = _add_range_routes(draft, shim, endpoints)
        for endpoint in endpoints:
            _add_routes_to(draft, shim, endpoint, ranges)
            _add_routes_back(draft, shim, link, endpoint)


def warn_of_return_routes(draft: Draft) -> None:
    """What has no neighbours is reached from the LAN by routes alone (ipvlan l3 and l3s)."""
    for name, network in draft.topology.networks.items():
        parent = network.parent
        if parent is None or not KINDS[network.kind].routed(network.options):
            continue
        links = [draft.links[key] for key in _keys(draft, name) if key in draft.links]
        prefixes = [str(subnet.subnet) for subnet in network.subnets or ()]
        prefixes = prefixes or [_alone(a.text) for link in links for a in link.addresses]
        hops = parent_addresses(draft.topology, draft.observed, network)
        routes = [f"{p} via {_first(hops, family_of(p), parent)}" for p in prefixes if links]
        if routes:
            message = f"the LAN reaches {name} once its router has {', '.join(routes)}"
            draft.warnings.append(Problem(("networks", name), message, at_key=True))


def _first(hops: Mapping[int, tuple[str, ...]], family: int, parent: str) -> str:
    texts = hops.get(family)
    return texts[0].partition("/")[0] if texts else f"an IPv{family} address of {parent}"


# -- the link --------------------------------------------------------------------------------------


def _endpoints(draft: Draft, shim: Shim) -> list[Link]:
    keys = _keys(draft, shim.network)
    return [draft.links[key] for key in keys if key in draft.links]


def _keys(draft: Draft, network: str) -> Iterator[LinkName]:
    for space, namespace in draft.topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            if interface.network == network:
                yield LinkName(space, name)


def _link(draft: Draft, sharing: list[Shim], endpoints: list[Link], has_ipv6: bool) -> Link:
    """A sibling of ``endpoints``, with no address but those that it needs."""
    first, name = endpoints[0], sharing[0].name
    kind = KINDS[first.kind]
    mac = derived_mac(draft.identity, draft.name, HOST, name)
    own_mac = kind.mac(first.settings) != "fixed"
    mtus = [mtu for link in endpoints if isinstance(mtu := link.settings.get("mtu"), int)]
    families = {address.family for link in endpoints for address in link.addresses}
    texts = dict.fromkeys(
        text for shim in sharing for text in draft.addressing.shim_addresses[shim.network]
    )
    if own_mac and 4 in families and all(family_of(text) != 4 for text in texts):
        texts[_ipv4_link_local(mac)] = None
    if 6 in families:
        texts[_ipv6_link_local(mac)] = None
    addresses = tuple(Address(text) for text in texts)
    settings: dict[str, Setting] = {"up": True, "altnames": (), **kind_options(first)}
    settings |= {"mtu": min(mtus)} if mtus else {}
    settings |= {"mac": mac} if own_mac else {}
    settings |= {} if kind.routed(first.settings) else _arp_policy()
    mtu = settings.get("mtu") or first.defaults.get("mtu")
    settings |= ipv6_policy(draft.topology, HOST, name, addresses, mtu, has_ipv6)
    return Link(
        name,
        first.kind,
        parent=first.parent,
        settings=settings,
        defaults=first.defaults,
        addresses=addresses,
        owner=draft.name,
        origin=sharing[0].origin,
    )


def _arp_policy() -> dict[str, Setting]:
    """The LAN is never told that an address of the parent's is at the shim (ip-sysctl.rst).

    arp_filter 1: who is reached by way of the parent gets no answer from the shim.
    arp_announce 2: the shim asks in its own name. Its questions go out on the wire, and stations
    that know the parent's address would believe them.
    """
    return {"arp_filter": 1, "arp_announce": 2}


def _ipv4_link_local(mac: str) -> str:
    """The name that it asks in where it has no address: one of RFC 3927, from its MAC."""
    number = int.from_bytes(hashlib.sha256(mac.encode()).digest()[:4])
    return f"{ipaddress.IPv4Address(_LINK_LOCAL + number % _LINK_LOCALS)}/32"


def _ipv6_link_local(mac: str) -> str:
    """fe80:: and the interface identifier of a MAC (RFC 4291, appendix A)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([raw[0] ^ 0x02]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    prefix = int(ipaddress.IPv6Address("fe80::"))
    return f"{ipaddress.IPv6Address(prefix | int.from_bytes(identifier))}/64"


# -- the way there ---------------------------------------------------------------------------------


def _sources(draft: Draft, shim: Shim, family: int) -> tuple[str, ...]:
    own = draft.addressing.shim_addresses[shim.network]
    of_family = tuple(text for text in own if family_of(text) == family)
    return of_family or shim.of_parent.get(family, ())


def _source(draft: Draft, shim: Shim, prefix: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """What the host speaks with to a prefix: of several addresses one in it, else the first."""
    sources = _sources(draft, shim, prefix.version)
    bare = [text.partition("/")[0] for text in sources]
    return next((ip for ip in bare if ipaddress.ip_address(ip) in prefix), bare[0])


def _complain_of_no_source(draft: Draft, shim: Shim, endpoints: Iterable[Link]) -> None:
    subnets = draft.addressing.subnets[shim.network]
    there = {subnet.subnet.version for subnet in subnets}  # else no address was left: told already
    wanted = {a.family for link in endpoints for a in link.addresses if not a.link_local}
    for family in sorted(wanted - there):
        if not _sources(draft, shim, family):
            message = f"the shim of {shim.network} needs an IPv{family} address, and there is none"
            hint = "write shim = { addresses = [ … ] } with one that is free"
            draft.conflicts.append(Problem(shim.origin, message, hint, at_key=True))
    for link in endpoints:
        entry = draft.topology.namespaces[link.namespace].interfaces[link.name]
        if entry.ipv6 == "slaac":
            message = (
                f"{link.key} takes IPv6 addresses that are not known before: "
                "the host does not reach those by the shim"
            )
            draft.warnings.append(Problem(shim.origin, message, at_key=True))


def _add_range_routes(draft: Draft, shim: Shim, endpoints: list[Link]) -> list[Route]:
    """One route for all addresses that are handed out, where nobody else can be among them."""
    made: list[Route] = []
    network = draft.topology.networks[shim.network]
    for subnet in draft.addressing.subnets[shim.network]:
        whole = subnet.subnet if network.parent is None else None
        prefix = subnet.ip_range or whole
        family = subnet.subnet.version
        if prefix is None or not _sources(draft, shim, family):
            continue
        inside = [a for link in endpoints for a in link.addresses if _in(a.bare, prefix)]
        strangers = [] if network.parent is None else [subnet.gateway]
        strangers += [] if network.parent is None else [*subnet.aux_addresses.values()]
        route = _route(shim, str(prefix), _source(draft, shim, subnet.subnet))
        if not inside or any(_in(str(ip), prefix) for ip in strangers if ip is not None):
            continue
        if any(_in(ip, prefix) for ip in _hosts_own(draft)) or _in_the_way(draft, route):
            continue
        draft.add_route(HOST, route)
        made.append(route)
    return made


def _in(ip: str, prefix: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return ipaddress.ip_address(ip) in prefix


def _hosts_own(draft: Draft) -> Iterator[str]:
    """The host's addresses and next hops, but for what the topology's shims have."""
    shims = {shim.key for shim in draft.addressing.shims.values()}
    links = {**draft.observed.host.links, **{k.name: v for k, v in draft.links.items() if not k[0]}}
    for link in links.values():
        yield from (a.bare for a in link.addresses if link.key not in shims)
    for route in draft.observed.host.routes:
        yield from [route.via] if route.via else []


def _in_the_way(draft: Draft, route: Route) -> Route | None:
    """A route of the host's to the same place, which the kernel would not have a second one of."""
    others = {
        seen
        for seen in draft.observed.host.routes
        if draft.observed.host.links[seen.dev].owner != draft.name
    }
    return _same_place(others | draft.routes.get(HOST, set()), route)


def _same_place(routes: Iterable[Route], route: Route) -> Route | None:
    same = (route.to, route.metric, route.table)
    return next((r for r in routes if (r.to, r.metric, r.table) == same), None)


def _add_routes_to(draft: Draft, shim: Shim, endpoint: Link, ranges: list[Route]) -> None:
    for address in endpoint.addresses:
        if address.link_local or not _sources(draft, shim, address.family):
            continue
        if any(_in(address.bare, ipaddress.ip_network(route.to)) for route in ranges):
            continue
        source = _source(draft, shim, ipaddress.ip_interface(address.text).network)
        route = _route(shim, _alone(address.text), source)
        other = _in_the_way(draft, route)
        if other:
            message = f"the host has a route to {address.bare} already: {other}"
            hint = "take that route away: the shim brings one of its own"
            draft.conflicts.append(Problem(shim.origin, message, hint, at_key=True))
        else:
            draft.add_route(HOST, route)


def _route(shim: Shim, to: str, src: str) -> Route:
    metric = KERNEL_METRIC[family_of(to)]
    return Route(to, shim.name, metric=metric, src=src, origin=shim.origin)


def _alone(text: str) -> str:
    ip = ipaddress.ip_interface(text).ip
    return f"{ip}/{ip.max_prefixlen}"


# -- and back --------------------------------------------------------------------------------------


def _add_routes_back(draft: Draft, shim: Shim, link: Link, endpoint: Link) -> None:
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
        if not a.link_local and _sources(draft, shim, a.family)
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
        at_home = via is None and _is_at_home(draft, ip, endpoint.namespace, there)
        if not at_home and _same_place(there, route) is None:
            draft.add_route(endpoint.namespace, route)


def _is_at_home(draft: Draft, ip: str, space: str, routes: Iterable[Route]) -> bool:
    """Whether a namespace's own prefixes lead there, or a default route by device alone."""
    links = [link for link in draft.links.values() if link.namespace == space]
    prefixes = [ipaddress.ip_interface(a.text).network for link in links for a in link.addresses]
    anywhere = any(route.to == ANYWHERE[family_of(ip)] and route.via is None for route in routes)
    return anywhere or any(_in(ip, prefix) for prefix in prefixes)
