"""Routes: one family, a next hop on the link, a source that exists."""

from collections.abc import Iterator
from ipaddress import ip_interface
from typing import NamedTuple

from vlanlink.dataclass import replace
from vlanlink.errors import Path, Problem
from vlanlink.host import HOST
from vlanlink.kinds import KINDS
from vlanlink.sysctl import proc_path
from vlanlink.topology import values
from vlanlink.topology.model import InterfaceConfig, NetworkConfig
from vlanlink.topology.parts import DefaultRouteConfig, HostRouteConfig, RouteConfig
from vlanlink.topology.rules.index import Place, RuleIndex, holding
from vlanlink.topology.values import Ip, Prefix

_MAIN = 254


class RouteEntry(NamedTuple):
    """A route, its path, and its outgoing link if the file defines it."""

    path: Path
    route: RouteConfig
    place: Place | None
    namespace: str


def _routes(index: RuleIndex) -> Iterator[RouteEntry]:
    for place in index.places:
        for at, route in enumerate(place.entry.routes):
            yield RouteEntry((*place.path, "routes", at), route, place, place.namespace)
    for at, host_route in enumerate(index.topology.host.routes):
        by = index.on_host.get(host_route.dev)
        yield RouteEntry(("host", "routes", at), host_route, by, HOST)


def route_family(index: RuleIndex) -> Iterator[Problem]:
    """Destination, next hop and source are of one family."""
    for path, route, _, _ in _routes(index):
        for key, ip in (("via", route.via), ("src", route.src)):
            if ip is not None and ip.version != route.to.version:
                message = f"{key} {ip} is IPv{ip.version}, but the route to {route.to} is not"
                yield Problem((*path, key), message, f"write an IPv{route.to.version} address")


def route_without_ipv6(index: RuleIndex) -> Iterator[Problem]:
    """A link without an IPv6 address has no IPv6, so no IPv6 routes either."""
    for path, route, place, space in _routes(index):
        if route.to.version == 4 or place is None or index.may_have(place, 6):
            continue
        if not _enables_ipv6(index, space, place.name):
            message = f"{place.label} has no IPv6 address, so it can't have a route to {route.to}"
            hint = 'add an IPv6 address; a link-local one such as "fe80::2/64" is enough'
            yield Problem((*path, "to"), message, hint)


def _enables_ipv6(index: RuleIndex, space: str, link: str) -> bool:
    """Whether the file's own sysctls decide."""
    namespace = index.topology.namespaces.get(space)
    sysctls = namespace.sysctls if namespace else index.topology.host.sysctls
    return any(proc_path(key) == f"net/ipv6/conf/{link}/disable_ipv6" for key in sysctls)


def route_via(index: RuleIndex) -> Iterator[Problem]:
    """The kernel accepts a next hop only on the link, unless the route says onlink."""
    for path, route, place, _ in _routes(index):
        via = route.via
        if via is None or place is None or route.onlink or via.version != route.to.version:
            continue
        reached = None if via.is_link_local else _neighbours(index, place, via)
        if reached is not None and not any(via in prefix for prefix in reached):
            listed = ", ".join(str(prefix) for prefix in reached) or "none"
            yield Problem(
                (*path, "via"),
                f"next hop {via} is on no subnet of {place.label} ({listed})",
                "write a next hop on one of its subnets, or onlink = true if it answers there",
            )


def _neighbours(index: RuleIndex, place: Place, via: Ip) -> list[Prefix] | None:
    """The on-link prefixes in the family of ``via``; None if the file doesn't tell all of them."""
    if index.touched(*place.path, "addresses") or index.touched(*place.path, "routes"):
        return None
    if (
        via.version == 6
        and isinstance(place.entry, InterfaceConfig)
        and place.entry.ipv6 == "slaac"
    ):
        return None
    network = index.network_of(place)
    if place.network is not None and (network is None or not _knows(index, place, network)):
        return None
    if via.version == 4 and index.by_dhcp(place):
        return None
    found = [*_own_prefixes(index, place, network), *_on_link(index, place)]
    return [prefix for prefix in dict.fromkeys(found) if prefix.version == via.version]


def _knows(index: RuleIndex, place: Place, network: NetworkConfig) -> bool:
    chosen = network.subnets is None and network.parent is None
    return index.whole_subnets(str(place.network)) and not chosen


def _own_prefixes(
    index: RuleIndex, place: Place, network: NetworkConfig | None
) -> Iterator[Prefix]:
    given = list(index.given_to(place))
    for one in given:
        prefix = one.prefix or (holding(one.ip, network) if network else None)
        if prefix is not None:
            yield prefix
    if network is not None and _open(place, len(given)):
        yield from (subnet.subnet for subnet in network.subnets or ())


