"""Endpoints that ask by DHCP: how they ask, and what follows from their leases. Pure."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from vlanlink.desired.addressing import with_prefix
from vlanlink.desired.builder import Builder
from vlanlink.digest import sha256
from vlanlink.errors import Problem
from vlanlink.kinds import KINDS
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU
from vlanlink.model import Address, DhcpClient, Link, LinkName, Resolver, Route, Setting
from vlanlink.store.dhcp_leases import DhcpLease
from vlanlink.topology import EndpointConfig, InterfaceConfig, NetworkConfig, ProbeConfig
from vlanlink.topology.dhcp import address_entries, asks_dhcp, dhcp_config
from vlanlink.topology.values import DHCP, client_id_bytes

DEFAULT_TIMEOUT: Final = 15.0
MOST_SERVERS: Final = 3
"""The resolver reads three (resolv.conf(5))."""
MOST_DOMAINS: Final = 6
_ANYWHERE: Final = "0.0.0.0/0"
_DUID_TYPE_UUID: Final = b"\0\4"
_NODE_SPECIFIC: Final = b"\xff"
"""The type of a client identifier with IAID and DUID (RFC 4361, 6.1)."""


def dhcp_client(
    builder: Builder, key: LinkName, entry: EndpointConfig, network: NetworkConfig | None
) -> DhcpClient | None:
    """How an interface asks for its address; None if it does not."""
    if not isinstance(entry, InterfaceConfig) or not asks_dhcp(entry, network):
        return None
    config = dhcp_config(entry, network)
    kind = KINDS[network.kind if network else str(entry.kind)]
    shares_mac = kind.mac(network.options if network else entry.options) == "fixed"
    client_id = client_id_bytes(config.client_id) if config.client_id else None
    probe = network.probe if network else entry.probe
    how = probe if isinstance(probe, ProbeConfig) else ProbeConfig()
    return DhcpClient(
        client_id=_own_id(builder, key) if shares_mac and not client_id else client_id,
        hostname=config.hostname,
        vendor_class=config.vendor_class,
        shares_mac=shares_mac,
        timeout=config.timeout if config.timeout is not None else DEFAULT_TIMEOUT,
        probes=how.count if probe is not False else 0,
        probe_seconds=how.seconds,
        hears_routers=_hears_routers(entry, network),
    )


def _hears_routers(entry: InterfaceConfig, network: NetworkConfig | None) -> bool:
    return entry.ipv6 == "slaac" and dhcp_config(entry, network).use_dns is not False


def _own_id(builder: Builder, key: LinkName) -> bytes:
    """An identifier that differs by machine, topology, namespace and interface (RFC 4361)."""
    iaid = sha256("\0".join(key).encode())[:4]
    machine = "\0".join((builder.context.identity, builder.name)).encode()
    return _NODE_SPECIFIC + iaid + _DUID_TYPE_UUID + sha256(machine)[:16]


def lease_of(builder: Builder, key: LinkName) -> DhcpLease | None:
    """The lease of an interface that asks by DHCP."""
    namespace = builder.topology.namespaces.get(key.namespace)
    entry = namespace.interfaces.get(key.name) if namespace else None
    if entry is None or not asks_dhcp(entry, builder.topology.networks.get(entry.network or "")):
        return None
    return builder.context.dhcp.get((key.namespace, key.name))


def standalone_addresses(builder: Builder, key: LinkName, entry: EndpointConfig) -> Iterator[str]:
    """The addresses of a link without a network, with their prefixes."""
    for text in address_entries(entry, None):
        lease = lease_of(builder, key) if text == DHCP else None
        if lease is not None:
            yield lease.address
        elif text != DHCP:
            yield with_prefix(text, ())


def as_leased(builder: Builder, key: LinkName, text: str) -> Address:
    """The address, with its lifetime if it is leased."""
    lease = lease_of(builder, key)
    if lease is None or lease.address != text:
        return Address(text)
    seconds = lease.left(builder.context.now)
    return Address(text, seconds=seconds, permanent=seconds is None, by_dhcp=True)


def leased_mtu(
    builder: Builder, key: LinkName, addresses: tuple[Address, ...], parent: Link | None
) -> dict[str, Setting]:
    """The MTU that the server asks for, as far as the parent and IPv6 allow it."""
    lease = lease_of(builder, key)
    if lease is None or lease.mtu is None:
        return {}
    entry = builder.topology.namespaces[key.namespace].interfaces[key.name]
    six = entry.ipv6 == "slaac" or any(address.family == 6 for address in addresses)
    mtu = max(lease.mtu, IPV6_MINIMUM_MTU) if six else lease.mtu
    limit = parent.settings.get("mtu", parent.defaults.get("mtu")) if parent else None
    return {"mtu": min(mtu, limit) if isinstance(limit, int) else mtu}


def leased_routes(builder: Builder, link: Link) -> Iterator[Route]:
    """The routes that the server gives; its default route among them."""
    lease = lease_of(builder, link.key)
    if lease is None or not any(address.by_dhcp for address in link.addresses):
        return
    entry = builder.topology.namespaces[link.namespace].interfaces[link.name]
    network = builder.topology.networks.get(entry.network or "")
    config = dhcp_config(entry, network)
    apart = network is not None and (network.internal or network.parent is None)
    if config.use_routes is False or apart:
        return
    near = [ipaddress.ip_interface(lease.address).network]
    near += [
        ipaddress.ip_network(to) for to, via in lease.routes if via is None and to != _ANYWHERE
    ]
    for to, via in lease.routes:
        there = via is None or any(ipaddress.ip_address(via) in prefix for prefix in near)
        yield Route(
            to, link.name, via, metric=config.metric or 0, onlink=not there, origin=link.origin
        )


def learnt_resolver(builder: Builder, space: str) -> Resolver | None:
    """What a namespace's leases and routers say of DNS, the file's first interface first.

    Servers by DHCP come first, and the last place is for a router's (RFC 8106, 5.3.1).
    """
    leased, search = _leased_names(builder, space)
    advertised, domains = _advertised_names(builder, space)
    servers = [*leased[: MOST_SERVERS - bool(advertised)], *advertised]
    if not servers:
        return None
    return Resolver(_first(servers, MOST_SERVERS), _first([*search, *domains], MOST_DOMAINS))


def unheard_routers(builder: Builder) -> Iterator[Problem]:
    """A warning for each new interface whose routers' name servers nobody listens for."""
    for space, namespace in builder.topology.namespaces.items():
        networks = builder.topology.networks
        interfaces = namespace.interfaces.items()
        if (namespace.dns, namespace.path, namespace.pid) != (None,) * 3:
            continue
        if any(asks_dhcp(entry, networks.get(entry.network or "")) for _, entry in interfaces):
            continue
        for name, entry in interfaces:
            if entry.ipv6 == "slaac" and builder.observed.link(LinkName(space, name)) is None:
                path = ("namespaces", space, "interfaces", name, "ipv6")
                message = f"{space} takes no name servers from routers: that needs dhcp on {name}"
                yield Problem(path, message, f'dns = ["…"] in [namespaces.{space}] sets them')


def _first(names: list[str], most: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))[:most]


def _leased_names(builder: Builder, space: str) -> tuple[list[str], list[str]]:
    servers: list[str] = []
    search: list[str] = []
    for name, entry in builder.topology.namespaces[space].interfaces.items():
        lease = lease_of(builder, LinkName(space, name))
        config = dhcp_config(entry, builder.topology.networks.get(entry.network or ""))
        if lease is not None and config.use_dns is not False:
            servers += lease.dns
            search += lease.search
    return servers, search


def _advertised_names(builder: Builder, space: str) -> tuple[list[str], list[str]]:
    """Of interfaces that ask by DHCP: the process that renews their leases listens, too."""
    servers: list[str] = []
    search: list[str] = []
    for name, entry in builder.topology.namespaces[space].interfaces.items():
        network = builder.topology.networks.get(entry.network or "")
        heard = builder.context.advertised.get((space, name))
        if heard and asks_dhcp(entry, network) and _hears_routers(entry, network):
            servers += [
                f"{one}%{name}" if ipaddress.ip_address(one).is_link_local else one
                for one in heard.servers
            ]
            search += heard.search
    return servers, search
