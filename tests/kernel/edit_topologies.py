"""Random topologies for edits: as the tables of a file, put together from small pools.

What one thing leaves another takes: there are few names, addresses and MACs. ``place`` is where a
namespace is that exists already, ``p0/pid`` for the process there or ``p0/path`` for its path; a
file has what `edit_grammar.located` writes in its stead.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Table = dict[str, Any]

NICS = ("eth0", "eth1")
LINKS = ("l0", "l1", "l2", "l3", "l4", "l5")
SPACES = ("a", "b", "kept", "c")
INTERFACES = ("eth0", "eth1", "lan")
NETWORKS = ("front", "back")
PLACES = ("p0/pid", "p1/pid", "p0/path", "p1/path", "q0/path")
MACS = tuple(f"02:00:00:00:00:0{n}" for n in range(1, 7))
ALTNAMES = ("wan", "dmz", "uplink", "spare")
VLAN_IDS = (50, 60, 70)
OWN = (
    *(f"10.{n}.0.{host}/24" for n in (31, 32, 33) for host in (1, 2)),
    "2001:db8:31::1/64",
    "2001:db8:32::1/64",
)
OF_NETWORK = {
    "front": tuple(f"10.7.0.{n}" for n in range(11, 17))
    + tuple(f"2001:db8:7::{n}" for n in range(11, 17)),
    "back": tuple(f"10.8.0.{n}" for n in range(11, 17)),
}
OF_NETWORK["other"] = OF_NETWORK["front"]  # which it was before it was renamed, or else
SUBNETS = {"front": ("10.7.0.0/24", "2001:db8:7::/64"), "back": ("10.8.0.0/24",)}
GATEWAYS = {
    "10.7.0.0/24": "10.7.0.1",
    "2001:db8:7::/64": "2001:db8:7::1",
    "10.8.0.0/24": "10.8.0.1",
}
RANGES = {"10.7.0.0/24": "10.7.0.8/29", "10.8.0.0/24": "10.8.0.8/29"}
SHIMS: tuple[Any, ...] = (True, {"name": "shim0"}, {"name": "shim1", "addresses": ["10.7.0.250"]})
SYSCTLS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.arp_ignore")


@dataclass(frozen=True)
class Hand:
    """What draws: ``number`` gives one from the first to the second. ``kinds`` the kernel has."""

    number: Callable[[int, int], int]
    kinds: tuple[str, ...]

    def one(self, words: Sequence[Any]) -> Any:
        return words[self.number(0, len(words) - 1)]

    def some(self, words: Sequence[Any], most: int) -> list[Any]:
        return self.shuffled(words)[: self.number(0, most)]

    def shuffled(self, words: Sequence[Any]) -> list[Any]:
        left = list(words)
        return [left.pop(self.number(0, len(left) - 1)) for _ in words]

    def chance(self, of: int = 2) -> bool:
        """One in ``of``."""
        return self.number(0, of - 1) == of - 1

    def has(self, kind: str) -> bool:
        return kind in self.kinds


# -- looking at tables -----------------------------------------------------------------------------


def interfaces(tables: Table) -> Iterator[tuple[str, str, Table]]:
    for space, entry in tables["namespaces"].items():
        for name, interface in entry.get("interfaces", {}).items():
            yield space, name, interface


def ends(tables: Table) -> list[Table]:
    """Every table of a link: links, their peers, interfaces."""
    found = [*tables["links"].values(), *(table for _, _, table in interfaces(tables))]
    return found + [table["peer"] for table in tables["links"].values() if "peer" in table]


def unused(tables: Table, words: Sequence[Any]) -> list[Any]:
    """Those that stand nowhere in the tables."""
    text = json.dumps(tables)
    return [word for word in words if json.dumps(word) not in text]


def host_names(tables: Table) -> list[str]:
    """The links that stand on the host by the file."""
    peers = [t["peer"] for t in tables["links"].values() if "peer" in t]
    return [*tables["links"], *(p["name"] for p in peers if "namespace" not in p)]


def parents(hand: Hand, tables: Table) -> list[str]:
    """What a macvlan may stand on."""
    found = [*NICS, *(n for n, t in tables["links"].items() if t["kind"] in ("veth", "vlan"))]
    if hand.has("vlan"):
        found += [f"eth0.{VLAN_IDS[0]}", f"eth0.{VLAN_IDS[1]}"]
    if hand.has("dummy"):
        found += [n for n, t in tables["links"].items() if t["kind"] == "dummy"]
    return found


def retarget(tables: Table, old: str, new: str) -> None:
    """Whatever names the host's link ``old`` names ``new``."""

    def renamed(name: str) -> str:
        base, dot, rest = name.partition(".")
        return new + dot + rest if base == old else name

    for table in (*tables["networks"].values(), *ends(tables)):
        if "parent" in table:
            table["parent"] = renamed(table["parent"])
    for route in tables["host"].get("routes", []):
        route["dev"] = renamed(route["dev"])


