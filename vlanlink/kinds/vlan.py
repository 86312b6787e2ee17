"""802.1Q and 802.1ad subinterfaces (linux/if_link.h IFLA_VLAN_*, net/8021q/vlan_netlink.c)."""

import re
from typing import Final

from vlanlink.kinds.kind import Choice, Flag, Kind, MacRule, Number, Options, QosMap

_FLAGS = 2

VLAN_IDS: Final = range(1, 4095)
_NAME: Final = r"(?s)(.+)\.(0|[1-9][0-9]*)"


def spelled_vlan(name: str) -> tuple[str, int] | None:
    """Parse ``eth0.50`` into (parent, VLAN id), valid or not; None for other names."""
    found = re.fullmatch(_NAME, name)
    return (found[1], int(found[2][:6])) if found else None


def implied_vlan(name: str) -> tuple[str, int] | None:
    """Parse ``eth0.50`` into (parent, VLAN id); None for other names and ids."""
    spelled = spelled_vlan(name)
    return spelled if spelled and spelled[1] in VLAN_IDS else None


def _mac(options: Options) -> MacRule:
    del options
    return "inherited"


VLAN = Kind(
    name="vlan",
    module="8021q",
    has_parent=True,
    mac=_mac,
    options=(
        # The kernel acknowledges a changed id but ignores it: id and protocol are not live.
        Number(
            key="id",
            help="VLAN id",
            attribute=1,
            wire="uint16",
            minimum=1,
            maximum=4094,
            required=True,
        ),
        Choice(
            key="protocol",
            help="EtherType of the tag",
            attribute=5,
            wire="be16",
            choices={"802.1q": 0x8100, "802.1ad": 0x88A8},
            default="802.1q",
        ),
        Flag(
            key="reorder_hdr",
            help="show frames without the tag",
            attribute=_FLAGS,
            bit=0x1,
            live=True,
            default=True,
        ),
        Flag(
            key="gvrp",
            help="register the VLAN by GVRP",
            attribute=_FLAGS,
            bit=0x2,
            live=True,
            default=False,
        ),
        Flag(
            key="loose_binding",
            help="stay up when the parent goes down",
            attribute=_FLAGS,
            bit=0x4,
            live=True,
            default=False,
        ),
        Flag(
            key="mvrp",
            help="register the VLAN by MVRP",
            attribute=_FLAGS,
            bit=0x8,
            live=True,
            default=False,
        ),
        # Mapping a pair to 0 removes it from an existing link.
        QosMap(
            key="egress_qos",
            help="skb priority = VLAN priority, of frames sent",
            attribute=3,
            live=True,
            maximum_from=0xFFFFFFFF,
            maximum_to=7,
            default=(),
        ),
        QosMap(
            key="ingress_qos",
            help="VLAN priority = skb priority, of frames received",
            attribute=4,
            live=True,
            maximum_from=7,
            maximum_to=0xFFFFFFFF,
            default=(),
        ),
    ),
)
