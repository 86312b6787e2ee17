"""The options that links of every kind have (linux/if_link.h IFLA_*, linux/if.h IFF_*)."""

from collections.abc import Mapping
from typing import Final

from vlanlink.kinds.kind import InterfaceFlag, Kind, Mac, Names, Number, Option, Options


def _fixed_mac(kind: Kind, options: Options) -> bool:
    return kind.mac(options) == "fixed"


COMMON: Final[tuple[Option, ...]] = (
    # Without a default of its own: a link returns to the MTU of its parent or kind, and to the
    # MAC that is derived or inherited.
    Mac(
        key="mac",
        help="MAC address; left out: derived",
        attribute=1,
        live=True,
        absent=_fixed_mac,
    ),
    Number(key="mtu", help="MTU", attribute=4, wire="uint32", minimum=68, maximum=65535, live=True),
    Number(
        key="txqueuelen",
        help="length of the transmit queue, in packets",
        attribute=13,
        wire="uint32",
        maximum=0x7FFFFFFF,
        live=True,
        default=1000,
    ),
    Names(key="altnames", help="alternative names", attribute=52, entry=53, live=True, default=()),
    # Its default is the kind's (``Kind.multicast``). mDNS leaves a link without it alone.
    InterfaceFlag(
        key="multicast", help="mDNS and routing daemons may use the link", bit=0x1000, live=True
    ),
    InterfaceFlag(key="up", help="set the link up", bit=0x1, live=True, default=True),
)

LINK_SYSCTLS: Final[Mapping[str, str]] = {
    "arp_filter": "ipv4",
    "arp_announce": "ipv4",
    "arp_ignore": "ipv4",
    "promote_secondaries": "ipv4",
    "accept_ra": "ipv6",
    "accept_dad": "ipv6",
    "disable_ipv6": "ipv6",
}
"""Settings of a link that are sysctls under net/FAMILY/conf/IFACE, read back by netlink.

Written in this order: once IPv6 is on, router advertisements come in."""

TOKEN: Final = "ipv6_token"
"""The setting that is the host part of addresses by router advertisement (ip-token(8)). The kernel
takes it where it accepts advertisements, so after the sysctls."""
NO_TOKEN: Final = "::"
"""The host part is made of the MAC."""