# -- a topology ------------------------------------------------------------------------------------


def topology(hand: Hand, name: str = "edited") -> Table:
    tables: Table = {
        "topology": {"name": name},
        "networks": {},
        "links": {},
        "namespaces": {},
        "host": {},
    }
    for _ in range(hand.number(0, 3)):
        add_link(hand, tables)
    for _ in range(hand.number(0, 2)):
        add_network(hand, tables)
    for _ in range(hand.number(1, 3)):
        add_namespace(hand, tables)
    for _ in range(hand.number(0, 2)):
        add_interface(hand, tables)
    if hand.chance(4):
        change_host(hand, tables)
    return tables


def add_link(hand: Hand, tables: Table) -> None:
    free = [name for name in LINKS if name not in host_names(tables)]
    if free:
        name = hand.one(free[:3])
        tables["links"][name] = link(hand, tables, name)


def link(hand: Hand, tables: Table, name: str) -> Table:
    kind = hand.one([k for k in ("veth", "macvlan", "vlan", "dummy", "ipvlan") if hand.has(k)])
    found: Table = {"kind": kind} | end(hand, tables)
    if kind in ("ipvlan", "vlan"):
        found.pop("mac", None)
    if kind == "veth":
        found["peer"] = peer(hand, {**tables, "links": {**tables["links"], name: found}})
    elif kind != "dummy":
        found["parent"] = "eth1" if kind == "ipvlan" else hand.one(parents(hand, tables))
    if kind == "vlan":
        found |= {"id": hand.one(VLAN_IDS), "parent": hand.one(NICS)}
    return found


def peer(hand: Hand, tables: Table) -> Table:
    spaces = sorted(tables["namespaces"])
    if spaces and hand.chance():
        space = hand.one(spaces)
        taken = tables["namespaces"][space].get("interfaces", {})
        free = [n for n in INTERFACES if n not in taken]
        if free:
            return {"name": free[0], "namespace": space} | end(hand, tables)
    free = [name for name in LINKS if name not in host_names(tables)]
    return {"name": hand.one(free[-3:] or ["l9"])} | end(hand, tables)


def end(hand: Hand, tables: Table) -> Table:
    """What every link can have."""
    found: Table = {"addresses": hand.some(unused(tables, OWN), 2)}
    if hand.chance(3):
        found["mac"] = hand.one(unused(tables, MACS) or MACS)
    if hand.chance(3):
        found["altnames"] = hand.some(unused(tables, ALTNAMES), 2)
    if hand.chance(5):
        found["mtu"] = hand.one((1280, 1400))
    route_by(hand, found)
    return found


def route_by(hand: Hand, table: Table) -> None:
    """A route that the link's first IPv4 address carries."""
    four = [a for a in table.get("addresses", []) if "." in a]
    if four and hand.chance(3):
        via = four[0].rpartition(".")[0] + ".254"
        extra = hand.one(({}, {"metric": 7}, {"table": 77}))
        table["routes"] = [{"to": f"10.{90 + hand.number(0, 8)}.0.0/16", "via": via} | extra]


