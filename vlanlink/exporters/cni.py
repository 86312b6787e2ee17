"""A topology's networks as CNI configuration lists, one a network. Pure."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from vlanlink.desired.parent_names import dummy_name
from vlanlink.errors import Diagnostic
from vlanlink.exporters.blueprint import Blueprint, Exported
from vlanlink.kinds import KINDS
from vlanlink.topology import NetworkConfig, SubnetConfig

VERSION: Final = "1.0.0"
_MODES: Final = {
    "macvlan": ("bridge", "private", "vepa", "passthru"),
    "ipvlan": ("l2", "l3", "l3s"),
}


def as_conflists(plan: Blueprint) -> Exported:
    """A conflist for each network, and what CNI can't say."""
    name, networks = plan.topology.name, plan.topology.networks
    files = {f"{name}-{key}.conflist": _text(plan, key, one) for key, one in networks.items()}
    return Exported(name, files, tuple(_unsaid(plan)))


def _text(plan: Blueprint, name: str, network: NetworkConfig) -> str:
    document = {
        "cniVersion": VERSION,
        "name": f"{plan.topology.name}-{name}",
        "plugins": [_plugin(plan, name, network)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _master(plan: Blueprint, name: str, network: NetworkConfig) -> str:
    return network.parent or dummy_name(plan.topology.name, name)


def _plugin(plan: Blueprint, name: str, network: NetworkConfig) -> dict[str, Any]:
    mode = network.options.get("mode")
    found: dict[str, Any] = {"type": network.kind, "master": _master(plan, name, network)}
    if mode in _MODES[network.kind]:
        found["mode"] = mode
    if network.mtu:
        found["mtu"] = network.mtu
    found["ipam"] = _ipam(network)
    if KINDS[network.kind].mac(network.options) != "fixed":
        found["capabilities"] = {"mac": True, "ips": True}
    return found


def _ipam(network: NetworkConfig) -> dict[str, Any]:
    if not network.subnets:
        return {}
    by_family = [[s for s in network.subnets if s.subnet.version == v] for v in (4, 6)]
    ranges = [[part for one in group for part in _ranges(one)] for group in by_family if group]
    found: dict[str, Any] = {"type": "host-local", "ranges": ranges}
    routes = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    kept = [
        route
        for route, group in zip(routes, by_family, strict=True)
        if any(one.gateway for one in group) and network.parent and not network.internal
    ]
    return {**found, **({"routes": kept} if kept else {})}


def _ranges(subnet: SubnetConfig) -> Iterator[dict[str, str]]:
    """The range, cut where an address is somebody else's."""
    whole = subnet.ip_range or subnet.subnet
    first, last = int(whole.network_address), int(whole.broadcast_address)
    edges = subnet.subnet.num_addresses > 2
    first += edges and whole.network_address == subnet.subnet.network_address
    is_last = whole.broadcast_address == subnet.subnet.broadcast_address
    last -= edges and subnet.subnet.version == 4 and is_last
    of = IPv4Address if subnet.subnet.version == 4 else IPv6Address
    for start, end in _between(first, last, sorted(map(int, subnet.aux_addresses.values()))):
        found = {
            "subnet": str(subnet.subnet),
            "rangeStart": str(of(start)),
            "rangeEnd": str(of(end)),
        }
        yield {**found, **({"gateway": str(subnet.gateway)} if subnet.gateway else {})}


def _between(first: int, last: int, taken: list[int]) -> Iterator[tuple[int, int]]:
    for one in taken:
        if first <= one <= last:
            if first < one:
                yield first, one - 1
            first = one + 1
    if first <= last:
        yield first, last


def _unsaid(plan: Blueprint) -> Iterator[Diagnostic]:
    made = {link.name for link in plan.desired.host.links.values() if link.owner is not None}
    for name, network in plan.topology.networks.items():
        path = ("networks", name)
        master = _master(plan, name, network)
        if master in made:
            message = f"CNI does not create {master}, the parent of network {name}"
            yield plan.warn(path, message, "vlanlink export --to iproute2 shows how")
        if network.options.get("mode") not in _MODES[network.kind]:
            message = f"CNI has no mode {network.options.get('mode')}"
            yield plan.warn((*path, "mode"), message)
        if network.options.get("flag", "bridge") != "bridge":
            yield plan.warn((*path, "flag"), f"CNI has no flag {network.options['flag']}")
        if network.shim:
            yield plan.warn((*path, "shim"), f"the shim of network {name} is not exported")
        if not network.subnets:
            message = f"network {name} has no subnets in the file: its conflist has no addresses"
            yield plan.warn(path, message)
    for table in ("namespaces", "links"):
        for name in getattr(plan.topology, table):
            message = f"{table}.{name} is not exported: a conflist describes networks"
            yield plan.warn((table, name), message)
    if plan.topology.host.sysctls or plan.topology.host.routes:
        yield plan.warn(("host",), "host is not exported: a conflist describes networks")
