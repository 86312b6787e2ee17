"""Operations into rtnetlink messages, messages into values. The only user of pyroute2's classes.

The options of the link kinds are encoded and decoded by the kinds' own tables: from each table a
message class is built and registered with pyroute2, whose own tables lack some attributes. An
attribute that its codec would drop in silence is an error here.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from pyroute2.netlink import nla
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from vlanlink.kernel.marks import PROTOCOL, alias_of, group_of
from vlanlink.kinds import KINDS, Choice, Flag, Kind, MacList, Number, Option, QosMap
from vlanlink.model import Address, Link, Route, Setting
from vlanlink.operations import (
    IPV6_POLICY,
    AddAddress,
    AddRoute,
    MakeLink,
    Operation,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    SetLink,
)

# linux/rtnetlink.h, linux/netlink.h, linux/if.h
_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWLINKPROP, _DELLINKPROP = 108, 109
_REQUEST, _ACK, _DUMP, _EXCL, _CREATE, _APPEND = 0x1, 0x4, 0x300, 0x200, 0x400, 0x800
_IFF_UP, _IFF_LOOPBACK, _IFF_LOWER_UP = 0x1, 0x8, 0x10000
_IFA_F_NODAD, _IFA_F_TENTATIVE, _IFA_F_PERMANENT = 0x02, 0x40, 0x80
_IFA_F_DADFAILED = 0x08
_RTNH_F_ONLINK, _RTM_F_CLONED = 4, 0x200
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK = 0, 253
_RTN_UNICAST = 1
_RTPROT_RA = 9
_RT_TABLE_MAIN, _RT_TABLE_LOCAL = 254, 255
_EXT_MASK_SKIP_STATS = 1 << 3
_ARPHRD_LOOPBACK = 772

Attributes = list[tuple[str, Any]]


class UnknownAttributeError(Exception):
    """A message would be sent without something that was asked for."""


# -- the kinds' tables as message classes --------------------------------------------------------


def _nested_pairs(number: int, name: str) -> type[Any]:
    """Nested attributes, each of two numbers (struct ifla_vlan_qos_mapping)."""
    pair = type("pair", (nla,), {"fields": (("from", "I"), ("to", "I"))})
    return type(name, (nla,), {"nla_map": ((number, "PAIR", "pair"),), "pair": pair})


def _kind_class(kind: Kind) -> type[Any]:
    """A pyroute2 message class for a kind's IFLA_INFO_DATA, built from its table."""
    rows: dict[int, tuple[int, str, str]] = {}
    body: dict[str, Any] = {"prefix": ""}
    for option in kind.options:
        name = _attribute_name(option)
        match option:
            case Number() | Choice():
                rows[option.attribute] = (option.attribute, name, option.wire)
            case Flag():
                body["flags_and_mask"] = type(
                    "flags_and_mask", (nla,), {"fields": (("flags", "I"), ("mask", "I"))}
                )
                rows[option.attribute] = (option.attribute, name, "flags_and_mask")
            case QosMap():
                body[option.key] = _nested_pairs(1, option.key)
                rows[option.attribute] = (option.attribute, name, option.key)
            case MacList():
                entries = ((option.entry, "ENTRY", "l2addr"),)
                body[option.key] = type(option.key, (nla,), {"nla_map": entries})
                rows[option.attribute] = (option.attribute, name, option.key)
                rows[option.command] = (option.command, f"{name}_COMMAND", "uint32")
    body["nla_map"] = tuple(rows.values())
    return type(kind.name, (nla,), body)


def _attribute_name(option: Option) -> str:
    return f"OPTION_{option.attribute}"


ifinfmsg.ifinfo.register_link_kind(
    module={kind.name: _kind_class(kind) for kind in KINDS.values() if kind.options}
)


