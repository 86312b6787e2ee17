"""Routes as the kernel keeps them, from routes as the file writes them. Pure."""

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from vlanlink.dataclass import replace
from vlanlink.errors import Path
from vlanlink.kinds import KINDS
from vlanlink.model import Link, LinkName, Route
from vlanlink.topology import InterfaceConfig, RouteConfig, SubnetConfig, Topology

ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
KERNEL_METRIC = {4: 0, 6: 1024}
"""Default route metric (linux/ipv6_route.h IP6_RT_PRIO_USER)."""


def desired_route(entry: RouteConfig, dev: str, origin: Path) -> Route:
    """The route that an entry of the file asks for on ``dev``."""
    to = str(entry.to)
    family = 6 if ":" in to else 4
    return Route(
        to=to,
        dev=dev,
        via=str(entry.via) if entry.via is not None else None,
        metric=entry.metric if entry.metric is not None else KERNEL_METRIC[family],
        src=str(entry.src) if entry.src is not None else None,
        table=entry.table if entry.table is not None else 254,
        onlink=entry.onlink,
        origin=origin,
    )


Leased = Mapping[LinkName, Route]
"""The default routes that DHCP servers give."""


def default_routes(
    topology: Topology, space: str, links: Mapping[LinkName, Link], leased: Leased
) -> Iterator[Route]:
    """The default routes of a namespace's interfaces.

    Each interface with ``default_route = true`` gets one. So does the first interface of the file
    that has a gateway, unless it says otherwise or an explicit one has the same metric.
    """
    for family in (4, 6):
        able = [
            (asked, route)
            for name, interface in topology.namespaces[space].interfaces.items()
            for asked, route in [
                _default_route(topology, interface, links[LinkName(space, name)], family, leased)
            ]
            if asked is not False and route is not None
        ]
        explicit = [route for asked, route in able if asked]
        yield from explicit
        if able and able[0][0] is None:
            implicit = able[0][1]
            if implicit.metric not in {route.metric for route in explicit}:
                yield implicit


def subnet_routes(
    topology: Topology,
    space: str,
    links: Mapping[LinkName, Link],
    subnets: Mapping[str, Sequence[SubnetConfig]],
    defaults: Collection[Route],
) -> Iterator[Route]:
    """Routes to the other subnets of a routed network (ipvlan l3 and l3s).

    An endpoint whose default route leads elsewhere (to a router in the topology) would not reach
    the endpoints in the network's other subnets.
    """
    for name, interface in topology.namespaces[space].interfaces.items():
        link = links[LinkName(space, name)]
        if not link.up or not KINDS[link.kind].layer3(link.settings):
            continue
        own = [ipaddress.ip_interface(address.text) for address in link.addresses]
        for subnet in subnets.get(interface.network or "", ()):
            family = subnet.subnet.version
            led = any(r.dev == name and r.to == ANYWHERE[family] for r in defaults)
            at_home = any(subnet.subnet == one.network for one in own)
            if not led and not at_home and any(one.version == family for one in own):
                metric = KERNEL_METRIC[family]
                yield Route(str(subnet.subnet), name, metric=metric, origin=link.origin)


def _default_route(
    topology: Topology, interface: InterfaceConfig, link: Link, family: int, leased: Leased
) -> tuple[bool | None, Route | None]:
    """The interface's ``default_route`` (None: left out), and the route it could have."""
    asked, metric = _asked(interface.default_route, family)
    if not link.settings.get("up", True):
        return asked, None
    route = _possible_default(topology, interface, link, family, metric)
    by_server = leased.get(link.key) if family == 4 else None
    if by_server is None or (route is not None and not _first_is_leased(link)):
        return asked, route
    return asked, replace(by_server, metric=by_server.metric if metric is None else metric)


def _first_is_leased(link: Link) -> bool:
    return next((one.by_dhcp for one in link.addresses if one.family == 4), False)


def _asked(setting: Any, family: int) -> tuple[bool | None, int | None]:
    if setting is None or isinstance(setting, bool):
        return setting, None
    if setting.ipv4 is None and setting.ipv6 is None:
        return True, setting.metric
    return setting.ipv4 if family == 4 else setting.ipv6, setting.metric


def _possible_default(
    topology: Topology, interface: InterfaceConfig, link: Link, family: int, metric: int | None
) -> Route | None:
    addresses = [a for a in link.addresses if a.family == family and not a.link_local]
    if not addresses:
        return None
    route = Route(
        to=ANYWHERE[family],
        dev=link.name,
        metric=metric if metric is not None else KERNEL_METRIC[family],
        origin=link.origin,
    )
    network = topology.networks.get(interface.network or "")
    if network and (network.internal or network.parent is None):
        return None
    if KINDS[link.kind].layer3(link.settings):
        return route
    if network is None:
        return None
    gateways = [subnet for subnet in network.subnets or () if subnet.gateway is not None]
    first = ipaddress.ip_address(addresses[0].bare) if gateways else None
    for subnet in gateways:
        if first in subnet.subnet:
            if str(subnet.gateway) in {a.bare for a in link.addresses}:
                return None  # this interface has the gateway's address: it is the router
            return replace(route, via=str(subnet.gateway), onlink=subnet.onlink)
    return None
