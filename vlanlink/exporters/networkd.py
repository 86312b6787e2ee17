"""The host's part of a topology as files of networkd: systemd.netdev(5), systemd.network(5).

networkd works in the host's namespace only. A parent's own file stays the administrator's: what
it has to say in addition is a drop-in. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.errors import Diagnostic
from vlanlink.exporters.blueprint import Blueprint, Exported
from vlanlink.kinds import KINDS, Choice
from vlanlink.model import TABLE_LOCAL, TABLE_MAIN, Link, Route, Setting

_PRIORITY: Final = "50-"
_KEYWORDS: Final = {"vlan": "VLAN", "macvlan": "MACVLAN", "ipvlan": "IPVLAN"}
_SECTIONS: Final = {"vlan": "VLAN", "macvlan": "MACVLAN", "ipvlan": "IPVLAN", "veth": "Peer"}
_OPTIONS: Final[Mapping[str, str]] = {
    "id": "Id",
    "protocol": "Protocol",
    "gvrp": "GVRP",
    "mvrp": "MVRP",
    "loose_binding": "LooseBinding",
    "reorder_hdr": "ReorderHeader",
    "egress_qos": "EgressQOSMaps",
    "ingress_qos": "IngressQOSMaps",
    "mode": "Mode",
    "flag": "Flags",
    "bc_queue_len": "BroadcastMulticastQueueLength",
    "source_macs": "SourceMACAddress",
}

Sections = list[tuple[str, list[tuple[str, str]]]]


def as_networkd(plan: Blueprint) -> Exported:
    """The files, and what they don't say."""
    links = [link for link in plan.desired.host.links.values() if link.owner is not None]
    files: dict[str, str] = {}
    for link in links:
        if link.kind != "veth" or _is_first(link, plan):
            files[f"{_PRIORITY}{link.name}.netdev"] = _text(_netdev(link, plan))
    for parent, children in _children(links).items():
        if parent not in {link.name for link in links}:
            lines = [(_KEYWORDS[one.kind], one.name) for one in children]
            files[f"{parent}.network.d/{plan.topology.name}.conf"] = _text([("Network", lines)])
    for link in links:
        files[f"{_PRIORITY}{link.name}.network"] = _text(_network(link, links, plan))
    drop_ins = [
        parent
        for parent in plan.parents
        if any(f.startswith(f"{parent}.network.d/") for f in files)
    ]
    unsaid = (*_unsaid(plan), *map(_drop_in, drop_ins))
    return Exported(plan.topology.name, dict(sorted(files.items())), unsaid)


def _drop_in(parent: str) -> Diagnostic:
    message = f"the file for {parent} is a drop-in for {parent}.network"
    hint = "name the directory after the .network file that matches it"
    return Diagnostic(message, hint, severity="warning")


def _is_first(link: Link, plan: Blueprint) -> bool:
    """One file makes both ends of a pair."""
    return link.origin[-1:] != ("peer",) and plan.desired.link(link.peer) is not None


def _children(links: list[Link]) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        if link.parent is not None:
            found.setdefault(link.parent.name, []).append(link)
    return found


def _text(sections: Sections) -> str:
    blocks = []
    for name, lines in sections:
        blocks.append("\n".join([f"[{name}]", *(f"{key}={value}" for key, value in lines)]))
    return "\n\n".join(blocks) + "\n"


def _netdev(link: Link, plan: Blueprint) -> Sections:
    own = [("Name", link.name), ("Kind", link.kind), *_common(link)]
    found: Sections = [("NetDev", own)]
    options = [pair for key in _OPTIONS if (pair := _option(link, key))]
    peer = plan.desired.link(link.peer)
    if peer is not None:
        options = [("Name", peer.name)]
        mac = peer.settings.get("mac")
        options += [("MACAddress", str(mac))] if mac else []
    if options:
        found.append((_SECTIONS[link.kind], options))
    return found


def _common(link: Link) -> Iterator[tuple[str, str]]:
    for key, word in (("mtu", "MTUBytes"), ("mac", "MACAddress")):
        if link.settings.get(key) is not None:
            yield word, str(link.settings[key])


def _option(link: Link, key: str) -> tuple[str, str] | None:
    option = KINDS[link.kind].option(key)
    value = link.settings.get(key)
    if option is None or value in (None, ()):
        return None
    words = _value(value)
    return _OPTIONS[key], words.upper() if isinstance(option, Choice) and key == "mode" and (
        link.kind == "ipvlan"
    ) else words


def _value(value: Setting) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(f"{p[0]}-{p[1]}" if isinstance(p, tuple) else p for p in value)
    return str(value)


def _network(link: Link, links: list[Link], plan: Blueprint) -> Sections:
    lines = [(_KEYWORDS[one.kind], one.name) for one in links if one.parent == link.key]
    alone = [one for one in link.addresses if one.global_scope]
    lines += [("Address", one.text) for one in link.addresses if one not in alone]
    six = any(address.family == 6 for address in link.addresses)
    lines += [("LinkLocalAddressing", "ipv6" if six else "no"), ("IPv6AcceptRA", "no")]
    found: Sections = [("Match", [("Name", link.name)]), ("Network", lines)]
    found += [("Address", _undetected(one.text)) for one in alone]
    here = [route for route in plan.desired.host.routes if route.dev == link.name]
    found += [("Route", list(_route(route))) for route in sorted(here, key=str)]
    return found


def _undetected(address: str) -> list[tuple[str, str]]:
    """An address without the check for duplicates, which takes networkd seconds."""
    return [("Address", address), ("Scope", "global"), ("DuplicateAddressDetection", "none")]


def _route(route: Route) -> Iterator[tuple[str, str]]:
    yield "Destination", route.to
    if route.via:
        yield "Gateway", route.via
    if route.onlink:
        yield "GatewayOnLink", "yes"
    if route.src:
        yield "PreferredSource", route.src
    if route.metric:
        yield "Metric", str(route.metric)
    if route.table != TABLE_MAIN:
        yield "Table", "local" if route.table == TABLE_LOCAL else str(route.table)


def _unsaid(plan: Blueprint) -> Iterator[Diagnostic]:
    for name in plan.topology.namespaces:
        message = f"namespace {name} is not exported: networkd works in the host's namespace only"
        yield plan.warn(("namespaces", name), message)
    for key in plan.topology.host.sysctls:
        message = f"sysctl {key} is not exported"
        yield plan.warn(("host", "sysctls", key), message, "write it into /etc/sysctl.d")
    for name, network in plan.topology.networks.items():
        if network.shim:
            message = f"the shim of network {name} lacks its ARP settings"
            hint = "arp_filter = 1 and arp_announce = 2 keep it off the host's other addresses"
            yield plan.warn(("networks", name, "shim"), message, hint)
