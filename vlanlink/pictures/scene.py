"""What there is to draw: wires, networks and endpoints. Pure."""

from collections.abc import Iterator, Mapping
from typing import Literal

from vlanlink.dataclass import dataclass, replace
from vlanlink.exporters.blueprint import Blueprint
from vlanlink.model import HOST, Link, LinkName
from vlanlink.topology import NetworkConfig

Condition = Literal["", "ok", "drifted", "down", "differs"]
"""Of an endpoint; empty if the machine was not asked."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A link with a name, addresses and a MAC: in a namespace, or on the host."""

    namespace: str
    """Empty: the host."""
    interface: str
    kind: str
    addresses: tuple[str, ...] = ()
    mac: str = ""
    routes: bool = False
    """It forwards for others: ip_forward is set, or it has the gateway's address."""
    condition: Condition = ""
    notes: tuple[str, ...] = ()
    """What differs."""

    @property
    def name(self) -> str:
        """``web``, or ``web/eth1`` for another interface than eth0."""
        space = self.namespace or "host"
        return space if self.interface == "eth0" and self.namespace else f"{space}/{self.interface}"


@dataclass(frozen=True, slots=True)
class Network:
    """A network and its endpoints."""

    name: str
    kind: str
    subnets: tuple[str, ...] = ()
    """``172.16.3.0/24, gateway 172.16.3.1``."""
    shim: str = ""
    """The host's own endpoint in it."""
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Wire:
    """A parent: a NIC, a VLAN on it, or a dummy link without a wire."""

    name: str
    what: str
    vlans: "tuple[Wire, ...]" = ()
    networks: tuple[Network, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    """Standalone links."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole topology."""

    topology: str
    wires: tuple[Wire, ...] = ()
    pairs: tuple[tuple[Endpoint, Endpoint], ...] = ()
    """veth pairs."""
    host: tuple[str, ...] = ()
    """Sysctls and routes of the host."""
    live: str = ""
    """``up: 12 of 12 probes as expected``; empty if the machine was not asked."""


Conditions = Mapping[LinkName, tuple[Condition, tuple[str, ...]]]


def scene(plan: Blueprint, conditions: Conditions | None = None, live: str = "") -> Scene:
    """What a topology looks like."""
    return _Builder(plan, conditions or {}).scene(live)


class _Builder:
    def __init__(self, plan: Blueprint, conditions: Conditions) -> None:
        self.topology, self.desired, self.plan = plan.topology, plan.desired, plan
        self.conditions = conditions
        self.children: dict[LinkName, list[Link]] = {}
        for link in plan.desired.links():
            if link.parent is not None:
                self.children.setdefault(link.parent, []).append(link)

    def scene(self, live: str) -> Scene:
        roots = [self.wire(name, "link of the host") for name in self.plan.parents]
        dummies = [link for link in self.desired.host.links.values() if link.kind == "dummy"]
        roots += [self.wire(link.name, _no_wire(link)) for link in dummies]
        host = self.topology.host
        words = [f"{key} = {value}" for key, value in host.sysctls.items()]
        words += [f"route {one.to} dev {one.dev}" for one in host.routes]
        return Scene(self.topology.name, tuple(roots), tuple(self.pairs()), tuple(words), live)

    def wire(self, name: str, what: str) -> Wire:
        links = self.children.get(LinkName(HOST, name), [])
        vlans = [self.wire(one.name, _vlan(one)) for one in links if _is_wire(one)]
        others = [one for one in links if not _is_wire(one)]
        networks = dict.fromkeys(self.network_of(one) for one in others)
        drawn = [self.network(key, others) for key in networks if key]
        alone = [self.endpoint(one) for one in others if not self.network_of(one)]
        return Wire(name, what, tuple(vlans), tuple(drawn), tuple(alone))

    def network_of(self, link: Link) -> str:
        """The network that an endpoint or a shim belongs to; empty for a standalone link."""
        if link.origin[:1] == ("networks",) and len(link.origin) > 1:
            return str(link.origin[1])
        space = self.topology.namespaces.get(link.namespace)
        entry = space.interfaces.get(link.name) if space else None
        return (entry.network or "") if entry else ""

    def network(self, name: str, links: list[Link]) -> Network:
        config = self.topology.networks[name]
        mine = [one for one in links if self.network_of(one) == name]
        shims = [one for one in mine if one.namespace == HOST]
        ends = [self.endpoint(one, config) for one in mine if one not in shims]
        mode = str(config.options.get("mode", ""))
        kind = f"{config.kind} {mode}".strip()
        return Network(name, kind, tuple(_subnets(config)), _shim(shims), tuple(ends))

    def endpoint(self, link: Link, network: NetworkConfig | None = None) -> Endpoint:
        condition, notes = self.conditions.get(link.key, ("", ()))
        subnets = (network.subnets or ()) if network else ()
        gateways = {str(one.gateway) for one in subnets if one.gateway}
        space = self.desired.namespaces[link.namespace]
        forwards = any(
            key.endswith(("ip_forward", "forwarding")) and value == "1"
            for key, value in space.sysctls.items()
        )
        mac = link.settings.get("mac")
        return Endpoint(
            link.namespace,
            link.name,
            link.kind,
            tuple(one.text for one in link.addresses),
            str(mac) if mac else "",
            forwards or any(one.bare in gateways for one in link.addresses),
            condition,
            notes,
        )

    def pairs(self) -> Iterator[tuple[Endpoint, Endpoint]]:
        for link in self.desired.links():
            peer = self.desired.link(link.peer)
            if peer is not None and link.origin[-1:] != ("peer",):
                yield self.endpoint(link), self.endpoint(peer)


def _is_wire(link: Link) -> bool:
    return link.kind == "vlan" and link.namespace == HOST


def _vlan(link: Link) -> str:
    protocol = link.settings.get("protocol")
    tag = f", {protocol}" if protocol not in (None, "802.1q") else ""
    addresses = "".join(f", {one.text}" for one in link.addresses)
    return f"VLAN {link.settings.get('id')}{tag}{addresses}"


def _no_wire(link: Link) -> str:
    addresses = "".join(f", {one.text}" for one in link.addresses)
    return f"dummy: nothing leaves the host{addresses}"


def _shim(links: list[Link]) -> str:
    words = [f"{one.name} {' '.join(a.text for a in one.addresses)}".strip() for one in links]
    return ", ".join(words)


def _subnets(network: NetworkConfig) -> Iterator[str]:
    for one in network.subnets or ():
        gateway = f", gateway {one.gateway}" if one.gateway else ""
        ip_range = f", from {one.ip_range}" if one.ip_range else ""
        yield f"{one.subnet}{gateway}{ip_range}"


def cut(network: Network, most: int) -> tuple[Network, int]:
    """A network with at most ``most`` endpoints, and the number of the others."""
    if len(network.endpoints) <= most:
        return network, 0
    kept = _telling(network.endpoints, most)
    return replace(network, endpoints=kept), len(network.endpoints) - len(kept)


def _telling(endpoints: tuple[Endpoint, ...], most: int) -> tuple[Endpoint, ...]:
    """Those that something is wrong with first, in the order of the file."""
    wrong = [one for one in endpoints if one.condition not in ("", "ok") or one.routes][:most]
    kept = {id(one) for one in wrong}
    for one in endpoints:
        if len(kept) >= most:
            break
        kept.add(id(one))
    return tuple(one for one in endpoints if id(one) in kept)
