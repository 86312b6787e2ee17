"""ipvlan links (linux/if_link.h IFLA_IPVLAN_*, drivers/net/ipvlan)."""

from vlanlink.kinds.kind import Choice, Kind, MacRule, Options, SiblingTraffic


def _mac(options: Options) -> MacRule:
    del options
    return "fixed"


def _layer3(options: Options) -> bool:
    return options.get("mode") in ("l3", "l3s")


def _sibling_traffic(options: Options) -> SiblingTraffic:
    flags: dict[object, SiblingTraffic] = {"private": "none", "vepa": "hairpin"}
    return flags.get(options.get("flag"), "bridge")


IPVLAN = Kind(
    name="ipvlan",
    module="ipvlan",
    has_parent=True,
    rx_handler="ipvlan",
    attaches_to_real_dev=True,
    mac=_mac,
    layer3=_layer3,
    sibling_traffic=_sibling_traffic,
    options=(
        # Mode and flag belong to the parent: setting one on a link sets it on all siblings.
        # The kernel's default mode is l3; ours is l2, as in Docker, so it is always sent.
        Choice(
            key="mode",
            help="l2: as a switch does; l3, l3s: by routes, without ARP and broadcast",
            attribute=1,
            wire="uint16",
            choices={"l2": 0, "l3": 1, "l3s": 2},
            live=True,
            always=True,
            per_parent=True,
            default="l2",
        ),
        Choice(
            key="flag",
            help="how links on one parent reach each other",
            attribute=2,
            wire="uint16",
            choices={"bridge": 0, "private": 1, "vepa": 2},
            live=True,
            always=True,
            per_parent=True,
            default="bridge",
        ),
    ),
)
