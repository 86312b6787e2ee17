"""One entry of the file → one desired link: options, MAC, addresses, IPv6 policy. Pure."""

import hashlib
from collections.abc import Sequence

from vlanlink.desired.addressing import with_prefix
from vlanlink.errors import Path
from vlanlink.kinds import KINDS, Kind
from vlanlink.model import HOST, Address, Link, Setting
from vlanlink.sysctl import proc_path
from vlanlink.topology import InterfaceConfig, PeerConfig, Topology
from vlanlink.topology import LinkConfig as TopologyLink

IPV6_MINIMUM_MTU = 1280
"""RFC 8200, section 5. The kernel has no IPv6 on a link below it."""


def desired_link(
    topology: Topology,
    space: str,
    name: str,
    entry: TopologyLink,
    origin: Path,
    parent: Link | None,
    identity: str,
    has_ipv6: bool,
    chosen: Sequence[str] | None = None,
) -> Link:
    """The link that an entry asks for, its network's options included.

    ``chosen`` are its addresses with prefix, where they were worked out from a network's.
    """
    network = (
        topology.networks.get(entry.network or "") if isinstance(entry, InterfaceConfig) else None
    )
    kind = KINDS[network.kind if network else str(entry.kind)]
    options = network.options if network else entry.options
    mtu = entry.mtu or (network.mtu if network else None)
    settings: dict[str, Setting] = {"up": entry.up, "altnames": tuple(sorted(entry.altnames))}
    for option in kind.options:
        if option.key in options:
            settings[option.key] = option.canonical(options[option.key])
    settings |= {"mtu": mtu} if mtu else {}
    settings |= _mac(kind, entry.mac, topology.name, space, name, settings, identity)
    if chosen is None:
        chosen = tuple(with_prefix(word, ()) for word in entry.addresses or ())
    addresses = tuple(map(Address, chosen))
    mode = entry.ipv6 if isinstance(entry, InterfaceConfig) else "static"
    defaults = _defaults(kind, settings, parent)
    real_mtu = mtu or defaults.get("mtu")
    settings |= ipv6_policy(topology, space, name, addresses, real_mtu, has_ipv6, mode)
    return Link(
        name,
        kind.name,
        space,
        parent=parent.key if parent else None,
        settings=settings,
        defaults=defaults,
        addresses=addresses,
        owner=topology.name,
        origin=origin,
    )


def peer_link(
    topology: Topology, link: Link, peer: PeerConfig, identity: str, has_ipv6: bool
) -> Link:
    """The other end of a pair."""
    space = peer.namespace or HOST
    origin = (*link.origin, "peer")
    settings: dict[str, Setting] = {"up": peer.up, "altnames": tuple(sorted(peer.altnames))}
    settings |= {"mtu": peer.mtu} if peer.mtu else {}
    kind = KINDS[link.kind]
    settings |= _mac(kind, peer.mac, topology.name, space, peer.name, settings, identity)
    addresses = tuple(Address(with_prefix(text, ())) for text in peer.addresses or ())
    settings |= ipv6_policy(topology, space, peer.name, addresses, peer.mtu, has_ipv6)
    return Link(
        peer.name,
        link.kind,
        space,
        peer=link.key,
        settings=settings,
        defaults={"mtu": kind.default_mtu},
        addresses=addresses,
        owner=topology.name,
        origin=origin,
    )


def derived_mac(identity: str, topology: str, namespace: str, interface: str) -> str:
    """The MAC of a link that is given none: the same every time, another on another machine.

    Locally administered and unicast (IEEE 802, the two low bits of the first byte).
    """
    seed = "\0".join((identity, topology, namespace, interface)).encode()
    raw = bytearray(hashlib.sha256(seed).digest()[:6])
    raw[0] = raw[0] & 0xFC | 0x02
    return raw.hex(":")


def _mac(
    kind: Kind,
    asked: str | None,
    topology: str,
    space: str,
    name: str,
    settings: dict[str, Setting],
    identity: str,
) -> dict[str, Setting]:
    rule = kind.mac(settings)
    if rule == "fixed":
        return {}
    if asked:
        return {"mac": asked}
    return {"mac": derived_mac(identity, topology, space, name)} if rule == "derived" else {}


def _defaults(kind: Kind, settings: dict[str, Setting], parent: Link | None) -> dict[str, Setting]:
    if parent is None:
        return {"mtu": kind.default_mtu} if kind.default_mtu else {}
    keys = ["mtu"]
    if kind.mac(settings) == "inherited":
        keys.append("mac")
    values = {key: parent.settings.get(key, parent.defaults.get(key)) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


def ipv6_policy(
    topology: Topology,
    space: str,
    name: str,
    addresses: tuple[Address, ...],
    mtu: Setting,
    has_ipv6: bool,
    mode: str = "static",
) -> dict[str, Setting]:
    """No IPv6 but what the file says; what the file's own sysctls say goes first."""
    if not has_ipv6 or (isinstance(mtu, int) and mtu < IPV6_MINIMUM_MTU):
        return {}
    if mode == "slaac":
        # 2: advertisements are heeded by a namespace that forwards, too (ip-sysctl.rst).
        policy: dict[str, Setting] = {"disable_ipv6": 0, "accept_ra": 2}
    elif any(address.family == 6 for address in addresses):
        policy = {"disable_ipv6": 0, "accept_ra": 0, "accept_dad": 0}
    else:
        policy = {"disable_ipv6": 1}
    written = topology.host.sysctls if space == HOST else _sysctls(topology, space)
    keys = {proc_path(key) for key in written}
    return {k: v for k, v in policy.items() if f"net/ipv6/conf/{name}/{k}" not in keys}


def _sysctls(topology: Topology, space: str) -> dict[str, str]:
    namespace = topology.namespaces.get(space)
    return dict(namespace.sysctls) if namespace else {}
