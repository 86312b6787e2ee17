"""Routes as the kernel keeps them, from routes as the file writes them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from vlanlink.errors import Path
from vlanlink.kinds import KINDS
from vlanlink.model import Link, LinkName, Route
from vlanlink.topology import Interface, Topology
from vlanlink.topology import Route as TopologyRoute

_ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
_KERNEL_METRIC = {4: 0, 6: 1024}
"""What a route has whose metric is left out (linux/ipv6_route.h IP6_RT_PRIO_USER)."""


def desired_route(entry: TopologyRoute, dev: str, origin: Path) -> Route:
    """The route that an entry of the file asks for on ``dev``."""
    to = str(entry.to)
    family = 6 if ":" in to else 4
    return Route(
        to=to,
        dev=dev,
        via=str(entry.via) if entry.via is not None else None,
        metric=entry.metric if entry.metric is not None else _KERNEL_METRIC[family],
        src=str(entry.src) if entry.src is not None else None,
        table=entry.table if entry.table is not None else 254,
        onlink=entry.onlink,
        origin=origin,
    )


def default_routes(
    topology: Topology, space: str, links: Mapping[LinkName, Link]
) -> Iterator[Route]:
    """The default routes of a namespace's interfaces.

    An interface that says so has one; where none says anything for a family, the first interface
    in the file that can.
    """
    interfaces = topology.namespaces[space].interfaces
    for family in (4, 6):
        given = False
        for name, interface in interfaces.items():
            link = links[LinkName(space, name)]
            asked, metric = _asked(interface.default_route, family)
            if asked is False or (asked is None and given) or not link.settings.get("up", True):
                continue
            route = _default(topology, interface, link, family, metric)
            if route is not None:
                given = True
                yield route


def _asked(setting: Any, family: int) -> tuple[bool | None, int | None]:
    if setting is None or isinstance(setting, bool):
        return setting, None
    if setting.ipv4 is None and setting.ipv6 is None:
        return True, setting.metric
    return setting.ipv4 if family == 4 else setting.ipv6, setting.metric


def _default(
    topology: Topology, interface: Interface, link: Link, family: int, metric: int | None
) -> Route | None:
    addresses = [a for a in link.addresses if a.family == family and not a.link_local]
    if not addresses:
        return None
    route = Route(
        to=_ANYWHERE[family],
        dev=link.name,
        metric=metric if metric is not None else _KERNEL_METRIC[family],
        origin=link.origin,
    )
    if KINDS[link.kind].routed(link.settings):
        return route
    network = topology.networks.get(interface.network or "")
    if network is None or network.internal or network.parent is None:
        return None
    import ipaddress
    from dataclasses import replace

    first = ipaddress.ip_address(addresses[0].bare)
    for subnet in network.subnets or ():
        if first in subnet.subnet and subnet.gateway is not None:
            if str(subnet.gateway) in {a.bare for a in link.addresses}:
                return None  # it holds the gateway's address: it is the router
            return replace(route, via=str(subnet.gateway))
    return None
