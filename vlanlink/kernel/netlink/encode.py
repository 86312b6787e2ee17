"""Operations into rtnetlink messages (rtnetlink(7), linux/if_link.h, if_addr.h, rtnetlink.h)."""

import struct
from collections.abc import Collection, Mapping
from socket import AF_INET, AF_INET6, AF_UNSPEC, inet_aton, inet_pton
from typing import Final

from vlanlink.kernel.marks import PROTOCOL, Marks
from vlanlink.kernel.netlink import message
from vlanlink.kernel.netlink.attributes import subnet_broadcast
from vlanlink.kernel.netlink.bridges import set_vlan
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
    IFLA_GROUP,
    NEWADDR,
    NEWLINK,
    NEWLINKPROP,
    NEWROUTE,
    REPLACE,
    REQUEST,
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    SETLINK,
)
from vlanlink.kernel.netlink.options import (
    encode_common,
    encode_names,
    encode_options,
    flags_and_mask,
)
from vlanlink.kinds import COMMON, KINDS, Names, kind_options
from vlanlink.kinds.common import LINK_SYSCTLS, TOKEN
from vlanlink.model import SELF_VLAN, Address, Link, Setting
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

_IFINFOMSG = struct.Struct("=BxHiII")
"""Family, hardware type, index, flags, mask of the flags to change."""
_IFADDRMSG = struct.Struct("=BBBBI")
"""Family, prefix length, flags, scope, index."""
_RTMSG = struct.Struct("=BBBBBBBBI")
"""Family, prefix lengths of destination and source, TOS, table, protocol, scope, type, flags."""

_IFLA_IFNAME, _IFLA_LINK, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_NET_NS_FD = 3, 5, 18, 20, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 4, 6, 8
_IFA_PROTO = 11
_CACHEINFO = struct.Struct("=IIII")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 5, 6, 7, 15

_MTU_BESIDE = 128
_FAMILIES = {4: AF_INET, 6: AF_INET6}
_IFLA_AF_SPEC, _IFLA_INET6_TOKEN = 26, 7
_COMMON_KEYS: Final = frozenset((*(o.key for o in COMMON), *LINK_SYSCTLS, TOKEN))


class UnknownSettingError(Exception):
    """A message would be sent without something that was asked for."""


def encode(operation: Operation, descriptor: Mapping[str, int], marks: Marks) -> list[bytearray]:
    """The messages that carry out an operation, for ``operation.socket``.

    ``descriptor`` has an open file of each namespace that a link is made into from elsewhere.
    """
    match operation:
        case MakeLink():
            return [_make_link(operation, descriptor, marks)]
        case SetLink():
            return _set_link(operation, marks)
        case RemoveLink():
            return [_link(DELLINK, REQUEST | ACK, operation.index)]
        case AddAddress():
            return [_address(operation, NEWADDR, CREATE | EXCL)]
        case RemoveAddress():
            return [_address(operation, DELADDR, 0)]
        case AddRoute():
            return [_route(operation, NEWROUTE, CREATE | EXCL)]
        case RemoveRoute():
            return [_route(operation, DELROUTE, 0)]
    raise TypeError(f"no netlink message for {operation!r}")


def _link(
    kind: int, flags: int, index: int, *attributes: bytes, iff: int = 0, mask: int = 0
) -> bytearray:
    return message.request(
        kind, flags, _IFINFOMSG.pack(AF_UNSPEC, 0, index, iff, mask), *attributes
    )


# -- links -------------------------------------------------------------------------------------


def _make_link(operation: MakeLink, descriptor: Mapping[str, int], marks: Marks) -> bytearray:
    link, peer = operation.link, operation.peer
    attributes = _new_link(link, operation.socket, descriptor, marks)
    data = encode_options(KINDS[link.kind], link.settings)
    if peer:
        there = _new_link(peer, operation.socket, descriptor, marks)
        body = _IFINFOMSG.pack(AF_UNSPEC, 0, peer.index, 0, 0)
        data.append(message.attribute(_VETH_INFO_PEER, body + b"".join(there)))
    flags = REQUEST | ACK | CREATE | EXCL
    return _link(NEWLINK, flags, link.index, *attributes, _link_info(link.kind, data))