def encode_options(
    kind: Kind, options: Mapping[str, Setting], old: Mapping[str, Setting] | None = None
) -> Attributes:
    """A set of options as attributes of IFLA_INFO_DATA.

    ``old`` are the options of a living link: pairs of a QoS map that are not wanted any more are
    taken away by mapping them to 0.
    """
    attributes: Attributes = []
    flags = mask = 0
    flag_row = ""
    for option in kind.options:
        value = options.get(option.key)
        if value is None:
            continue
        name = _attribute_name(option)
        match option:
            case Flag():
                flags |= option.bit if value else 0
                mask |= option.bit
                flag_row = name
            case Number():
                attributes.append((name, value))
            case Choice():
                attributes.append((name, option.choices[str(value)]))
            case QosMap():
                before = (old or {}).get(option.key) or ()
                pairs = _removed_pairs(before, value) + list(_pairs(value))
                if pairs:
                    rows = [("PAIR", {"from": a, "to": b}) for a, b in pairs]
                    attributes.append((name, {"attrs": rows}))
            case MacList():
                attributes += _encode_macs(option, name, value, living=old is not None)
    if mask:
        attributes.append((flag_row, {"flags": flags, "mask": mask}))
    return attributes


def _encode_macs(option: MacList, name: str, value: Setting, *, living: bool) -> Attributes:
    macs = value if isinstance(value, tuple) else ()
    if not macs:
        return [(f"{name}_COMMAND", option.command_flush)] if living else []
    return [
        (f"{name}_COMMAND", option.command_set),
        (name, {"attrs": [("ENTRY", mac) for mac in macs]}),
    ]


def _pairs(value: Setting) -> list[tuple[int, int]]:
    return [p for p in value if isinstance(p, tuple)] if isinstance(value, tuple) else []


def _removed_pairs(old: Setting, new: Setting) -> list[tuple[int, int]]:
    kept = {a for a, _ in _pairs(new)}
    return [(a, 0) for a, _ in _pairs(old) if a not in kept]


def decode_options(kind: Kind, data: Any) -> dict[str, Setting]:
    """The options of a link from its decoded IFLA_INFO_DATA; absent lists are empty."""
    found: dict[str, Setting] = {}
    for option in kind.options:
        raw = data.get_attr(_attribute_name(option)) if data is not None else None
        match option:
            case QosMap():
                rows = raw.get_attrs("PAIR") if raw is not None else []
                found[option.key] = tuple(sorted((row["from"], row["to"]) for row in rows))
            case MacList():
                found[option.key] = tuple(sorted(raw.get_attrs("ENTRY"))) if raw else ()
            case Flag():  # flags that are all off are not sent at all
                found[option.key] = bool(raw and raw["flags"] & option.bit)
            case _ if raw is None:
                continue
            case Choice():
                words = {number: word for word, number in option.choices.items()}
                found[option.key] = words.get(raw, str(raw))
            case _:
                found[option.key] = raw
    return found


# -- operations ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A message, and the namespace whose socket it is for."""

    namespace: str
    message: bytearray


def encode(operation: Operation, host: str, descriptor: "Mapping[str, int]") -> list[Request]:
    """The messages that carry out an operation.

    ``host`` is where links with a parent are made, ``descriptor`` gives an open file for each
    namespace that a link is made into from elsewhere.
    """
    match operation:
        case MakeLink():
            return [_make_link(operation, host, descriptor)]
        case SetLink():
            return [Request(operation.namespace, m) for m in _set_link(operation)]
        case RemoveLink():
            body = {"index": operation.index}
            message = _message(ifinfmsg, _DELLINK, _REQUEST | _ACK, body, [])
            return [Request(operation.namespace, message)]
        case AddAddress():
            return [Request(operation.namespace, _address(operation, _NEWADDR, _CREATE | _EXCL))]
        case RemoveAddress():
            return [Request(operation.namespace, _address(operation, _DELADDR, 0))]
        case AddRoute():
            return [Request(operation.namespace, _route(operation, _NEWROUTE, _CREATE | _EXCL))]
        case RemoveRoute():
            return [Request(operation.namespace, _route(operation, _DELROUTE, 0))]
    raise TypeError(f"no netlink message for {operation!r}")


