"""Operations into rtnetlink messages by pyroute2: the oracle of our own encoder.

pyroute2 drops attributes that it doesn't know, and its tables lack some of ours: it is given
classes made from the kinds' tables, and what it would drop is an error.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_interface
from typing import Any

from pyroute2.netlink import nla
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from vlanlink.kernel.marks import PROTOCOL, Marks
from vlanlink.kinds import (
    COMMON,
    KINDS,
    Choice,
    Flag,
    InterfaceFlag,
    Kind,
    MacList,
    Names,
    Number,
    Option,
    QosMap,
)
from vlanlink.kinds.common import TOKEN
from vlanlink.model import SELF_VLAN, Link, Setting
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    Operation,
    RemoveAddress,
    RemoveLink,
    RemoveRoute,
    SetLink,
)

Attributes = list[tuple[str, Any]]
ACKED, NEW = 0x1 | 0x4, 0x200 | 0x400  # REQUEST ACK, EXCL CREATE
APPEND = 0x800
LINK_ATTRIBUTES = {number: name for number, (name, _) in enumerate(ifinfmsg.nla_map)}
"""pyroute2's names of a link's attributes, by number."""


# -- options of kinds ----------------------------------------------------------------------------


def _nested_pairs(number: int, name: str) -> type[Any]:
    pair = type("pair", (nla,), {"fields": (("from", "I"), ("to", "I"))})
    return type(name, (nla,), {"nla_map": ((number, "PAIR", "pair"),), "pair": pair})


def _kind_class(kind: Kind) -> type[Any]:
    rows: dict[int, tuple[int, str, str]] = {}
    body: dict[str, Any] = {"prefix": ""}
    for option in kind.options:
        name = attribute_name(option)
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


def attribute_name(option: Option) -> str:
    """What the message class of a kind calls an option."""
    return f"OPTION_{option.attribute}"


ifinfmsg.ifinfo.register_link_kind(
    module={kind.name: _kind_class(kind) for kind in KINDS.values() if kind.options}
)


def _options(
    kind: Kind, options: Mapping[str, Setting], old: Mapping[str, Setting] | None = None
) -> Attributes:
    attributes: Attributes = []
    flags = mask = 0
    flag_row = ""
    for option in kind.options:
        value: Any = options.get(option.key)
        if value is None:
            continue
        name = attribute_name(option)
        match option:
            case Flag():
                flags |= option.bit if value else 0
                mask |= option.bit
                flag_row = name
            case Number():
                attributes.append((name, value))
            case Choice():
                attributes.append((name, option.choices[value]))
            case QosMap():
                before: Any = (old or {}).get(option.key) or ()
                gone = [(a, 0) for a, _ in before if a not in dict(value)]
                rows = [("PAIR", {"from": a, "to": b}) for a, b in (*gone, *value)]
                attributes += [(name, {"attrs": rows})] if rows else []
            case MacList():
                command = option.command_set if value else option.command_flush
                if value or old is not None:
                    attributes.append((f"{name}_COMMAND", command))
                if value:
                    attributes.append((name, {"attrs": [("ENTRY", mac) for mac in value]}))
    if mask:
        attributes.append((flag_row, {"flags": flags, "mask": mask}))
    return attributes


# -- operations ----------------------------------------------------------------------------------


def encode(operation: Operation, files: Mapping[str, int], marks: Marks) -> list[bytes]:
    """The messages of an operation, each encoded from its first byte to its last."""
    match operation:
        case MakeLink():
            return [_make_link(operation, files, marks)]
        case SetLink():
            return _set_link(operation, marks)
        case RemoveLink():
            return [request(ifinfmsg, 17, ACKED, {"index": operation.index}, [])]
        case AddAddress() | RemoveAddress():
            return [_address(operation)]
        case AddRoute() | RemoveRoute():
            return [_route(operation)]
    raise TypeError(operation)


def _make_link(operation: MakeLink, files: Mapping[str, int], marks: Marks) -> bytes:
    link, peer = operation.link, operation.peer
    asked_from = "" if link.parent else link.namespace
    data = _options(KINDS[link.kind], link.settings)
    if peer:
        attrs = _new_link(peer, asked_from, files, marks)
        data = [("VETH_INFO_PEER", {"index": peer.index, "attrs": attrs})]
    info: Attributes = [("IFLA_INFO_KIND", link.kind)]
    info += [("IFLA_INFO_DATA", {"attrs": data})] if data else []
    attributes = _new_link(link, asked_from, files, marks)
    attributes.append(("IFLA_LINKINFO", {"attrs": info}))
    return request(ifinfmsg, 16, ACKED | NEW, {"index": link.index}, attributes)


def _new_link(link: Link, asked_from: str, files: Mapping[str, int], marks: Marks) -> Attributes:
    kind = KINDS[link.kind]
    settings = {
        option.key: link.settings[option.key]
        for option in COMMON
        if option.key in link.settings and not option.absent(kind, link.settings)
    }
    return [
        ("IFLA_IFNAME", link.name),
        ("IFLA_GROUP", marks.group(str(link.owner))),
        *([("IFLA_LINK", link.parent_index)] if link.parent else []),
        *_common(settings),
        *([("IFLA_NET_NS_FD", files[link.namespace])] if link.namespace != asked_from else []),
    ]


def _common(settings: Mapping[str, Setting]) -> Attributes:
    return [
        (LINK_ATTRIBUTES[option.attribute], value)
        for option in COMMON
        if not isinstance(option, Names | InterfaceFlag)
        and (value := settings.get(option.key)) is not None
    ]


def _set_link(operation: SetLink, marks: Marks) -> list[bytes]:
    messages: list[bytes] = []
    new, body = operation.new, {"index": operation.index}
    kind = KINDS.get(operation.kind)
    if kind and any(option.key in new for option in kind.options):
        always = {o.key: operation.options.get(o.key) for o in kind.options if o.always}
        data = _options(kind, {**always, **new}, operation.old)
        info = [("IFLA_INFO_KIND", kind.name), ("IFLA_INFO_DATA", {"attrs": data})]
        attributes: Attributes = [("IFLA_LINKINFO", {"attrs": info})]
        messages += [request(ifinfmsg, 16, ACKED, body, attributes)] if data else []
    if "altnames" in new:
        names: Any = new["altnames"]
        before: Any = {**operation.old, **operation.interim}.get("altnames") or ()
        for code, flags, some in (
            (109, 0, set(before) - set(names)),
            (108, NEW | APPEND, set(names) - set(before)),
        ):
            rows = [("IFLA_ALT_IFNAME", name) for name in sorted(some)]
            attributes = [("IFLA_PROP_LIST", {"attrs": rows})]
            messages += [request(ifinfmsg, code, ACKED | flags, body, attributes)] if rows else []
    for key, value in new.items():
        if key.startswith(SELF_VLAN):
            vlan = {"flags": 0, "vid": int(key.split()[2])}
            spec = [("IFLA_BRIDGE_FLAGS", 2), ("IFLA_BRIDGE_VLAN_INFO", vlan)]
            bridge: Attributes = [("IFLA_AF_SPEC", {"attrs": spec})]
            code = 19 if value else 17
            messages.append(request(ifinfmsg, code, ACKED, {"family": 7, **body}, bridge))
    if TOKEN in new:
        inet6 = {"attrs": [("IFLA_INET6_TOKEN", new[TOKEN])]}
        token: Attributes = [("IFLA_AF_SPEC", {"attrs": [("AF_INET6", inet6)]})]
        messages.append(request(ifinfmsg, 19, ACKED, body, token))
    attributes = _common(new)
    if operation.owner is not None:
        group, alias = marks.group(operation.owner), marks.alias(operation.owner)
        attributes = [("IFLA_GROUP", group), ("IFLA_IFALIAS", alias), *attributes]
    bits = [o for o in COMMON if isinstance(o, InterfaceFlag) and o.key in new]
    if bits:
        body["flags"] = sum(option.bit for option in bits if new[option.key])
        body["change"] = sum(option.bit for option in bits)
    if attributes or bits:
        messages.append(request(ifinfmsg, 19, ACKED, body, attributes))
    return messages


def _address(operation: AddAddress | RemoveAddress) -> bytes:
    ip, _, prefix = operation.address.text.partition("/")
    six = ":" in ip
    body = {
        "family": 10 if six else 2,
        "prefixlen": int(prefix),
        "scope": 253 if ip.startswith("169.254.") and not operation.address.global_scope else 0,
        "index": operation.index,
    }
    attributes: Attributes = [("IFA_LOCAL", ip), ("IFA_ADDRESS", ip)]
    if isinstance(operation, RemoveAddress):
        return request(ifaddrmsg, 21, ACKED, body, attributes)
    other = operation.address.broadcast
    own = "" if six else str(ip_interface(operation.address.text).network.broadcast_address)
    broadcast = own if other is None and int(prefix) < 31 else other
    attributes += [("IFA_BROADCAST", broadcast)] if broadcast else []
    nodad = operation.address.nodad if operation.restored else six
    attributes += [] if operation.restored else [("IFA_PROTO", PROTOCOL)]
    attributes.append(("IFA_FLAGS", 2 if nodad else 0))
    seconds = operation.address.seconds
    if seconds is not None:
        times = {"ifa_preferred": seconds, "ifa_valid": seconds, "cstamp": 0, "tstamp": 0}
        attributes.append(("IFA_CACHEINFO", times))
    return request(ifaddrmsg, 20, ACKED | NEW, body, attributes)


def _route(operation: AddRoute | RemoveRoute) -> bytes:
    route, adding = operation.route, isinstance(operation, AddRoute)
    ip, _, prefix = route.to.partition("/")
    six = ":" in ip
    body = {
        "family": 10 if six else 2,
        "dst_len": int(prefix),
        "table": route.table if route.table < 256 else 0,
        "proto": PROTOCOL if route.ours else route.protocol,
        "type": 1,
        "scope": 253 if route.via is None and not six else 0,
        "flags": 4 if route.onlink and adding else 0,
    }
    if not route.ours and not adding:
        body["scope"] = 255
    attributes: Attributes = [("RTA_OIF", operation.index), ("RTA_TABLE", route.table)]
    attributes += [("RTA_DST", ip)] if int(prefix) else []
    attributes += [("RTA_GATEWAY", route.via)] if route.via else []
    attributes += [("RTA_PRIORITY", route.metric)] if route.metric else []
    attributes += [("RTA_PREFSRC", route.src)] if route.src else []
    return request(rtmsg, 24 if adding else 25, ACKED | (NEW if adding else 0), body, attributes)


def request(
    cls: type[Any], kind: int, flags: int, body: Mapping[str, Any], attributes: Attributes
) -> bytes:
    """Encode any message."""
    message = cls()
    message.update(body)
    message["attrs"] = attributes
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    expected = _count(attributes)
    message.encode()
    assert _count_encoded(message) == expected, f"pyroute2 drops something of {attributes}"
    return bytes(message.data)


def _count(attributes: Iterable[Any]) -> int:
    total = 0
    for _, value in attributes:
        total += 1
        if isinstance(value, Mapping):
            total += _count(value.get("attrs", ()))
    return total


def _count_encoded(message: Any) -> int:
    """How many attributes were put into bytes: those become slots, no others."""
    total = 0
    for cell in message["attrs"]:
        if not hasattr(cell, "try_to_decode"):
            continue
        total += 1
        inner = getattr(cell, "nla", None)
        if inner is not None and "attrs" in inner:
            total += _count_encoded(inner)
    return total