def _open(place: Place, given: int) -> bool:
    """Whether an address is still to be chosen."""
    return place.entry.addresses is None or len(place.entry.addresses) > given


def _on_link(index: RuleIndex, place: Place) -> Iterator[Prefix]:
    routes = list(place.entry.routes)
    if place.namespace == HOST:
        routes += [one for one in index.topology.host.routes if one.dev == place.name]
    for route in routes:
        if route.via is None and route.to.prefixlen:
            yield route.to


def route_via_self(index: RuleIndex) -> Iterator[Problem]:
    """A link is not its own next hop."""
    for path, route, place, _ in _routes(index):
        own = [one.ip for one in index.given_to(place)] if place else []
        if place is not None and route.via is not None and route.via in own:
            message = f"next hop {route.via} is {place.label} itself"
            yield Problem((*path, "via"), message, "write a neighbour's address, or remove via")


def route_src(index: RuleIndex) -> Iterator[Problem]:
    """The namespace has the source address; the host may have others than the file lists."""
    for path, route, place, space in _routes(index):
        if route.src is None or space == HOST or route.src.version != route.to.version:
            continue
        if place is not None and not _may_have(index, space, route.src):
            message = f"src {route.src} is not an address of {place.label} or its namespace"
            yield Problem((*path, "src"), message, "write one of its addresses, or remove src")


def _may_have(index: RuleIndex, space: str, ip: Ip) -> bool:
    """Whether a namespace has an address, or may get it."""
    namespace = index.topology.namespaces.get(space)
    if namespace is None or namespace.pid or namespace.path:
        return True
    for place in index.by_namespace.get(space, ()):
        if index.touched(*place.path, "addresses") or any(
            one.ip == ip for one in index.given_to(place)
        ):
            return True
        if ip.version == 4 and index.by_dhcp(place):
            return True
        network = index.network_of(place)
        if place.network is not None and (network is None or _may_choose(place, network, ip)):
            return True
    return False


def _may_choose(place: Place, network: NetworkConfig, ip: Ip) -> bool:
    if not _open(place, sum(1 for word in place.entry.addresses or () if word != values.AUTO)):
        return False
    return network.subnets is None or holding(ip, network) is not None


def route_down(index: RuleIndex) -> Iterator[Problem]:
    """A link that is down has no routes."""
    for path, _, place, _ in _routes(index):
        if place is not None and not place.entry.up:
            message = f"{place.label} is down (up = false), so it can't have routes"
            yield Problem(path, message, "remove one of the two", related=(*place.path, "up"))
    for place, wanted in _default_requests(index):
        if not place.entry.up and _families(wanted):
            message = f"{place.label} is down (up = false), so it can't have a default route"
            path = (*place.path, "default_route")
            yield Problem(path, message, "remove one of the two", related=(*place.path, "up"))


def route_twice(index: RuleIndex) -> Iterator[Problem]:
    """A routing table has one route of a metric to a destination."""
    seen: dict[tuple[object, ...], RouteEntry] = {}
    for asked in _routes(index):
        route = asked.route
        key = (asked.namespace, route.table or _MAIN, str(route.to), route.metric)
        before = seen.setdefault(key, asked)
        if before is not asked:
            where = f"namespace {asked.namespace}" if asked.namespace else "the host"
            yield Problem(
                (*asked.path, "to"),
                f"two routes of {where} to {route.to} have the same metric: "
                f"on {_device(asked)} and on {_device(before)}",
                "give one of them another metric",
                related=(*before.path, "to"),
            )


def _device(asked: RouteEntry) -> str:
    if isinstance(asked.route, HostRouteConfig):
        return asked.route.dev
    return asked.place.label if asked.place else "another link"


def _default_requests(index: RuleIndex) -> Iterator[tuple[Place, DefaultRouteConfig]]:
    """The default routes that interfaces ask for."""
    for place in index.places:
        if not isinstance(place.entry, InterfaceConfig):
            continue
        wanted = place.entry.default_route
        if isinstance(wanted, DefaultRouteConfig):
            unnamed = wanted.ipv4 is None and wanted.ipv6 is None
            both = {"ipv4": True, "ipv6": True} if unnamed else {}
            yield place, replace(wanted, **both)
        elif wanted:
            yield place, DefaultRouteConfig(ipv4=True, ipv6=True)


