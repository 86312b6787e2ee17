"""What the kernel says: rtnetlink messages into values."""

import errno
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from vlanlink.dataclass import dataclass
from vlanlink.kernel.marks import PROTOCOL
from vlanlink.kernel.netlink.attributes import (
    Selection,
    attributes,
    first,
    ip,
    subnet_broadcast,
    text,
    u32,
)
from vlanlink.kernel.netlink.bridges import is_vlan_aware
from vlanlink.kernel.netlink.constants import (
    ARPHRD_LOOPBACK,
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_PERMANENT,
    IFA_F_TEMPORARY,
    IFA_F_TENTATIVE,
    IFF_LOWER_UP,
    IFLA_GROUP,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RTM_F_CLONED,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    RTPROT_RA,
)
from vlanlink.kernel.netlink.options import decode_common, decode_options
from vlanlink.kinds import COMMON, KINDS
from vlanlink.kinds.common import NO_TOKEN
from vlanlink.model import TABLE_LOCAL, Address, Route, Setting

_HEADER = 16
_LINK = struct.Struct("=xxHiI4x")
"""struct ifinfomsg: type, index, flags; family and change are of no concern."""
_ADDRESS = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index."""
_ROUTE = struct.Struct("=BBBBBBxBI")
"""struct rtmsg: family, prefix lengths of destination and source, TOS, table, protocol, type,
flags."""
_NEXT_HOP = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, hops, index."""

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 5, 10, 18
_IFLA_IFALIAS = 20
_IFLA_AF_SPEC, _IFLA_LINK_NETNSID, _IFLA_PERM_ADDRESS = 26, 37, 54
_IFLA_PROTINFO, _IFLA_INET6_TOKEN = 12, 7
_NDA_LLADDR, _NTF_SELF, _MAC_LENGTH = 2, 2, 6
_NEIGHBOUR_SIZE, _NEIGHBOUR_FLAGS = 12, 10
"""struct ndmsg: its length, and where its flags are (linux/neighbour.h)."""
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_AF_INET, _AF_INET6, _IFLA_INET_CONF, _IFLA_INET6_CONF = 2, 10, 1, 2
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 4, 6, 8
_IFA_PROTO = 11
_CACHEINFO = struct.Struct("=II8x")
"""struct ifa_cacheinfo: preferred and valid seconds."""
_FOREVER = 0xFFFFFFFF
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 5, 6, 7, 15
_RTA_MULTIPATH = 9

_OF_A_LINK = Selection(
    *(option.attribute for option in COMMON),
    _IFLA_IFNAME,
    _IFLA_LINK,
    _IFLA_MASTER,
    _IFLA_LINKINFO,
    _IFLA_IFALIAS,
    _IFLA_AF_SPEC,
    IFLA_GROUP,
    _IFLA_LINK_NETNSID,
    _IFLA_PERM_ADDRESS,
    offset=_HEADER + _LINK.size,
)
_OF_AN_ADDRESS = Selection(
    _IFA_ADDRESS,
    _IFA_LOCAL,
    _IFA_BROADCAST,
    _IFA_CACHEINFO,
    _IFA_FLAGS,
    _IFA_PROTO,
    offset=_HEADER + _ADDRESS.size,
)
_OF_A_ROUTE = Selection(
    _RTA_DST,
    _RTA_OIF,
    _RTA_GATEWAY,
    _RTA_PRIORITY,
    _RTA_PREFSRC,
    _RTA_TABLE,
    _RTA_MULTIPATH,
    offset=_HEADER + _ROUTE.size,
)
_OF_A_SPEC = Selection(_AF_INET, _AF_INET6)

_DEVCONF = (
    (
        _AF_INET,
        _IFLA_INET_CONF,
        ("arp_filter", "arp_announce", "arp_ignore", "promote_secondaries"),
        struct.Struct("=48xi16xiii"),
    ),
    (
        _AF_INET6,
        _IFLA_INET6_CONF,
        ("accept_ra", "disable_ipv6", "accept_dad"),
        struct.Struct("=12xi88xii"),
    ),
)
"""Settings out of arrays of numbers: 12, 17, 18 and 19, one less than linux/ip.h IPV4_DEVCONF_*,
and 3, 26 and 27, linux/ipv6.h DEVCONF_*."""
_BRIDGE, _PAIR = "bridge", "veth"
_ANYWHERE = {2: "0.0.0.0", 10: "::"}


