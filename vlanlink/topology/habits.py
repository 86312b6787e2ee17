"""Words that people write by habit from other tools, and the topology's own for them. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from vlanlink.errors import Path, nearest

_KEYS: Final[Mapping[str, str]] = {
    "networks": "network net nets lan lans vlans docker_networks",
    "namespaces": "namespace netns containers container services hosts nodes vms endpoints",
    "links": "link interfaces interface devices ethernets nics",
    "kind": "driver type link_type link_kind",
    "mode": "macvlan_mode ipvlan_mode driver_mode",
    "flag": "ipvlan_flag flags",
    "parent": "interface device dev link master nic iface uplink lower_device raw_device on",
    "subnets": "subnet ipam ipam_config pools networks prefixes",
    "subnet": "cidr prefix network net pool range address",
    "gateway": "gw router default_gateway gateway4 gateway6 gateway_ip",
    "ip_range": "iprange range pool allocation_pool dhcp_range allocation",
    "aux_addresses": "aux_address auxiliary_addresses reserved exclude excludes reservations",
    "interfaces": "interface iface ifaces links link nics endpoints eth devices",
    "network": "net lan networks vlan",
    "addresses": "address ip ips ip_address ip_addresses ipv4 ipv4_address ipv6_address inet cidr",
    "mac": "macaddress mac_address hwaddr hwaddress ether lladdr",
    "id": "vlan vlan_id vlanid vid tag",
    "protocol": "proto vlan_protocol",
    "altnames": "alias aliases altname alt_names",
    "to": "destination dst dest target prefix network subnet",
    "via": "nexthop next_hop gateway gw",
    "metric": "distance priority prio preference",
    "src": "source prefsrc from",
    "dev": "interface device oif link iface",
    "namespace": "netns ns container",
    "name": "ifname interface id",
    "sysctls": "sysctl kernel sys",
    "routes": "route static_routes",
    "default_route": "default defroute is_default default_gateway use_routes",
    "up": "enabled state admin_state active",
    "ipv6": "accept_ra ra ipv6_mode enable_ipv6",
    "mtu": "mtubytes mtu_size",
    "shim": "host_access host bridge",
    "probe": "dad arp_probe conflict_detection",
    "count": "num number probes attempts",
    "seconds": "timeout duration time",
    "onlink": "on_link gateway_onlink",
    "source_macs": "macs allowed_macs macaddrs",
}
"""The topology's key, and the keys of Docker, netplan, systemd-networkd and ip(8) for it."""

_WORDS: Final[Mapping[str, str]] = {
    "802.1q": "8021q dot1q vlan q",
    "802.1ad": "8021ad dot1ad qinq q-in-q ad",
    "vlan": "8021q 802.1q dot1q macvlan.vlan",
    "macvlan": "macvtap macv",
    "ipvlan": "ipvtap ipv",
    "dummy": "loopback null",
    "veth": "pair veth-pair veth_pair",
    "off": "none disabled disable false no",
    "slaac": "auto autoconf ra accept_ra dhcp",
    "static": "manual true yes on enabled",
}
_IN_HEADER: Final = "remove name: the table's header has it"
_IN_SUBNET: Final = "write it in the subnet's entry: subnets = [{ subnet = …, … }]"
_SUBNETS: Final = "it belongs to the network: [networks.NAME] with subnets = [{ subnet = …, … }]"
_VLAN: Final = 'a VLAN is part of the parent: [networks.NAME] with parent = "eth0.50"'
_NAME_SERVERS: Final = 'write dns = ["192.0.2.53"] under [namespaces.NAME]'
_OF_NAMESPACE: Final = "write it under [namespaces.NAME]"
_NETWORK: Final = "interfaces have networks: [namespaces.NAME.interfaces.LINK] with network = …"
_ENDPOINT: Final = "write it under an interface: [namespaces.NAME.interfaces.LINK]"
_IN_NAMESPACE: Final = "define the link under [namespaces.NAME.interfaces.LINK]"
_ON_INTERFACE: Final = "write them under the interface, [namespaces.NAME.interfaces.LINK]"