def _families(wanted: DefaultRouteConfig) -> list[int]:
    return [version for version, asked in ((4, wanted.ipv4), (6, wanted.ipv6)) if asked]


def _names_a_family(place: Place) -> bool:
    setting = place.entry.default_route if isinstance(place.entry, InterfaceConfig) else None
    named = (setting.ipv4, setting.ipv6) if isinstance(setting, DefaultRouteConfig) else ()
    return any(family is not None for family in named)


def default_route_impossible(index: RuleIndex) -> Iterator[Problem]:
    """A default route goes through the gateway of the subnet of a family's first address."""
    for place, wanted in _default_requests(index):
        families = _families(wanted)
        if (
            not families
            or index.touched(*place.path, "addresses")
            or not _has_known_gateways(index, place)
        ):
            continue
        both = len(families) == 2 and not _names_a_family(place)
        lacking = [version for version in families if not _has_gateway(index, place, version)]
        if lacking and (not both or len(lacking) == 2):
            what = "" if both else " and ".join(f"IPv{version} " for version in lacking)
            yield Problem(
                _default_path(place, lacking, both=both),
                f"{place.label} has no {what}gateway for its default route",
                _way_hint(place),
            )


def _default_path(place: Place, lacking: list[int], *, both: bool) -> Path:
    path = (*place.path, "default_route")
    return path if both else (*path, f"ipv{lacking[0]}")


def _way_hint(place: Place) -> str:
    if place.network is None:
        return 'write routes = [{ to = "default", via = … }] instead'
    return (
        f"write a gateway in the subnet of its address under [networks.{place.network}], or "
        "remove default_route"
    )


def _has_known_gateways(index: RuleIndex, place: Place) -> bool:
    """Whether its gateways are known."""
    if index.touched(*place.path, "addresses"):
        return False
    if place.network is None:
        return place.kind is not None
    network = index.network_of(place)
    if network is None or (network.subnets is None and network.parent is None):
        return False
    path = ("networks", str(place.network))
    cut = index.touched(*path, "subnets") or index.touched(*path, "parent")
    return not cut and index.chosen(path, KINDS[network.kind])


def _has_gateway(index: RuleIndex, place: Place, version: int) -> bool:
    if place.kind is not None and place.kind.layer3(place.options):
        return _first(place, version) != ""
    network = index.network_of(place)
    if network is not None and (network.internal or network.parent is None):
        return False
    if version == 4 and index.by_dhcp(place):
        return True
    if network is None:
        return False
    first = _first(place, version)
    own = {one.ip for one in index.given_to(place)}
    return any(
        subnet.gateway is not None and subnet.gateway not in own
        for subnet in network.subnets or ()
        if subnet.subnet.version == version and _holds(first, subnet.subnet)
    )


def _first(place: Place, version: int) -> str | None:
    """The first address of a family; None if it is still to be chosen, "" if there is none."""
    words = place.entry.addresses
    if words is None:
        return None
    for word in words:
        if word in values.WORDS:
            continue
        if ip_interface(word).version == version:
            return word
    return None if values.AUTO in words else ""


def _holds(first: str | None, subnet: Prefix) -> bool:
    return first is None or (first != "" and ip_interface(first).ip in subnet)


def default_route_twice(index: RuleIndex) -> Iterator[Problem]:
    """A namespace has one default route of a family and a metric."""
    seen: dict[tuple[object, ...], Place] = {}
    for place, wanted in _default_requests(index):
        for version in _families(wanted):
            if not _has_gateway(index, place, version):
                continue
            before = seen.setdefault((place.namespace, version, wanted.metric), place)
            if before is not place:
                yield _both_default(place, before, version)
                break
    yield from _default_and_route(index, seen)


def _both_default(place: Place, before: Place, version: int) -> Problem:
    return Problem(
        (*place.path, "default_route"),
        f"{place.label} and {before.label} both ask for the IPv{version} default route "
        "with the same metric",
        "write default_route = false for one of them, or another metric",
        related=(*before.path, "default_route"),
    )


def _default_and_route(
    index: RuleIndex, requested: dict[tuple[object, ...], Place]
) -> Iterator[Problem]:
    for asked in _routes(index):
        route = asked.route
        if route.to.prefixlen or (route.table or _MAIN) != _MAIN:
            continue
        other = requested.get((asked.namespace, route.to.version, route.metric))
        if other is not None:
            yield Problem(
                (*asked.path, "to"),
                f"{other.label} already asks for the IPv{route.to.version} default route "
                "with the same metric",
                f"write default_route = false for {other.label}, or give the route another metric",
                related=(*other.path, "default_route"),
            )
