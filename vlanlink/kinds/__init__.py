"""The link kinds: one file each, and ``KINDS``, the only list of them; ``COMMON`` options of all.

A kind is data: its options with their attributes in IFLA_INFO_DATA (linux/if_link.h), which of
them can change on an existing link, and how its links share a parent. Topology, plan and codec
read that data and name no kind.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from vlanlink.kinds.common import COMMON
from vlanlink.kinds.dummy import DUMMY
from vlanlink.kinds.ipvlan import IPVLAN
from vlanlink.kinds.kind import (
    Choice,
    Flag,
    InterfaceFlag,
    Kind,
    Mac,
    MacList,
    MacRule,
    Names,
    Number,
    Option,
    QosMap,
    RxHandler,
)
from vlanlink.kinds.macvlan import MACVLAN
from vlanlink.kinds.veth import VETH
from vlanlink.kinds.vlan import VLAN

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {kind.name: kind for kind in (VLAN, MACVLAN, IPVLAN, DUMMY, VETH)}
)

_FOREIGN_RX_HANDLERS: Final[Mapping[str, RxHandler]] = {"macvtap": "macvlan", "ipvtap": "ipvlan"}
"""Kinds that vlanlink doesn't make and that share a driver's receive handler."""

_T = TypeVar("_T")


def rx_handler(kind: str) -> RxHandler | None:
    """The receive handler that a link of any kind installs on its parent."""
    known = KINDS.get(kind)
    return known.rx_handler if known else _FOREIGN_RX_HANDLERS.get(kind)


def per_parent(kind: str) -> frozenset[str]:
    """The options of a kind that a link sets for all links on its parent."""
    options = KINDS[kind].options if kind in KINDS else ()
    return frozenset(option.key for option in options if option.per_parent)


def kind_options(kind: str, settings: Mapping[str, _T]) -> dict[str, _T]:
    """The settings that are options of ``kind``; none for a kind that vlanlink doesn't know."""
    known = KINDS[kind].options if kind in KINDS else ()
    return {option.key: settings[option.key] for option in known if option.key in settings}


__all__ = [
    "COMMON",
    "KINDS",
    "Choice",
    "Flag",
    "InterfaceFlag",
    "Kind",
    "Mac",
    "MacList",
    "MacRule",
    "Names",
    "Number",
    "Option",
    "QosMap",
    "RxHandler",
    "kind_options",
    "per_parent",
    "rx_handler",
]
