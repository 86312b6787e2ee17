"""The link kinds: one file each, and ``KINDS``, the only list of them.

A kind is data. Its file says which options it has, which number and wire form each has in
``IFLA_INFO_DATA`` (linux/if_link.h), which of them can change on a living link, and what two
links on one parent may not do. Topology, plan and codec read that; none of them names a kind.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from vlanlink.kinds.dummy import DUMMY
from vlanlink.kinds.ipvlan import IPVLAN
from vlanlink.kinds.kind import Choice, Flag, Kind, MacList, MacRule, Number, Option, QosMap
from vlanlink.kinds.macvlan import MACVLAN
from vlanlink.kinds.veth import VETH
from vlanlink.kinds.vlan import VLAN

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {kind.name: kind for kind in (VLAN, MACVLAN, IPVLAN, DUMMY, VETH)}
)

_T = TypeVar("_T")


def kind_options(kind: str, settings: Mapping[str, _T]) -> dict[str, _T]:
    """The settings that are options of ``kind``; none for a kind that vlanlink doesn't know."""
    known = KINDS[kind].options if kind in KINDS else ()
    return {option.key: settings[option.key] for option in known if option.key in settings}


__all__ = [
    "KINDS",
    "Choice",
    "Flag",
    "Kind",
    "MacList",
    "MacRule",
    "Number",
    "Option",
    "QosMap",
    "kind_options",
]