def add_network(hand: Hand, tables: Table) -> None:
    free = [name for name in NETWORKS if name not in tables["networks"]]
    if not free:
        return
    name = free[0]
    kind = "ipvlan" if hand.has("ipvlan") and hand.chance(3) else "macvlan"
    found: Table = {"kind": kind, "parent": hand.one(parents(hand, tables))}
    found["subnets"] = [subnet(hand, prefix) for prefix in SUBNETS[name]]
    if name == "front" and kind == "macvlan" and hand.chance(4):
        found["shim"] = hand.one(SHIMS)
    tables["networks"][name] = found


def subnet(hand: Hand, prefix: str) -> Table:
    found: Table = {"subnet": prefix}
    if hand.chance():
        found["gateway"] = GATEWAYS[prefix]
    if prefix in RANGES and hand.chance(3):
        found["ip_range"] = RANGES[prefix]
    return found


def add_namespace(hand: Hand, tables: Table) -> None:
    free = [name for name in SPACES if name not in tables["namespaces"]]
    if not free:
        return
    name = hand.one(free[:3])
    entry: Table = {"interfaces": {}}
    tables["namespaces"][name] = entry
    if name != "kept" and hand.chance(3):
        place(hand, tables, entry)
    if hand.chance(4):
        entry["sysctls"] = {key: hand.one((0, 1)) for key in hand.some(SYSCTLS, 2)}
    for _ in range(hand.number(1, 2)):
        add_interface(hand, tables, name)


def place(hand: Hand, tables: Table, entry: Table) -> None:
    """Somewhere that no other entry is."""
    taken = {e.get("place", "").partition("/")[0] for e in tables["namespaces"].values()}
    free = [where for where in PLACES if where.partition("/")[0] not in taken]
    if free:
        entry["place"] = hand.one(free)


def add_interface(hand: Hand, tables: Table, space: str | None = None) -> None:
    if not tables["namespaces"]:
        return
    space = space or hand.one(sorted(tables["namespaces"]))
    taken = tables["namespaces"][space].setdefault("interfaces", {})
    taken_by_peers = [
        t["peer"]["name"]
        for t in tables["links"].values()
        if t.get("peer", {}).get("namespace") == space
    ]
    free = [name for name in INTERFACES if name not in (*taken, *taken_by_peers)]
    if free:
        taken[free[0]] = interface(hand, tables)


def interface(hand: Hand, tables: Table) -> Table:
    if not tables["networks"] or hand.chance(4):
        found: Table = {"kind": "macvlan", "parent": hand.one(parents(hand, tables))}
        return found | end(hand, tables)
    return endpoint(hand, tables, hand.one(sorted(tables["networks"])))


def endpoint(hand: Hand, tables: Table, network: str) -> Table:
    found = end(hand, tables) | {"network": network}
    found.pop("routes", None)
    found["addresses"] = hand.some(unused(tables, OF_NETWORK[network]), 3)
    if tables["networks"][network]["kind"] == "ipvlan":
        found.pop("mac", None)
    if hand.chance(5):
        found["ipv6"] = hand.one(("slaac", "off"))
    if found.get("ipv6") == "off":
        found["addresses"] = [a for a in found["addresses"] if ":" not in a]
    four = any("." in address for address in found["addresses"])
    gateway = "gateway" in tables["networks"][network]["subnets"][0]
    if hand.chance(3) and four and gateway:
        found["default_route"] = hand.one((False, {"ipv4": True, "metric": 50}))
    return found


def change_host(hand: Hand, tables: Table) -> None:
    host = tables["host"]
    if hand.chance():
        host["sysctls"] = {"net.ipv4.ip_forward": hand.one((0, 1))} if hand.chance() else {}
        return
    able = [n for n, t in tables["links"].items() if any("." in a for a in t.get("addresses", []))]
    host["routes"] = (
        [{"to": "10.98.0.0/16", "dev": hand.one(able)} | hand.one(({}, {"metric": 9}))]
        if able
        else []
    )