def _new_link(
    link: Link, asked_in: str, descriptor: Mapping[str, int], marks: Marks
) -> list[bytes]:
    kind = KINDS[link.kind]
    _refuse_unknown(link.kind, link.settings)
    lacking = {option.key for option in COMMON if option.absent(kind, link.settings)}
    common = {key: value for key, value in link.settings.items() if key not in lacking}
    return [
        message.text(_IFLA_IFNAME, link.name),
        message.u32(IFLA_GROUP, marks.group(str(link.owner))),
        *([message.u32(_IFLA_LINK, link.parent_index)] if link.parent else []),
        *encode_common(common),
        *(
            [message.u32(_IFLA_NET_NS_FD, descriptor[link.namespace])]
            if link.namespace != asked_in
            else []
        ),
    ]


def _link_info(kind: str, data: Collection[bytes]) -> bytes:
    options = [message.nested(_IFLA_INFO_DATA, *data)] if data else []
    return message.nested(_IFLA_LINKINFO, message.text(_IFLA_INFO_KIND, kind), *options)


def _set_link(operation: SetLink, marks: Marks) -> list[bytearray]:
    new = operation.new
    _refuse_unknown(operation.kind, new)
    messages: list[bytearray] = []
    kind, options = KINDS.get(operation.kind), kind_options(operation.kind, new)
    if kind and options:
        always = {o.key: operation.options.get(o.key) for o in kind.options if o.always}
        if data := encode_options(kind, {**always, **options}, operation.old):
            info = _link_info(kind.name, data)
            messages.append(_link(NEWLINK, REQUEST | ACK, operation.index, info))
    for option in COMMON:
        if isinstance(option, Names) and option.key in new:
            messages += _set_names(operation, option)
    messages += [
        set_vlan(operation.index, int(key.split()[2]), is_open=value is True)
        for key, value in new.items()
        if key.startswith(SELF_VLAN)
    ]
    if TOKEN in new:  # before the link is up, so that the first advertisement finds it
        token = _token(str(new[TOKEN]))
        messages.append(_link(SETLINK, REQUEST | ACK, operation.index, token))
    attributes = _mark(operation.owner, marks) if operation.owner is not None else []
    attributes += encode_common(new)
    iff, mask = flags_and_mask(new)
    if attributes or mask:
        set_link = _link(SETLINK, REQUEST | ACK, operation.index, *attributes, iff=iff, mask=mask)
        messages.append(set_link)
    return messages


def _token(text: str) -> bytes:
    token = message.attribute(_IFLA_INET6_TOKEN, inet_pton(AF_INET6, text))
    return message.nested(_IFLA_AF_SPEC, message.nested(AF_INET6, token))


def _set_names(operation: SetLink, option: Names) -> list[bytearray]:
    before = operation.interim.get(option.key, operation.old.get(option.key))
    old, new = _words(before), _words(operation.new[option.key])
    return [
        _link(kind, REQUEST | ACK | flags, operation.index, encode_names(option, names))
        for kind, flags, names in (
            (DELLINKPROP, 0, old - new),
            (NEWLINKPROP, CREATE | EXCL | APPEND, new - old),
        )
        if names
    ]


def _words(value: Setting) -> set[str]:
    return {word for word in value if isinstance(word, str)} if isinstance(value, tuple) else set()


def _refuse_unknown(kind: str, settings: Mapping[str, Setting]) -> None:
    unknown = settings.keys() - _COMMON_KEYS - kind_options(kind, settings).keys()
    unknown = {key for key in unknown if not key.startswith(SELF_VLAN)}
    if unknown:
        raise UnknownSettingError(f"{kind} has no {', '.join(sorted(unknown))}")


def _mark(owner: str, marks: Marks) -> list[bytes]:
    return [
        message.u32(IFLA_GROUP, marks.group(owner)),
        message.text(_IFLA_IFALIAS, marks.alias(owner)),
    ]


def mark_loopback(owner: str, marks: Marks) -> bytearray:
    """The message that sets ``lo`` (always ifindex 1) up and marks its namespace."""
    return _link(SETLINK, REQUEST | ACK, 1, *_mark(owner, marks), iff=IFF_UP, mask=IFF_UP)


def remove_group(group: int) -> bytearray:
    """The message that deletes all links of a group (rtnl_group_dellink, net/core/rtnetlink.c)."""
    return _link(DELLINK, REQUEST | ACK, 0, message.u32(IFLA_GROUP, group))


def bare_link(kind: str) -> bytearray:
    """A request for a link that has a kind and nothing else."""
    return _link(NEWLINK, REQUEST | ACK | CREATE | EXCL, 0, _link_info(kind, []))