def _make_link(operation: MakeLink, host: str, descriptor: Mapping[str, int]) -> Request:
    link, peer = operation.link, operation.peer
    kind = KINDS[link.kind]
    asked_from = host if link.parent else link.namespace
    attributes = _new_link_attributes(link)
    if link.namespace != asked_from:
        attributes.append(("IFLA_NET_NS_FD", descriptor[link.namespace]))
    info: Attributes = [("IFLA_INFO_KIND", link.kind)]
    options = encode_options(kind, link.settings)
    if options:
        info.append(("IFLA_INFO_DATA", {"attrs": options}))
    if peer:
        there = _new_link_attributes(peer)
        if peer.namespace != asked_from:
            there.append(("IFLA_NET_NS_FD", descriptor[peer.namespace]))
        body = {"index": peer.index, "attrs": there}
        info.append(("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", body)]}))
    attributes.append(("IFLA_LINKINFO", {"attrs": info}))
    flags = _REQUEST | _ACK | _CREATE | _EXCL
    return Request(
        asked_from, _message(ifinfmsg, _NEWLINK, flags, {"index": link.index}, attributes)
    )


def _new_link_attributes(link: Link) -> Attributes:
    attributes: Attributes = [("IFLA_IFNAME", link.name), ("IFLA_GROUP", group_of(str(link.owner)))]
    if link.parent:
        attributes.append(("IFLA_LINK", link.parent_index))
    if link.settings.get("mtu"):
        attributes.append(("IFLA_MTU", link.settings["mtu"]))
    kind = KINDS[link.kind]
    if link.settings.get("mac") and kind.mac(link.settings) != "fixed":
        attributes.append(("IFLA_ADDRESS", link.settings["mac"]))
    return attributes


def _set_link(operation: SetLink) -> list[bytearray]:
    messages: list[bytearray] = []
    new = operation.new
    kind = KINDS.get(operation.kind)
    options = {o.key: new[o.key] for o in kind.options if o.key in new} if kind else {}
    if options and kind:
        always = {o.key: operation.options.get(o.key) for o in kind.options if o.always}
        data = encode_options(kind, {**always, **options}, operation.old)
        info = [("IFLA_INFO_KIND", kind.name), ("IFLA_INFO_DATA", {"attrs": data})]
        attributes: Attributes = [("IFLA_LINKINFO", {"attrs": info})]
        body = {"index": operation.index}
        messages.append(_message(ifinfmsg, _NEWLINK, _REQUEST | _ACK, body, attributes))
    messages += _set_altnames(operation)
    attributes = []
    if operation.owner is not None:
        attributes.append(("IFLA_GROUP", group_of(operation.owner)))
        attributes.append(("IFLA_IFALIAS", alias_of(operation.owner)))
    if "mtu" in new:
        attributes.append(("IFLA_MTU", new["mtu"]))
    if "mac" in new:
        attributes.append(("IFLA_ADDRESS", new["mac"]))
    body = {"index": operation.index}
    if "up" in new:
        body |= {"flags": _IFF_UP if new["up"] else 0, "change": _IFF_UP}
    if attributes or "up" in new:
        messages.append(_message(ifinfmsg, _SETLINK, _REQUEST | _ACK, body, attributes))
    return messages


def _set_altnames(operation: SetLink) -> list[bytearray]:
    if "altnames" not in operation.new:
        return []
    old = set(_names(operation.old.get("altnames")))
    new = set(_names(operation.new["altnames"]))
    messages = []
    for kind, flags, names in (
        (_DELLINKPROP, _REQUEST | _ACK, old - new),
        (_NEWLINKPROP, _REQUEST | _ACK | _CREATE | _EXCL | _APPEND, new - old),
    ):
        if names:
            rows = [("IFLA_ALT_IFNAME", name) for name in sorted(names)]
            attributes: Attributes = [("IFLA_PROP_LIST", {"attrs": rows})]
            messages.append(_message(ifinfmsg, kind, flags, {"index": operation.index}, attributes))
    return messages


def _names(value: Setting) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, tuple) else []


def _address(operation: AddAddress | RemoveAddress, kind: int, flags: int) -> bytearray:
    interface = ipaddress.ip_interface(operation.address.text)
    family = 2 if interface.version == 4 else 10
    body = {"family": family, "prefixlen": interface.network.prefixlen, "index": operation.index}
    attributes: Attributes = [("IFA_LOCAL", str(interface.ip)), ("IFA_ADDRESS", str(interface.ip))]
    if isinstance(operation, AddAddress):
        nodad = operation.address.nodad if operation.restored else interface.version == 6
        attributes += [] if operation.restored else [("IFA_PROTO", PROTOCOL)]
        attributes.append(("IFA_FLAGS", _IFA_F_NODAD if nodad else 0))
    return _message(ifaddrmsg, kind, _REQUEST | _ACK | flags, body, attributes)


