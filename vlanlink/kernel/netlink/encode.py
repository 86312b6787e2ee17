"""Operations into rtnetlink messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from socket import AF_INET, AF_INET6

from vlanlink.kernel.marks import PROTOCOL, Marks
from vlanlink.kernel.netlink.constants import (
    ACK,
    APPEND,
    CREATE,
    DELADDR,
    DELLINK,
    DELLINKPROP,
    DELROUTE,
    EXCL,
    IFA_F_NODAD,
    IFF_UP,
    NEWADDR,
    NEWLINK,
    NEWLINKPROP,
    NEWROUTE,
    REQUEST,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    SETLINK,
)
from vlanlink.kernel.netlink.message import Attributes, encode_message
from vlanlink.kernel.netlink.pyroute2_classes import ifaddrmsg, ifinfmsg, rtmsg
from vlanlink.kernel.netlink.write_options import encode_options
from vlanlink.kinds import KINDS
from vlanlink.model import Link, Setting
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

_FAMILIES = {4: AF_INET, 6: AF_INET6}


@dataclass(frozen=True, slots=True)
class Request:
    """A message, and the namespace whose socket it is for."""

    namespace: str
    message: bytearray


def encode(
    operation: Operation, host: str, descriptor: "Mapping[str, int]", marks: Marks
) -> list[Request]:
    """The messages that carry out an operation.

    ``host`` is where links with a parent are made, ``descriptor`` gives an open file for each
    namespace that a link is made into from elsewhere.
    """
    match operation:
        case MakeLink():
            return [_make_link(operation, host, descriptor, marks)]
        case SetLink():
            return [Request(operation.namespace, m) for m in _set_link(operation, marks)]
        case RemoveLink():
            body = {"index": operation.index}
            message = encode_message(ifinfmsg, DELLINK, REQUEST | ACK, body, [])
            return [Request(operation.namespace, message)]
        case AddAddress():
            return [Request(operation.namespace, _address(operation, NEWADDR, CREATE | EXCL))]
        case RemoveAddress():
            return [Request(operation.namespace, _address(operation, DELADDR, 0))]
        case AddRoute():
            return [Request(operation.namespace, _route(operation, NEWROUTE, CREATE | EXCL))]
        case RemoveRoute():
            return [Request(operation.namespace, _route(operation, DELROUTE, 0))]
    raise TypeError(f"no netlink message for {operation!r}")


def _make_link(
    operation: MakeLink, host: str, descriptor: Mapping[str, int], marks: Marks
) -> Request:
    link, peer = operation.link, operation.peer
    kind = KINDS[link.kind]
    asked_from = host if link.parent else link.namespace
    attributes = _new_link_attributes(link, marks)
    if link.namespace != asked_from:
        attributes.append(("IFLA_NET_NS_FD", descriptor[link.namespace]))
    info: Attributes = [("IFLA_INFO_KIND", link.kind)]
    options = encode_options(kind, link.settings)
    if options:
        info.append(("IFLA_INFO_DATA", {"attrs": options}))
    if peer:
        there = _new_link_attributes(peer, marks)
        if peer.namespace != asked_from:
            there.append(("IFLA_NET_NS_FD", descriptor[peer.namespace]))
        body = {"index": peer.index, "attrs": there}
        info.append(("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", body)]}))
    attributes.append(("IFLA_LINKINFO", {"attrs": info}))
    flags = REQUEST | ACK | CREATE | EXCL
    return Request(
        asked_from, encode_message(ifinfmsg, NEWLINK, flags, {"index": link.index}, attributes)
    )


def _new_link_attributes(link: Link, marks: Marks) -> Attributes:
    attributes: Attributes = [
        ("IFLA_IFNAME", link.name),
        ("IFLA_GROUP", marks.group(str(link.owner))),
    ]
    if link.parent:
        attributes.append(("IFLA_LINK", link.parent_index))
    if link.settings.get("mtu"):
        attributes.append(("IFLA_MTU", link.settings["mtu"]))
    kind = KINDS[link.kind]
    if link.settings.get("mac") and kind.mac(link.settings) != "fixed":
        attributes.append(("IFLA_ADDRESS", link.settings["mac"]))
    return attributes


def _set_link(operation: SetLink, marks: Marks) -> list[bytearray]:
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
        messages.append(encode_message(ifinfmsg, NEWLINK, REQUEST | ACK, body, attributes))
    messages += _set_altnames(operation)
    attributes = []
    if operation.owner is not None:
        attributes.append(("IFLA_GROUP", marks.group(operation.owner)))
        attributes.append(("IFLA_IFALIAS", marks.alias(operation.owner)))
    if "mtu" in new:
        attributes.append(("IFLA_MTU", new["mtu"]))
    if "mac" in new:
        attributes.append(("IFLA_ADDRESS", new["mac"]))
    body = {"index": operation.index}
    if "up" in new:
        body |= {"flags": IFF_UP if new["up"] else 0, "change": IFF_UP}
    if attributes or "up" in new:
        messages.append(encode_message(ifinfmsg, SETLINK, REQUEST | ACK, body, attributes))
    return messages


def _set_altnames(operation: SetLink) -> list[bytearray]:
    if "altnames" not in operation.new:
        return []
    old = set(_names(operation.old.get("altnames")))
    new = set(_names(operation.new["altnames"]))
    messages = []
    for kind, flags, names in (
        (DELLINKPROP, REQUEST | ACK, old - new),
        (NEWLINKPROP, REQUEST | ACK | CREATE | EXCL | APPEND, new - old),
    ):
        if names:
            rows = [("IFLA_ALT_IFNAME", name) for name in sorted(names)]
            attributes: Attributes = [("IFLA_PROP_LIST", {"attrs": rows})]
            messages.append(
                encode_message(ifinfmsg, kind, flags, {"index": operation.index}, attributes)
            )
    return messages


def _names(value: Setting) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, tuple) else []


def _address(operation: AddAddress | RemoveAddress, kind: int, flags: int) -> bytearray:
    ip, _, prefix = operation.address.text.partition("/")
    family = _FAMILIES[operation.address.family]
    # RFC 3927: not to be spoken with elsewhere. Of IPv6 addresses the kernel knows it by itself.
    scope = RT_SCOPE_LINK if ip.startswith("169.254.") else RT_SCOPE_UNIVERSE
    body = {
        "family": family,
        "prefixlen": int(prefix),
        "scope": scope,
        "index": operation.index,
    }
    attributes: Attributes = [("IFA_LOCAL", ip), ("IFA_ADDRESS", ip)]
    if isinstance(operation, AddAddress):
        nodad = operation.address.nodad if operation.restored else family == AF_INET6
        attributes += [] if operation.restored else [("IFA_PROTO", PROTOCOL)]
        attributes.append(("IFA_FLAGS", IFA_F_NODAD if nodad else 0))
    return encode_message(ifaddrmsg, kind, REQUEST | ACK | flags, body, attributes)


def _route(operation: AddRoute | RemoveRoute, kind: int, flags: int) -> bytearray:
    route = operation.route
    ip, _, prefix = route.to.partition("/")
    removing = kind == DELROUTE
    body = {
        "family": _FAMILIES[route.family],
        "dst_len": int(prefix),
        "table": route.table if route.table < 256 else 0,
        "proto": PROTOCOL,
        "type": RTN_UNICAST,
        "scope": RT_SCOPE_LINK if route.via is None and route.family == 4 else RT_SCOPE_UNIVERSE,
        "flags": RTNH_F_ONLINK if route.onlink and not removing else 0,
    }
    attributes: Attributes = [("RTA_OIF", operation.index), ("RTA_TABLE", route.table)]
    if body["dst_len"]:
        attributes.append(("RTA_DST", ip))
    if route.via:
        attributes.append(("RTA_GATEWAY", route.via))
    if route.metric:
        attributes.append(("RTA_PRIORITY", route.metric))
    if route.src:
        attributes.append(("RTA_PREFSRC", route.src))
    return encode_message(rtmsg, kind, REQUEST | ACK | flags, body, attributes)


def mark_loopback(owner: str, marks: Marks) -> bytearray:
    """The message that sets ``lo`` (always number 1) up and marks its namespace."""
    attributes: Attributes = [
        ("IFLA_GROUP", marks.group(owner)),
        ("IFLA_IFALIAS", marks.alias(owner)),
    ]
    body = {"index": 1, "flags": IFF_UP, "change": IFF_UP}
    return encode_message(ifinfmsg, SETLINK, REQUEST | ACK, body, attributes)


def remove_group(group: int) -> bytearray:
    """The message that deletes all links of a group (rtnl_group_dellink, net/core/rtnetlink.c)."""
    return encode_message(ifinfmsg, DELLINK, REQUEST | ACK, {"index": 0}, [("IFLA_GROUP", group)])


def bare_link(kind: str) -> bytearray:
    """A request for a link that has a kind and nothing else."""
    info = {"attrs": [("IFLA_INFO_KIND", kind)]}
    flags = REQUEST | ACK | CREATE | EXCL
    return encode_message(ifinfmsg, NEWLINK, flags, {}, [("IFLA_LINKINFO", info)])
