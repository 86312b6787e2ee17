"""The shim link. Pure.

A parent and the macvlan or ipvlan links on it can't reach each other: the host's own frames leave
by the wire. A sibling of the endpoints reaches them. Which addresses and sysctls the shim needs
depends on what the kernel sends on the wire in its name; docs/shim.md has the reasons.
"""

import ipaddress
from collections.abc import Collection, Iterator, Sequence

from vlanlink.desired.builder import Builder
from vlanlink.desired.links import derived_mac, ipv6_policy
from vlanlink.desired.shim.sources import Shim
from vlanlink.digest import sha256
from vlanlink.kinds import KINDS, kind_options
from vlanlink.kinds.common import NO_TOKEN, TOKEN
from vlanlink.model import HOST, Address, Link, LinkName, Setting, family_of

_LINK_LOCAL = int(ipaddress.IPv4Address("169.254.1.0"))
_HALF = 64
"""The prefix length of addresses by advertisement (RFC 4291, section 2.5.1)."""
_LINK_LOCALS = 168 * 256
"""RFC 3927, section 2.1 reserves the first 256 addresses. Clouds serve metadata from 169.254.169.0
and above."""


def add_shims(builder: Builder) -> None:
    """Add the link of each shim, on its endpoints' parent."""
    by_link: dict[LinkName, list[Shim]] = {}
    for shim in builder.addressing.shims.values():
        by_link.setdefault(shim.key, []).append(shim)
    for key, sharing in by_link.items():
        endpoints = [link for shim in sharing for link in endpoint_links(builder, shim.network)]
        if endpoints and endpoints[0].parent:
            builder.links[key] = _link(builder, sharing, endpoints)


def endpoint_links(builder: Builder, network: str) -> list[Link]:
    """The links of a network's endpoints."""
    keys = (
        LinkName(space, name)
        for space, namespace in builder.topology.namespaces.items()
        for name, interface in namespace.interfaces.items()
        if interface.network == network
    )
    return [builder.links[key] for key in keys if key in builder.links]


def reachable_addresses(shim: Shim, endpoint: Link) -> tuple[Address, ...]:
    """An endpoint's addresses that the host can know, with those by advertisement and token.

    The router gives its prefixes to the parent too.
    """
    token = str(endpoint.settings.get(TOKEN, NO_TOKEN))
    if token == NO_TOKEN:
        return endpoint.addresses
    own = int(ipaddress.IPv6Address(token))
    networks = (ipaddress.ip_interface(text).network for text in shim.parent_addresses.get(6, ()))
    found = [f"{net[own]}/{net.prefixlen}" for net in networks if net.prefixlen == _HALF]
    return (*endpoint.addresses, *map(Address, dict.fromkeys(found)))


def _link(builder: Builder, sharing: list[Shim], endpoints: list[Link]) -> Link:
    """A sibling of ``endpoints``, with only the addresses that it needs."""
    first, name = endpoints[0], sharing[0].name
    kind = KINDS[first.kind]
    mac = derived_mac(builder.context.identity, builder.name, HOST, name)
    own_mac = kind.mac(first.settings) != "fixed"
    mtus = [mtu for link in endpoints if isinstance(mtu := link.settings.get("mtu"), int)]
    families = {
        address.family
        for shim in sharing
        for link in endpoints
        for address in reachable_addresses(shim, link)
    }
    families |= {family_of(text) for shim in sharing for text in _of_ended(builder, shim.network)}
    own = [text for shim in sharing for text in builder.addressing.shim_addresses[shim.network]]
    addresses = tuple(_addresses(own, families, mac))
    settings: dict[str, Setting] = {
        "up": True,
        "altnames": (),
        "multicast": False,  # mDNS leaves it alone, and the LAN never hears of its addresses
        **kind_options(first.kind, first.settings),
    }
    settings |= {"mtu": min(mtus)} if mtus else {}
    settings |= {"mac": mac} if own_mac else {}
    settings |= {} if kind.layer3(first.settings) else _arp_policy()
    mtu = settings.get("mtu") or first.defaults.get("mtu")
    settings |= ipv6_policy(builder, LinkName(HOST, name), addresses, mtu)
    return Link(
        name,
        first.kind,
        parent=first.parent,
        settings=settings,
        defaults=first.defaults,
        addresses=addresses,
        owner=builder.name,
        origin=sharing[0].origin,
    )


def _of_ended(builder: Builder, network: str) -> Iterator[str]:
    """The addresses that attachments come back to."""
    live = {one.key for one in builder.context.attached}
    for key, lease in builder.context.leases.attachments.items():
        if key[0] == network and key not in live:
            yield from lease.bare


def _addresses(own: Sequence[str], families: Collection[int], mac: str) -> Iterator[Address]:
    """The written addresses, and a link-local one of each family that needs it.

    MASQUERADE wants an IPv4 address on the link, of global scope. IPv6 neighbours need a
    link-local one in any case.
    """
    yield from map(Address, dict.fromkeys(own))
    if 4 in families and all(family_of(text) != 4 for text in own):
        yield Address(_ipv4_link_local(mac), global_scope=True)
    if 6 in families:
        yield Address(_ipv6_link_local(mac))


def _arp_policy() -> dict[str, Setting]:
    """The LAN never learns the shim's MAC for one of the parent's addresses (ip-sysctl.rst).

    arp_filter 1: hosts that are reached through the parent get no answer from the shim.
    arp_announce 2: ARP requests carry the shim's own source address. They also go out on the wire,
    where a host that knows the parent's address would update its cache.
    arp_ignore 0: the shim answers for the parent's address.
    """
    return {"arp_filter": 1, "arp_announce": 2, "arp_ignore": 0}


def _ipv4_link_local(mac: str) -> str:
    """A link-local address (RFC 3927), derived from its MAC."""
    number = int.from_bytes(sha256(mac.encode())[:4])
    return f"{ipaddress.IPv4Address(_LINK_LOCAL + number % _LINK_LOCALS)}/32"


def _ipv6_link_local(mac: str) -> str:
    """fe80:: and the interface identifier of a MAC (RFC 4291, appendix A)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([raw[0] ^ 0x02]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    prefix = int(ipaddress.IPv6Address("fe80::"))
    return f"{ipaddress.IPv6Address(prefix | int.from_bytes(identifier))}/64"
