"""ipvlan links (linux/if_link.h IFLA_IPVLAN_*, drivers/net/ipvlan)."""

from vlanlink.kinds.kind import Choice, Kind, MacRule, Options, Siblings


def _mac(options: Options) -> MacRule:
    del options
    return "fixed"


def _routed(options: Options) -> bool:
    return options.get("mode") in ("l3", "l3s")


def _siblings(options: Options) -> Siblings:
    flags: dict[object, Siblings] = {"private": "never", "vepa": "switch"}
    return flags.get(options.get("flag"), "direct")


IPVLAN = Kind(
    name="ipvlan",
    module="ipvlan",
    has_parent=True,
    takes_over_parent=True,
    flattens=True,
    mac=_mac,
    routed=_routed,
    siblings=_siblings,
    options=(
        # Mode and flag belong to the parent: what one link sets, all its siblings have.
        # The kernel's own default mode is l3; ours, as Docker's, is l2: always sent.
        Choice(
            key="mode",
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