def _route(operation: AddRoute | RemoveRoute, kind: int, flags: int) -> bytearray:
    route = operation.route
    network = ipaddress.ip_network(route.to)
    removing = kind == _DELROUTE
    body = {
        "family": 2 if network.version == 4 else 10,
        "dst_len": network.prefixlen,
        "table": route.table if route.table < 256 else 0,
        "proto": PROTOCOL,
        "type": _RTN_UNICAST,
        "scope": _RT_SCOPE_LINK
        if route.via is None and network.version == 4
        else _RT_SCOPE_UNIVERSE,
        "flags": _RTNH_F_ONLINK if route.onlink and not removing else 0,
    }
    attributes: Attributes = [("RTA_OIF", operation.index), ("RTA_TABLE", route.table)]
    if network.prefixlen:
        attributes.append(("RTA_DST", str(network.network_address)))
    if route.via:
        attributes.append(("RTA_GATEWAY", route.via))
    if route.metric:
        attributes.append(("RTA_PRIORITY", route.metric))
    if route.src:
        attributes.append(("RTA_PREFSRC", route.src))
    return _message(rtmsg, kind, _REQUEST | _ACK | flags, body, attributes)


def mark_loopback(owner: str) -> bytearray:
    """The message that sets ``lo`` (always number 1) up and marks its namespace."""
    attributes: Attributes = [("IFLA_GROUP", group_of(owner)), ("IFLA_IFALIAS", alias_of(owner))]
    body = {"index": 1, "flags": _IFF_UP, "change": _IFF_UP}
    return _message(ifinfmsg, _SETLINK, _REQUEST | _ACK, body, attributes)


def dump_links() -> bytearray:
    """A request for all links, without their counters."""
    attributes: Attributes = [("IFLA_EXT_MASK", _EXT_MASK_SKIP_STATS)]
    return _message(ifinfmsg, _GETLINK, _REQUEST | _DUMP, {}, attributes)


def dump_addresses() -> bytearray:
    """A request for all addresses."""
    return _message(ifaddrmsg, _GETADDR, _REQUEST | _DUMP, {}, [])


def dump_routes(family: int) -> bytearray:
    """A request for the routes of a family (4 or 6)."""
    body = {"family": 2 if family == 4 else 10}
    return _message(rtmsg, _GETROUTE, _REQUEST | _DUMP, body, [])


def _message(
    cls: type[Any], kind: int, flags: int, body: Mapping[str, Any], attributes: Attributes
) -> bytearray:
    message = cls()
    message.update(body)
    message["attrs"] = attributes
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    expected = _count(attributes)
    message.encode()
    if _count_encoded(message) != expected:
        raise UnknownAttributeError(f"an attribute of {attributes} is not known to the codec")
    return bytearray(message.data)


def _count(attributes: Iterable[Any]) -> int:
    total = 0
    for _, value in attributes:
        total += 1
        if isinstance(value, Mapping):
            total += _count(value.get("attrs", ()))
    return total


def _count_encoded(message: Any) -> int:
    """How many attributes were put into bytes: the codec turns those into slots, no others."""
    total = 0
    for cell in message["attrs"]:
        if not hasattr(cell, "try_to_decode"):
            continue
        total += 1
        inner = getattr(cell, "nla", None)
        if inner is not None and "attrs" in inner:
            total += _count_encoded(inner)
    return total


# -- what the kernel says ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeenLink:
    """A link of a dump, its parent, peer and master still numbers."""

    index: int
    name: str
    kind: str
    group: int
    alias: str
    settings: dict[str, Setting]
    parent_index: int
    elsewhere: bool
    """The parent or peer is in another namespace (IFLA_LINK_NETNSID)."""
    master_index: int
    carrier: bool


