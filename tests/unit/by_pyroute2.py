"""What pyroute2 reads in rtnetlink messages: the judge of our own decoder."""

import ipaddress
from collections.abc import Mapping
from typing import Any, overload

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from tests.unit.encoded_by_pyroute2 import LINK_ATTRIBUTES, attribute_name
from vlanlink.kernel.marks import PROTOCOL
from vlanlink.kernel.netlink.constants import (
    ARPHRD_LOOPBACK,
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_PERMANENT,
    IFA_F_TENTATIVE,
    IFF_LOWER_UP,
    RT_SCOPE_LINK,
    RT_TABLE_LOCAL,
    RTM_F_CLONED,
    RTN_UNICAST,
    RTNH_F_ONLINK,
    RTPROT_RA,
)
from vlanlink.kernel.netlink.decode import SeenLink
from vlanlink.kinds import (
    COMMON,
    KINDS,
    Choice,
    Flag,
    InterfaceFlag,
    Kind,
    MacList,
    Names,
    Option,
    QosMap,
)
from vlanlink.kinds.common import LINK_SYSCTLS
from vlanlink.model import Address, Route, Setting


def link(data: bytes) -> SeenLink:
    """A link from an RTM_NEWLINK message."""
    message = ifinfmsg(data)
    message.decode()
    get = message.get_attr
    info = get("IFLA_LINKINFO")
    kind_name = info.get_attr("IFLA_INFO_KIND") if info is not None else None
    flags = message["flags"]
    settings: dict[str, Setting] = {
        **{option.key: _common(option, message) for option in COMMON},
        **_link_sysctls(get("IFLA_AF_SPEC")),
    }
    kind = KINDS.get(kind_name or "")
    if kind and info is not None:
        settings |= _options(kind, info.get_attr("IFLA_INFO_DATA") if kind.options else None)
    loopback = message["ifi_type"] == ARPHRD_LOOPBACK
    return SeenLink(
        index=message["index"],
        name=get("IFLA_IFNAME"),
        kind=kind_name or ("loopback" if loopback else "device"),
        group=get("IFLA_GROUP") or 0,
        alias=get("IFLA_IFALIAS") or "",
        settings=settings,
        parent_index=get("IFLA_LINK") or 0,
        nsid=get("IFLA_LINK_NETNSID"),
        master_index=get("IFLA_MASTER") or 0,
        carrier=bool(flags & IFF_LOWER_UP),
        nic_mac=_nic_mac(kind_name, get),
    )


def _nic_mac(kind: str | None, get: Any) -> str | None:
    if kind == "veth" and not get("IFLA_MASTER"):
        return str(get("IFLA_ADDRESS"))
    found = get("IFLA_PERM_ADDRESS")
    return str(found) if found and not kind else None


def _common(option: Option, message: Any) -> Setting:
    if isinstance(option, InterfaceFlag):
        return bool(message["flags"] & option.bit)
    value: Setting = message.get_attr(LINK_ATTRIBUTES[option.attribute])
    if isinstance(option, Names):
        properties = message.get_attr("IFLA_PROP_LIST")
        return tuple(sorted(properties.get_attrs("IFLA_ALT_IFNAME"))) if properties else ()
    return value


def _link_sysctls(spec: Any) -> dict[str, Setting]:
    inet = spec.get_attr("AF_INET") if spec is not None else None
    inet6 = spec.get_attr("AF_INET6") if spec is not None else None
    values = {
        "ipv4": inet and {**inet, "arp_filter": inet["arpfilter"]},
        "ipv6": inet6.get_attr("IFLA_INET6_CONF") if inet6 is not None else None,
    }
    # The kernel's numbers are signed, the codec's are not.
    return {
        key: (found[key] ^ 0x80000000) - 0x80000000
        for key, family in LINK_SYSCTLS.items()
        if (found := values[family]) is not None
    }


def address(data: bytes, *, protocols: bool) -> tuple[int, Address]:
    """An address and the number of its link; ``protocols``: the kernel has IFA_PROTO (5.18)."""
    message = ifaddrmsg(data)
    message.decode()
    get = message.get_attr
    flags = get("IFA_FLAGS") or message["flags"]
    ip = _canonical(get("IFA_LOCAL") or get("IFA_ADDRESS"))
    permanent = bool(flags & IFA_F_PERMANENT)
    text = f"{ip}/{message['prefixlen']}"
    ours = get("IFA_PROTO") == PROTOCOL
    if not protocols:
        ours = (permanent or ":" not in text) and not (
            message["scope"] == RT_SCOPE_LINK and ":" in text
        )
    broadcast = None
    if ":" not in text:
        own = str(ipaddress.ip_interface(text).network.broadcast_address)
        found = get("IFA_BROADCAST") or ""
        broadcast = None if found == (own if message["prefixlen"] < 31 else "") else found
    valid = get("IFA_CACHEINFO")["ifa_valid"]
    return message["index"], Address(
        text,
        broadcast,
        ours=ours,
        permanent=permanent,
        nodad=bool(flags & IFA_F_NODAD),
        global_scope=message["scope"] == 0,
        tentative=bool(flags & IFA_F_TENTATIVE) and not flags & IFA_F_DADFAILED,
        seconds=None if permanent or valid == 0xFFFFFFFF else valid,
    )


@overload
def _canonical(text: str) -> str: ...


@overload
def _canonical(text: None) -> None: ...


def _canonical(text: str | None) -> str | None:
    """Text as `ipaddress` writes it: inet_ntop(3) has dots in some IPv6 addresses."""
    return str(ipaddress.ip_address(text)) if text and "." in text and ":" in text else text


def route(data: bytes, names: Mapping[int, str]) -> Route | None:
    """A unicast route of a table that people write to, or None for any other."""
    message = rtmsg(data)
    message.decode()
    get = message.get_attr
    table = get("RTA_TABLE") or message["table"]
    dev, via = names.get(get("RTA_OIF") or 0), get("RTA_GATEWAY")
    if get("RTA_MULTIPATH"):
        hop = get("RTA_MULTIPATH")[0]
        dev, via = names.get(hop["oif"]), hop.get_attr("RTA_GATEWAY")
    if message["type"] != RTN_UNICAST or message["flags"] & RTM_F_CLONED:
        return None
    if table == RT_TABLE_LOCAL or dev is None:
        return None
    anywhere = "0.0.0.0" if message["family"] == 2 else "::"
    return Route(
        to=f"{_canonical(get('RTA_DST') or anywhere)}/{message['dst_len']}",
        dev=dev,
        via=_canonical(via),
        metric=get("RTA_PRIORITY") or 0,
        src=_canonical(get("RTA_PREFSRC")),
        table=table,
        onlink=bool(message["flags"] & RTNH_F_ONLINK),
        ours=message["proto"] == PROTOCOL,
        by_advertisement=message["proto"] == RTPROT_RA,
        protocol=message["proto"],
        selective=bool(message["tos"] or message["src_len"]),
    )


def _options(kind: Kind, data: Any) -> dict[str, Setting]:
    """The options of a link from its decoded IFLA_INFO_DATA; absent lists are empty."""
    found: dict[str, Setting] = {}
    for option in kind.options:
        raw = data.get_attr(attribute_name(option)) if data is not None else None
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