@dataclass(slots=True)  # to make a frozen one takes a third longer, and there are thousands
class SeenLink:
    """A link of a dump, its parent, peer and master still numbers."""

    index: int
    name: str
    kind: str
    group: int
    alias: str
    settings: dict[str, Setting]
    parent_index: int
    nsid: int | None
    """The id of the namespace that the parent or peer is in (IFLA_LINK_NETNSID); None: this one."""
    master_index: int
    carrier: bool
    vlan_aware: bool = False
    nic_mac: str | None = None
    """Of a NIC, the MAC that tells it from all others."""


@contextmanager
def readable() -> Iterator[None]:
    """What the decoders can't make sense of is an OSError (EBADMSG), whatever they trip over."""
    try:
        yield
    except (struct.error, ValueError, LookupError, TypeError) as error:
        raise OSError(errno.EBADMSG, "the kernel's answer can't be read") from error


def decode_link(data: bytes) -> SeenLink:
    """A link from an RTM_NEWLINK message."""
    hardware, index, flags = _LINK.unpack_from(data, _HEADER)
    found = _OF_A_LINK(data)
    get = found.get
    info = get(_IFLA_LINKINFO, b"")
    kind, options = _kind_and_options(info)
    settings = decode_common(found, flags)
    _add_sysctls(settings, get(_IFLA_AF_SPEC, b""))
    settings.update(options)
    return SeenLink(
        index=index,
        name=text(get(_IFLA_IFNAME)),
        kind=kind or ("loopback" if hardware == ARPHRD_LOOPBACK else "device"),
        group=u32(get(IFLA_GROUP)),
        alias=text(get(_IFLA_IFALIAS)),
        settings=settings,
        parent_index=u32(get(_IFLA_LINK)),
        nsid=u32(get(_IFLA_LINK_NETNSID)) if _IFLA_LINK_NETNSID in found else None,
        master_index=u32(get(_IFLA_MASTER)),
        carrier=bool(flags & IFF_LOWER_UP),
        vlan_aware=kind == _BRIDGE and is_vlan_aware(first(info, _IFLA_INFO_DATA) or b""),
        nic_mac=_nic_mac(kind, found),
    )


def _nic_mac(kind: str, found: Mapping[int, bytes]) -> str | None:
    """The permanent MAC of a device. Links of a kind share MACs: ipvlan even reports its parent's.

    An end of a veth pair is the NIC of a container. It has no permanent MAC, so it counts with the
    one that is set, unless it is a port, which may have its master's.
    """
    if not kind:
        return found.get(_IFLA_PERM_ADDRESS, b"").hex(":") or None
    if kind != _PAIR or u32(found.get(_IFLA_MASTER)):
        return None
    return found.get(_IFLA_ADDRESS, b"").hex(":") or None


def decode_number(data: bytes, attribute: int) -> tuple[int, int]:
    """The number of a link from an RTM_NEWLINK message, and an attribute of it that is a number."""
    _, index, _ = _LINK.unpack_from(data, _HEADER)
    return index, u32(first(data[_HEADER + _LINK.size :], attribute))


def decode_token(data: bytes) -> tuple[int, str]:
    """The number of a link, and the host part of its addresses by advertisement."""
    _, index, _ = _LINK.unpack_from(data, _HEADER)
    info = first(data[_HEADER + _LINK.size :], _IFLA_PROTINFO)
    return index, ip(first(info or b"", _IFLA_INET6_TOKEN)) or NO_TOKEN


@lru_cache(maxsize=256)
def _kind_and_options(info: bytes) -> tuple[str, Mapping[str, Setting]]:
    """Out of IFLA_LINKINFO, the same for all links of a network."""
    found = dict(attributes(info))
    kind = KINDS.get(name := text(found.get(_IFLA_INFO_KIND)))
    return name, decode_options(kind, found.get(_IFLA_INFO_DATA, b"")) if kind else {}


def _add_sysctls(settings: dict[str, Setting], spec: bytes) -> None:
    families = _OF_A_SPEC(spec)
    for family, array, keys, places in _DEVCONF:
        values = first(families.get(family, b""), array)
        if values is not None:
            settings.update(zip(keys, places.unpack_from(values), strict=True))