TOPOLOGY_ELSEWHERE: Final[Mapping[str, str]] = {"version": "remove version: the format has none"}
NETWORK_ELSEWHERE: Final[Mapping[str, str]] = {
    "name": _IN_HEADER,
    "driver_opts": "write its keys here: parent, mode",
    "options": "write them here: parent, mode",
    "config": "write subnets = [{ subnet = … }]",
    "gateway": _IN_SUBNET,
    "ip_range": _IN_SUBNET,
    "aux_addresses": _IN_SUBNET,
    "addresses": _ON_INTERFACE,
    "sysctls": "write them under [host] or [namespaces.NAME]",
}
NAMESPACE_ELSEWHERE: Final[Mapping[str, str]] = {
    "name": _IN_HEADER,
    **dict.fromkeys(("routes", "addresses"), _ON_INTERFACE),
    **dict.fromkeys(("network", "networks"), _NETWORK),
    **dict.fromkeys(("mac", "default_route", "dhcp", "ipv6"), _ENDPOINT),
    "nameservers": "did you mean dns?",
}
LINK_ELSEWHERE: Final[Mapping[str, str]] = {
    "name": _IN_HEADER,
    "namespace": _IN_NAMESPACE,
    "netns": _IN_NAMESPACE,
    "network": "endpoints are in namespaces: [namespaces.NAME.interfaces.LINK]",
    "sysctls": "write them under [host]",
}
INTERFACE_ELSEWHERE: Final[Mapping[str, str]] = {
    "name": _IN_HEADER,
    "sysctls": "write them under [namespaces.NAME]",
    **dict.fromkeys(("dns", "nameservers", "nameserver"), _NAME_SERVERS),
    **dict.fromkeys(("search", "hosts", "units", "pid", "path", "unprivileged"), _OF_NAMESPACE),
    **dict.fromkeys(("gateway", "gateway4", "gateway6", "subnets", "ip_range"), _SUBNETS),
    **dict.fromkeys(("vlan", "vlan_id", "vid"), _VLAN),
}
"""Keys that people expect in a table, and where they belong."""

_YES: Final = frozenset({"true", "yes", "on", "y", "1", "enabled", "enable"})
_NO: Final = frozenset({"false", "no", "off", "n", "0", "disabled", "disable", "none"})


def meant_key(key: str, known: Sequence[str]) -> str | None:
    """The known key that a table's unknown one stands for."""
    word = key.lower().replace("-", "_")
    by_habit = (one for one in known if word in _KEYS.get(one, "").split())
    return word if word in known else next(by_habit, None) or nearest(word, list(known))


def meant_word(word: object, known: Sequence[str]) -> str | None:
    """The valid word that an invalid one stands for."""
    low = str(word).lower()
    by_habit = (one for one in known if low in _WORDS.get(one, "").split())
    exact = next((one for one in known if one.lower() == low), None)
    return exact or next(by_habit, None) or nearest(low, list(known))


_LONG: Final = 40
"""No number has as many characters."""


def as_boolean(value: object) -> bool | None:
    """True or false for the words and numbers that mean it elsewhere."""
    low = str(value).strip().lower()
    return low in _YES if low in _YES | _NO else None


def as_integer(value: object) -> int | None:
    """The whole number in ``"1500"``, ``1500.0`` or ``"1500 bytes"``."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    word = value if isinstance(value, str) and len(value) < _LONG else ""
    found = re.fullmatch(r"\s*([-+]?[0-9]+)\s*(?:b|bytes)?\s*", word)
    return int(found[1]) if found else None


def as_number(value: object) -> float | None:
    """The number in a string such as ``"1.5"`` or ``"2s"``."""
    word = value if isinstance(value, str) and len(value) < _LONG else ""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:s|sec|seconds)?\s*", word)
    return float(found[1]) if found else None


def as_list(value: str) -> list[str]:
    """The entries of ``"a, b"``."""
    return [word for word in re.split(r"[,;\s]+", value.strip()) if word]


def as_route(text: str) -> dict[str, Any] | None:
    """The table of a route written as ip(8) has it: ``10.0.0.0/8 via 192.0.2.1 metric 5``."""
    to, *rest = text.split() or [""]
    if not re.fullmatch(r"default|[0-9a-fA-F.:]+(/[0-9]+)?", to):
        return None
    pairs = dict(zip(rest[::2], rest[1::2], strict=False))
    route: dict[str, Any] = {"to": to}
    route |= {key: pairs[key] for key in ("via", "dev", "src") if key in pairs}
    route |= {key: int(pairs[key]) for key in ("metric", "table") if pairs.get(key, "").isdigit()}
    return route


def as_pairs(value: Iterable[object]) -> dict[str, int] | None:
    """The table of ``["0:1", "2:3"]``."""
    found = [re.fullmatch(r"\s*(\d+)\s*[:=>-]+\s*(\d+)\s*", str(one)) for one in value]
    return {one[1]: int(one[2]) for one in found if one} if found and all(found) else None


def dotted_name(name: Path, table: Any, keys: tuple[str, ...]) -> Path | None:
    """The header of [namespaces.web.example.com.interfaces.eth0], with the name in one part."""
    if not isinstance(table, dict):
        return None
    if any(one in keys for one in table):
        links = table.get("interfaces")
        below = ("interfaces", next(iter(links))) if links and isinstance(links, dict) else ()
        return (".".join(map(str, name)), *below)
    found = (dotted_name((*name, part), one, keys) for part, one in table.items())
    return next((header for header in found if header), None)
