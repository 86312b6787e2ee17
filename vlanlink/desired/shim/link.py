"""The host's own link beside its endpoints. Pure.

A parent and the macvlan or ipvlan links on it do not reach each other: what the host sends to its
own parent leaves by the wire. A sibling of the endpoints does reach them. How it is made depends on
what the kernel says for it on the wire; docs/shim.md tells the reasons.
"""

import hashlib
import ipaddress

from vlanlink.desired.builder import Builder
from vlanlink.desired.links import derived_mac, ipv6_policy
from vlanlink.desired.shim.sources import Shim
from vlanlink.kinds import KINDS, kind_options
from vlanlink.model import HOST, Address, Link, LinkName, Setting, family_of

_LINK_LOCAL = int(ipaddress.IPv4Address("169.254.1.0"))
_LINK_LOCALS = 254 * 256
"""RFC 3927, section 2.1: the first and the last 256 are kept."""


def add_shims(draft: Builder) -> None:
    """The link of each shim, on the parent that the endpoints are on."""
    by_link: dict[LinkName, list[Shim]] = {}
    for shim in draft.addressing.shims.values():
        by_link.setdefault(shim.key, []).append(shim)
    for key, sharing in by_link.items():
        endpoints = [link for shim in sharing for link in endpoint_links(draft, shim.network)]
        if endpoints and endpoints[0].parent:
            draft.links[key] = _link(draft, sharing, endpoints)


def endpoint_links(draft: Builder, network: str) -> list[Link]:
    """The links of a network's endpoints."""
    keys = (
        LinkName(space, name)
        for space, namespace in draft.topology.namespaces.items()
        for name, interface in namespace.interfaces.items()
        if interface.network == network
    )
    return [draft.links[key] for key in keys if key in draft.links]


def _link(draft: Builder, sharing: list[Shim], endpoints: list[Link]) -> Link:
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
    settings: dict[str, Setting] = {
        "up": True,
        "altnames": (),
        **kind_options(first.kind, first.settings),
    }
    settings |= {"mtu": min(mtus)} if mtus else {}
    settings |= {"mac": mac} if own_mac else {}
    settings |= {} if kind.layer3(first.settings) else _arp_policy()
    mtu = settings.get("mtu") or first.defaults.get("mtu")
    settings |= ipv6_policy(draft.topology, HOST, name, addresses, mtu, draft.has_ipv6)
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
    arp_ignore 0: it answers for an address that is the parent's.
    """
    return {"arp_filter": 1, "arp_announce": 2, "arp_ignore": 0}


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
