"""802.1Q and 802.1ad subinterfaces (linux/if_link.h IFLA_VLAN_*, net/8021q/vlan_netlink.c)."""

from vlanlink.kinds.kind import Choice, Flag, Kind, MacRule, Number, Options, QosMap

_FLAGS = 2


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
        Number(key="id", attribute=1, wire="uint16", minimum=1, maximum=4094, required=True),
        Choice(
            key="protocol",
            attribute=5,
            wire="be16",
            choices={"802.1q": 0x8100, "802.1ad": 0x88A8},
            default="802.1q",
        ),
        Flag(key="reorder_hdr", attribute=_FLAGS, bit=0x1, live=True, default=True),
        Flag(key="gvrp", attribute=_FLAGS, bit=0x2, live=True, default=False),
        Flag(key="loose_binding", attribute=_FLAGS, bit=0x4, live=True, default=False),
        Flag(key="mvrp", attribute=_FLAGS, bit=0x8, live=True, default=False),
        # Mapping a pair to 0 removes it from an existing link.
        QosMap(
            key="egress_qos",
            attribute=3,
            live=True,
            maximum_from=0xFFFFFFFF,
            maximum_to=7,
            default=(),
        ),
        QosMap(
            key="ingress_qos",
            attribute=4,
            live=True,
            maximum_from=7,
            maximum_to=0xFFFFFFFF,
            default=(),
        ),
    ),
)