def decode_link(data: bytes) -> SeenLink:
    """A link from an RTM_NEWLINK message."""
    message = ifinfmsg(data)
    message.decode()
    get = message.get_attr
    info = get("IFLA_LINKINFO")
    kind_name = info.get_attr("IFLA_INFO_KIND") if info is not None else None
    flags = message["flags"]
    settings: dict[str, Setting] = {
        "up": bool(flags & _IFF_UP),
        "mtu": get("IFLA_MTU"),
        "mac": get("IFLA_ADDRESS"),
        "altnames": _altnames(get("IFLA_PROP_LIST")),
        **_ipv6_policy(get("IFLA_AF_SPEC")),
    }
    kind = KINDS.get(kind_name or "")
    if kind and info is not None:
        settings |= decode_options(kind, info.get_attr("IFLA_INFO_DATA") if kind.options else None)
    loopback = message["ifi_type"] == _ARPHRD_LOOPBACK
    return SeenLink(
        index=message["index"],
        name=get("IFLA_IFNAME"),
        kind=kind_name or ("loopback" if loopback else "device"),
        group=get("IFLA_GROUP") or 0,
        alias=get("IFLA_IFALIAS") or "",
        settings=settings,
        parent_index=get("IFLA_LINK") or 0,
        elsewhere=get("IFLA_LINK_NETNSID") is not None,
        master_index=get("IFLA_MASTER") or 0,
        carrier=bool(flags & _IFF_LOWER_UP),
    )


def _altnames(properties: Any) -> tuple[str, ...]:
    return tuple(sorted(properties.get_attrs("IFLA_ALT_IFNAME"))) if properties else ()


def _ipv6_policy(spec: Any) -> dict[str, Setting]:
    inet6 = spec.get_attr("AF_INET6") if spec is not None else None
    values = inet6.get_attr("IFLA_INET6_CONF") if inet6 is not None else None
    if values is None:
        return {}
    # The kernel's numbers are signed, the codec's are not.
    return {key: (values[key] ^ 0x80000000) - 0x80000000 for key in IPV6_POLICY}


def decode_address(data: bytes, *, protocols: bool) -> tuple[int, Address]:
    """An address and the number of its link; ``protocols``: the kernel has IFA_PROTO (5.18)."""
    message = ifaddrmsg(data)
    message.decode()
    get = message.get_attr
    flags = get("IFA_FLAGS") or message["flags"]
    ip = _canonical(get("IFA_LOCAL") or get("IFA_ADDRESS"))
    permanent = bool(flags & _IFA_F_PERMANENT)
    text = f"{ip}/{message['prefixlen']}"
    ours = get("IFA_PROTO") == PROTOCOL
    if not protocols:
        ours = permanent and message["scope"] != _RT_SCOPE_LINK
    return message["index"], Address(
        text,
        ours=ours,
        permanent=permanent,
        nodad=bool(flags & _IFA_F_NODAD),
        tentative=bool(flags & _IFA_F_TENTATIVE) and not flags & _IFA_F_DADFAILED,
    )


@overload
def _canonical(text: str) -> str: ...


@overload
def _canonical(text: None) -> None: ...


def _canonical(text: str | None) -> str | None:
    """Text as `ipaddress` writes it: inet_ntop(3) has dots in some IPv6 addresses."""
    return str(ipaddress.ip_address(text)) if text and "." in text and ":" in text else text


def decode_route(data: bytes, names: Mapping[int, str]) -> Route | None:
    """A unicast route of a table that people write to, or None for any other."""
    message = rtmsg(data)
    message.decode()
    get = message.get_attr
    table = get("RTA_TABLE") or message["table"]
    dev = names.get(get("RTA_OIF") or 0)
    if message["type"] != _RTN_UNICAST or message["flags"] & _RTM_F_CLONED:
        return None
    if table == _RT_TABLE_LOCAL or dev is None:
        return None
    anywhere = "0.0.0.0" if message["family"] == 2 else "::"
    return Route(
        to=f"{_canonical(get('RTA_DST') or anywhere)}/{message['dst_len']}",
        dev=dev,
        via=_canonical(get("RTA_GATEWAY")),
        metric=get("RTA_PRIORITY") or 0,
        src=_canonical(get("RTA_PREFSRC")),
        table=table,
        onlink=bool(message["flags"] & _RTNH_F_ONLINK),
        ours=message["proto"] == PROTOCOL,
        by_advertisement=message["proto"] == _RTPROT_RA,
    )