def make_beside(kind: str, parent: int, index: int, descriptor: int) -> bytearray:
    """A request for a link that is up, on ``parent``, in the namespace of a descriptor.

    Its options are the defaults of its kind; the kernel chooses its name and MAC. Its MTU holds
    every ARP and neighbour discovery packet and is too small for IPv6, so the kernel itself sends
    nothing from it (ipv6_add_dev() in net/ipv6/addrconf.c).
    """
    options = {o.key: o.default for o in KINDS[kind].options if o.always}
    attributes = (
        message.u32(_IFLA_LINK, parent),
        *encode_common({"mtu": _MTU_BESIDE}),
        message.u32(_IFLA_NET_NS_FD, descriptor),
        _link_info(kind, encode_options(KINDS[kind], options)),
    )
    flags = REQUEST | ACK | CREATE | EXCL
    return _link(NEWLINK, flags, index, *attributes, iff=IFF_UP, mask=IFF_UP)


def remove_beside(index: int) -> bytearray:
    """The message that deletes the link ``index``."""
    return _link(DELLINK, REQUEST | ACK, index)


# -- addresses and routes ----------------------------------------------------------------------


def _address(operation: AddAddress | RemoveAddress, kind: int, flags: int) -> bytearray:
    ip, _, prefix = operation.address.text.partition("/")
    family = _FAMILIES[operation.address.family]
    # RFC 3927: an IPv4 link-local address isn't used beyond the link. IPv6's own the kernel knows.
    link_only = ip.startswith("169.254.") and not operation.address.global_scope
    scope = RT_SCOPE_LINK if link_only else RT_SCOPE_UNIVERSE
    attributes = [message.ip(_IFA_LOCAL, ip), message.ip(_IFA_ADDRESS, ip)]
    if isinstance(operation, AddAddress):
        nodad = operation.address.nodad if operation.restored else family == AF_INET6
        mark = [] if operation.restored else [message.attribute(_IFA_PROTO, bytes([PROTOCOL]))]
        attributes += [*_broadcast(operation.address), *mark]
        attributes.append(message.u32(_IFA_FLAGS, IFA_F_NODAD if nodad else 0))
        if operation.address.seconds is not None:
            attributes.append(lifetime(operation.address.seconds))
    body = _IFADDRMSG.pack(family, int(prefix), 0, scope, operation.index)
    return message.request(kind, REQUEST | ACK | flags, body, *attributes)


def renewed_address(operation: AddAddress) -> bytearray:
    """The message that adds an address, or gives one that is there its new lifetime."""
    return _address(operation, NEWADDR, CREATE | REPLACE)


def removed_address(operation: RemoveAddress) -> bytearray:
    """The message that removes an address."""
    return _address(operation, DELADDR, 0)


def _broadcast(address: Address) -> list[bytes]:
    """The kernel sets none by itself; programs that broadcast would send to 0.0.0.0."""
    if address.broadcast is not None:
        return [message.ip(_IFA_BROADCAST, address.broadcast)] if address.broadcast else []
    if address.family != 4:
        return []
    value = subnet_broadcast(inet_aton(address.bare), int(address.text.partition("/")[2]))
    return [message.attribute(_IFA_BROADCAST, value)] if value else []


def lifetime(seconds: int) -> bytes:
    """The attribute with how long an address is preferred and valid (struct ifa_cacheinfo)."""
    return message.attribute(_IFA_CACHEINFO, _CACHEINFO.pack(seconds, seconds, 0, 0))


def _route(operation: AddRoute | RemoveRoute, kind: int, flags: int) -> bytearray:
    route = operation.route
    ip, _, prefix = route.to.partition("/")
    onlink = route.onlink and kind == NEWROUTE
    scope = RT_SCOPE_LINK if route.via is None and route.family == 4 else RT_SCOPE_UNIVERSE
    if kind == DELROUTE and not route.ours:
        scope = RT_SCOPE_NOWHERE  # of a foreign one, whatever its scope
    body = _RTMSG.pack(
        _FAMILIES[route.family],
        int(prefix),
        0,
        0,
        route.table if route.table < 256 else 0,
        PROTOCOL if route.ours else route.protocol,
        scope,
        RTN_UNICAST,
        RTNH_F_ONLINK if onlink else 0,
    )
    attributes = [message.u32(_RTA_OIF, operation.index), message.u32(_RTA_TABLE, route.table)]
    attributes += [message.ip(_RTA_DST, ip)] if int(prefix) else []
    attributes += [message.ip(_RTA_GATEWAY, route.via)] if route.via else []
    attributes += [message.u32(_RTA_PRIORITY, route.metric)] if route.metric else []
    attributes += [message.ip(_RTA_PREFSRC, route.src)] if route.src else []
    return message.request(kind, REQUEST | ACK | flags, body, *attributes)
