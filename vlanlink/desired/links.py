"""One entry of the file → one desired link: options, MAC, addresses, IPv6 policy. Pure."""

from collections.abc import Mapping
from ipaddress import IPv6Address

from vlanlink.desired.addressing import with_prefix
from vlanlink.desired.builder import Builder
from vlanlink.desired.dhcp import as_leased, dhcp_client, leased_mtu, standalone_addresses
from vlanlink.digest import sha256
from vlanlink.errors import Path
from vlanlink.kinds import COMMON, KINDS, Kind
from vlanlink.kinds.common import NO_TOKEN, TOKEN
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU, Options
from vlanlink.model import HOST, Address, Link, LinkName, Setting
from vlanlink.sysctl import proc_path
from vlanlink.topology import EndpointConfig, InterfaceConfig, LinkConfig, PeerConfig


def desired_link(
    builder: Builder, key: LinkName, entry: LinkConfig, origin: Path, parent: Link | None
) -> Link:
    """The link that an entry asks for, its network's options included."""
    topology = builder.topology
    network = (
        topology.networks.get(entry.network or "") if isinstance(entry, InterfaceConfig) else None
    )
    kind = KINDS[network.kind if network else str(entry.kind)]
    options = network.options if network else entry.options
    settings = _common_settings(entry, kind, options)
    if network and network.mtu:
        settings.setdefault("mtu", network.mtu)
    for option in kind.options:
        if option.key in options:
            settings[option.key] = option.canonical(options[option.key])
    settings |= _derived_mac(builder, key, kind, settings)
    assigned = builder.addressing.addresses.get(key)
    if assigned is None:
        assigned = tuple(standalone_addresses(builder, key, entry))
    addresses = tuple(as_leased(builder, key, text) for text in assigned)
    settings |= leased_mtu(builder, key, addresses, parent) if "mtu" not in settings else {}
    mode, token = _ipv6_of(entry)
    defaults = _defaults(kind, settings, parent)
    mtu = settings.get("mtu", defaults.get("mtu"))
    settings |= ipv6_policy(builder, key, addresses, mtu, mode, token)
    return Link(
        key.name,
        kind.name,
        key.namespace,
        parent=parent.key if parent else None,
        settings=settings,
        defaults=defaults,
        addresses=addresses,
        owner=builder.name,
        dhcp=dhcp_client(builder, key, entry, network) if key.namespace != HOST else None,
        origin=origin,
    )


def _ipv6_of(entry: LinkConfig) -> tuple[str, str]:
    """The source of its IPv6 addresses, and the host part of those by advertisement."""
    if not isinstance(entry, InterfaceConfig):
        return "static", NO_TOKEN
    return entry.ipv6, str(entry.ipv6_token or NO_TOKEN)


def peer_link(builder: Builder, link: Link, peer: PeerConfig) -> Link:
    """The other end of a pair."""
    key = LinkName(peer.namespace or HOST, peer.name)
    kind = KINDS[link.kind]
    settings = _common_settings(peer, kind, {})
    settings |= _derived_mac(builder, key, kind, settings)
    addresses = tuple(Address(with_prefix(text, ())) for text in peer.addresses or ())
    settings |= ipv6_policy(builder, key, addresses, peer.mtu)
    return Link(
        key.name,
        link.kind,
        key.namespace,
        peer=link.key,
        settings=settings,
        defaults={"mtu": kind.default_mtu, "multicast": kind.multicast},
        addresses=addresses,
        owner=builder.name,
        origin=(*link.origin, "peer"),
    )


def link_local_of(mac: str) -> str:
    """The link-local address that a kernel gives a link with this MAC (RFC 4291, appendix A)."""
    data = bytes.fromhex(mac.replace(":", ""))
    number = bytes((data[0] ^ 0x02,)) + data[1:3] + b"\xff\xfe" + data[3:]
    return str(IPv6Address(bytes.fromhex("fe80000000000000") + number))


def derived_mac(identity: str, topology: str, namespace: str, interface: str) -> str:
    """The MAC of a link without one in the file: stable, and different on every machine.

    Locally administered and unicast (IEEE 802, the two low bits of the first byte).
    """
    seed = "\0".join((identity, topology, namespace, interface)).encode()
    raw = bytearray(sha256(seed)[:6])
    raw[0] = raw[0] & 0xFC | 0x02
    return raw.hex(":")


def _common_settings(entry: EndpointConfig, kind: Kind, options: Options) -> dict[str, Setting]:
    """The options of every kind that the entry sets."""
    return {
        option.key: option.canonical(value)
        for option in COMMON
        if (value := getattr(entry, option.key)) is not None and not option.absent(kind, options)
    }


def _derived_mac(
    builder: Builder, key: LinkName, kind: Kind, settings: Mapping[str, Setting]
) -> dict[str, Setting]:
    if "mac" in settings or kind.mac(settings) != "derived":
        return {}
    return {"mac": derived_mac(builder.context.identity, builder.name, *key)}


def _defaults(kind: Kind, settings: dict[str, Setting], parent: Link | None) -> dict[str, Setting]:
    values: dict[str, Setting] = {"multicast": kind.multicast}
    if parent is None:
        return values | ({"mtu": kind.default_mtu} if kind.default_mtu else {})
    keys = ["mtu"]
    if kind.mac(settings) == "inherited":
        keys.append("mac")
    values |= {key: parent.settings.get(key, parent.defaults.get(key)) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


def ipv6_policy(
    builder: Builder,
    key: LinkName,
    addresses: tuple[Address, ...],
    mtu: Setting,
    mode: str = "static",
    token: str = NO_TOKEN,
) -> dict[str, Setting]:
    """The IPv6 sysctls of a link: no IPv6 but what the file says. The file's sysctls override."""
    if not builder.has_ipv6 or (isinstance(mtu, int) and mtu < IPV6_MINIMUM_MTU):
        return {}
    if mode == "slaac":
        # 2: a namespace that forwards accepts advertisements too (ip-sysctl.rst).
        policy: dict[str, Setting] = {"disable_ipv6": 0, "accept_ra": 2, "accept_dad": 1}
        policy[TOKEN] = token
    elif any(address.family == 6 for address in addresses):
        policy = {"disable_ipv6": 0, "accept_ra": 0, "accept_dad": 0}
    else:
        policy = {"disable_ipv6": 1}
    overridden = {proc_path(sysctl) for sysctl in _sysctls(builder, key.namespace)}
    return {k: v for k, v in policy.items() if f"net/ipv6/conf/{key.name}/{k}" not in overridden}


def _sysctls(builder: Builder, space: str) -> dict[str, str]:
    if space == HOST:
        return dict(builder.topology.host.sysctls)
    namespace = builder.topology.namespaces.get(space)
    return dict(namespace.sysctls) if namespace else {}
