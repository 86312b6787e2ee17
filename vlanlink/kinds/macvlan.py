"""macvlan links (linux/if_link.h IFLA_MACVLAN_*, drivers/net/macvlan.c)."""

from collections.abc import Iterator

from vlanlink.kinds.kind import Choice, Kind, MacList, MacRule, Number, Options, SiblingTraffic


def _mac(options: Options) -> MacRule:
    # A passthru link takes the parent's MAC whatever the request says, and setting one on it
    # changes the parent's.
    return "fixed" if options.get("mode") == "passthru" else "derived"


def _sibling_traffic(options: Options) -> SiblingTraffic:
    modes: dict[object, SiblingTraffic] = {"bridge": "bridge", "vepa": "hairpin"}
    return modes.get(options.get("mode"), "none")


def _exclusive(options: Options) -> bool:
    return options.get("mode") == "passthru"


def _accepts_source(options: Options, mac: str) -> bool:
    listed = options.get("source_macs")
    return options.get("mode") != "source" or (isinstance(listed, tuple) and mac in listed)


def _recreate(old: Options, new: Options) -> str | None:
    if old.get("mode") != new.get("mode"):
        if "passthru" in (old.get("mode"), new.get("mode")):
            return "the kernel can't change a link to or from passthru"
        if old.get("mode") == "source":
            return "the kernel keeps the source MACs when a link leaves source mode"
    return None


def _problems(options: Options) -> Iterator[tuple[str, str, str | None]]:
    if options.get("source_macs") and options.get("mode") != "source":
        yield (
            "source_macs",
            f"source_macs are for mode source, not {options.get('mode', 'bridge')}",
            'write mode = "source", or leave source_macs out',
        )


MACVLAN = Kind(
    name="macvlan",
    module="macvlan",
    has_parent=True,
    rx_handler="macvlan",
    attaches_to_real_dev=True,
    mac=_mac,
    exclusive=_exclusive,
    sibling_traffic=_sibling_traffic,
    accepts_source=_accepts_source,
    recreate=_recreate,
    problems=_problems,
    options=(
        # The kernel's default is vepa; ours is bridge, as in Docker, so it is always sent.
        Choice(
            key="mode",
            help="how links on one parent reach each other",
            attribute=1,
            wire="uint32",
            choices={"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16},
            live=True,
            always=True,
            default="bridge",
        ),
        MacList(
            key="source_macs",
            help="mode source: the MACs that it receives from",
            attribute=5,
            entry=4,
            command=3,
            command_set=3,
            command_flush=2,
            live=True,
            default=(),
        ),
        Number(
            key="bc_queue_len",
            help="length of the queue for broadcast and multicast",
            attribute=7,
            wire="uint32",
            maximum=0xFFFFFFFF,
            live=True,
            default=1000,
            since=(5, 11),
        ),
    ),
)