def decode_address(data: bytes, *, protocols: bool) -> tuple[int, Address]:
    """An address and the number of its link; ``protocols``: the kernel has IFA_PROTO (5.18)."""
    family, prefix, short_flags, scope, index = _ADDRESS.unpack_from(data, _HEADER)
    get = _OF_AN_ADDRESS(data).get
    flags = u32(get(_IFA_FLAGS)) or short_flags
    permanent = bool(flags & IFA_F_PERMANENT)
    ours = get(_IFA_PROTO) == bytes([PROTOCOL])
    if not protocols:
        by_kernel = family == _AF_INET6 and scope == RT_SCOPE_LINK
        ours = (permanent or family == _AF_INET) and not by_kernel  # leased ones have an end
    local = get(_IFA_LOCAL) or get(_IFA_ADDRESS)
    return index, Address(
        f"{ip(local)}/{prefix}",
        _other_broadcast(local, prefix, get(_IFA_BROADCAST)) if family == _AF_INET else None,
        ours=ours,
        permanent=permanent,
        nodad=bool(flags & IFA_F_NODAD),
        global_scope=scope == RT_SCOPE_UNIVERSE,
        # The same bit means secondary in IPv4 (linux/if_addr.h).
        seconds=None if permanent else _valid(get(_IFA_CACHEINFO)),
        temporary=bool(flags & IFA_F_TEMPORARY) and family == _AF_INET6,
        tentative=bool(flags & IFA_F_TENTATIVE) and not flags & IFA_F_DADFAILED,
    )


def _other_broadcast(local: bytes | None, prefix: int, found: bytes | None) -> str | None:
    """As ``Address.broadcast``."""
    if local is None or found == subnet_broadcast(local, prefix):
        return None
    return ip(found) or ""


def decode_unicast(data: bytes) -> str | None:
    """A MAC of a link's own list of unicast addresses, from an RTM_NEWNEIGH message."""
    if not data[_HEADER + _NEIGHBOUR_FLAGS] & _NTF_SELF:
        return None
    mac = first(data[_HEADER + _NEIGHBOUR_SIZE :], _NDA_LLADDR)
    unicast = mac is not None and len(mac) == _MAC_LENGTH and not mac[0] & 1
    return mac.hex(":") if mac and unicast else None


def _valid(times: bytes | None) -> int | None:
    """The seconds that an address is valid; None: for ever."""
    seconds = _CACHEINFO.unpack_from(times)[1] if times else _FOREVER
    return None if seconds == _FOREVER else int(seconds)


def decode_route(data: bytes, names: Mapping[int, str]) -> Route | None:
    """A unicast route, or None for any other; of table local only ours."""
    family, prefix, source, tos, short_table, protocol, kind, flags = _ROUTE.unpack_from(
        data, _HEADER
    )
    if kind != RTN_UNICAST or flags & RTM_F_CLONED:
        return None
    get = _OF_A_ROUTE(data).get
    table = u32(get(_RTA_TABLE)) or short_table
    dev, via = names.get(u32(get(_RTA_OIF))), get(_RTA_GATEWAY)
    if several := get(_RTA_MULTIPATH):
        dev, via = _first_hop(several, names)
    if dev is None or (table == TABLE_LOCAL and protocol != PROTOCOL):
        return None
    return Route(
        to=f"{ip(get(_RTA_DST)) or _ANYWHERE[family]}/{prefix}",
        dev=dev,
        via=ip(via),
        metric=u32(get(_RTA_PRIORITY)),
        src=ip(get(_RTA_PREFSRC)),
        table=table,
        onlink=bool(flags & RTNH_F_ONLINK),
        ours=protocol == PROTOCOL,
        by_advertisement=protocol == RTPROT_RA,
        protocol=protocol,
        selective=bool(source or tos),
    )


def _first_hop(hops: bytes, names: Mapping[int, str]) -> tuple[str | None, bytes | None]:
    """Link and gateway of a multipath route's first hop; nobody but others adds such routes."""
    length, _, _, index = _NEXT_HOP.unpack_from(hops)
    return names.get(index), dict(attributes(hops[:length], _NEXT_HOP.size)).get(_RTA_GATEWAY)
