"""What an edit did to a machine, by `ip` and the kernel's own notifications."""

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from tests.kernel.judge import VOLATILE, arrays, differences, host_sysctls
from tests.kernel.world import World, until
from vlanlink.planning.change import Change
from vlanlink.planning.plan import Plan
from vlanlink.sysctl import dotted, link_of, possible_effects, proc_path, side_effects

Row = dict[str, Any]
Facts = dict[str, dict[str, Any]]
Key = tuple[str, ...]

PATIENCE = 10.0
"""Carriers and namespaces that go take a moment; what is wrong stays wrong."""
_TRANSIENT = {"LOWER_UP", "NO-CARRIER", "M-DOWN", "PROMISC", "ALLMULTI"}
_NUMBERS = {"ifindex", "link_index", "promiscuity", "allmulti", "min_mtu", "max_mtu"}
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # links, and addresses and routes of both families
_OURS = "118"


# -- all that is there -----------------------------------------------------------------------------


def seen(world: World, places: Iterable[str]) -> Facts:
    """The host, every named namespace and ``places``: links, addresses, routes and sysctls."""
    spaces = ["", *sorted(world.namespaces()), *places]
    raw = {space: _raw(world, space) for space in spaces}
    below = _below([(space, row) for space in spaces for row in raw[space][0]])
    return {space: _facts(world, space, raw[space], below) for space in spaces}


def _below(rows: list[tuple[str, Row]]) -> dict[tuple[str, int], str]:
    """What each link is on, or paired with, where that is in another namespace.

    A parent is on the host. Ends of a pair have each other's numbers.
    """
    host = {row["ifindex"]: row["ifname"] for space, row in rows if not space}
    pairs = [(space, row) for space, row in rows if _kind(row) == "veth"]
    found: dict[tuple[str, int], str] = {}
    for space, row in rows:
        number = row.get("link_index")
        if _kind(row) != "veth":
            found[space, row["ifindex"]] = f"/{host.get(number, 'out of sight')}"
            continue
        ends = [
            f"{other}/{end['ifname']}"
            for other, end in pairs
            if (end["ifindex"], end.get("link_index")) == (number, row["ifindex"])
        ]
        found[space, row["ifindex"]] = ", ".join(ends) or "out of sight"
    return found


def _kind(row: Row) -> str:
    return str(row.get("linkinfo", {}).get("info_kind", ""))


def _raw(world: World, space: str) -> list[list[Row]]:
    text = world.run("ip -j -d -batch -", space, stdin="addr show\nroute show table all\n").stdout
    links, routes = arrays(text)
    return [[row for row in links if row], routes]


def _facts(
    world: World, space: str, raw: list[list[Row]], below: Mapping[tuple[str, int], str]
) -> Row:
    links, routes = raw
    return {
        "link": {row["ifname"]: _link(space, row, below) for row in links},
        "index": {row["ifname"]: row["ifindex"] for row in links},
        "addr": {row["ifname"]: _addresses(row) for row in links},
        "route": sorted((_plain(row) for row in routes), key=str),
        "sysctl": _sysctls(world, space),
    }


def _sysctls(world: World, space: str) -> dict[str, str]:
    """Where IPv6 is off, what it would do is for nothing."""
    found = host_sysctls(world, space)
    switch = "disable_ipv6"
    off = [k.removesuffix(switch) for k, v in found.items() if k.endswith(switch) and v == "1"]
    unused = {root + key for root in off for key in ("accept_ra", "accept_dad")}
    return {key: value for key, value in found.items() if key not in unused}


def _link(space: str, row: Row, below: Mapping[tuple[str, int], str]) -> Row:
    found = {k: v for k, v in row.items() if k not in (*VOLATILE, *_NUMBERS, "addr_info", "link")}
    found["flags"] = sorted(set(row["flags"]) - _TRANSIENT)
    found["altnames"] = sorted(row.get("altnames", []))
    if "link_index" in row:
        found["on"] = below[space, row["ifindex"]]
    elif "link" in row:
        found["on"] = row["link"]
    return found


def _addresses(row: Row) -> list[Row]:
    """By subnet: the order counts within one of IPv4, whose first address is packets' source.

    Whether the kernel made a link-local address or we did is a matter of who was first.
    """
    found = sorted(map(_plain, row["addr_info"]), key=_subnet)
    for address in found:
        if address["local"].startswith("fe80:"):
            address.pop("nodad", None)
    return found


def _subnet(address: Row) -> str:
    found = ip_interface(f"{address['local']}/{address['prefixlen']}")
    return str(found.network if found.version == 4 else found)


def _plain(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in VOLATILE}


def unlike(old: Facts, new: Facts, but: Iterable[str] = ("index",)) -> list[str]:
    """Where two differ; ifindexes are chosen by chance."""
    left = set(but)

    def kept(facts: Facts) -> Facts:
        return {
            space: {k: v for k, v in found.items() if k not in left}
            for space, found in facts.items()
        }

    return differences(kept(old), kept(new))


def settled(world: World, places: Iterable[str], seconds: float = PATIENCE) -> Facts:
    """As ``seen``, twice the same, with every carrier and link-local address that is to come."""
    last: list[Facts] = [{}]

    def calm() -> bool:
        before, last[0] = last[0], seen(world, places)
        return not unlike(before, last[0], ()) and not any(map(_waits, last[0].values()))

    with suppress(AssertionError):  # one that is not to come is missing in every look
        until(calm, seconds=seconds, poll=0.01)
    return last[0]


def _waits(found: Row) -> bool:
    for name, row in found["link"].items():
        here = [a for a in found["addr"][name] if a["local"].startswith("fe80:")]
        off = found["sysctl"].get(f"net/ipv6/conf/{name}/disable_ipv6") != "0" or row["mtu"] < 1280
        if name != "lo" and "UP" in row["flags"] and not here and not off:
            return True
        if any(address.get("tentative") for address in found["addr"][name]):
            return True
    return False


def becomes(world: World, places: Iterable[str], goal: Facts) -> tuple[Facts, list[str]]:
    """What is there once it is like ``goal``, or when patience ends, and how it differs."""
    found: list[Any] = [{}, []]

    def alike() -> bool:
        found[0] = seen(world, places)
        found[1] = unlike(goal, found[0])
        return not found[1]

    with suppress(AssertionError):
        until(alike, seconds=PATIENCE, poll=0.02)
    return found[0], found[1]


# -- what the kernel tells while it happens --------------------------------------------------------


class Ear:
    """The notifications of a namespace, kept as the kernel sends them; `ip monitor` reads them."""

    def __init__(self, world: World, space: str) -> None:
        self.world, self.space = world, space
        with world.inside(space):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((0, _GROUPS))
        self.before = lines(world, space)

    def news(self) -> list[str]:
        """What was heard since the last time, without what the kernel only repeats."""
        return news(self.heard(), self.before, lines(self.world, self.space))

    def heard(self) -> list[str]:
        """Everything since the last time, a line each."""
        data = b""
        try:
            while True:
                data += self.socket.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        if not data:
            return []
        file = Path("/run/heard")
        file.write_bytes(data)
        text = self.world.run(f"ip -o monitor file {file}", self.space).stdout
        return [_as_monitored(line) for line in text.splitlines() if line.strip()]

    def close(self) -> None:
        self.socket.close()


def lines(world: World, space: str) -> set[str]:
    """Links, addresses and routes as `ip monitor` has them."""
    words = "link show\naddr show\nroute show table all\n"
    text = world.run("ip -o -batch -", space, stdin=words).stdout
    return {_as_monitored(line) for line in text.splitlines()}


def _as_monitored(line: str) -> str:
    line = re.sub(r" mode \S+| qlen \d+| state \S+|,LOWER_UP|NO-CARRIER,|,M-DOWN", "", line)
    parts = [" ".join(part.split()) for part in line.split("\\")]
    return " ".join(parts[:2])  # the alias and altnames of a link are not always told


def news(heard: Iterable[str], before: set[str], after: set[str]) -> list[str]:
    """What was heard, without what was and is so: the kernel reports carriers up to 1 s late."""
    return [line for line in heard if line not in before or line not in after]


def lost_meanwhile(
    heard: Iterable[str], before: set[str], after: set[str], changes: Iterable[Change]
) -> Iterator[str]:
    """What was there before, is there after, and was not there in between, without a word.

    Of an IPv4 route that goes with an address the kernel says nothing: it comes again. ``changes``
    are those told of the namespace; the kernel's own routes are part of an address.
    """
    told = {change.name for change in changes}
    readdressed = {dev_of(change) for change in changes if change.object == "address"}
    for line in heard:
        what = line.removeprefix("Deleted ")
        words = what.split()
        again = what != line or (not words[0].endswith(":") and " proto 118" in what)
        name = words[1].partition("@")[0] if words[0].endswith(":") else _word(words, "dev")
        if " proto kernel" in what and name in readdressed:
            continue
        if again and what in before & after and not {name, words[0]} & told:
            yield line


# -- what a plan says, against what happened -------------------------------------------------------


def told_and_seen(
    plan: Plan, before: Facts, after: Facts, was: Mapping[str, str], now: Mapping[str, str]
) -> list[str]:
    """Lines for what did not happen, and for what happened without a line.

    ``was`` and ``now`` say where the namespaces of the two files are, by their names in them.
    """
    told = _told(plan, was, now)
    return [
        *_links_untold(told, before, after),
        *_addresses_untold(told, before, after),
        *_routes_untold(told, before, after),
        *_sysctls_untold(told, before, after),
    ]


def place_of(namespace: str, was: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Where a namespace of a plan is: ``web (/run/netns/web)`` is where web was before."""
    name, former, _ = namespace.partition(" (")
    where = was if former else {**was, **now}
    return where.get(name, name)


Told = dict[str, dict[Key, set[str]]]


def _told(plan: Plan, was: Mapping[str, str], now: Mapping[str, str]) -> Told:
    found: Told = {"namespace": {}, "link": {}, "address": {}, "route": {}, "sysctl": {}}
    for change in plan.changes:
        space = place_of(change.namespace, was, now)
        key: Key = (space, change.name)
        if change.object == "address":
            if change.name.startswith("fe80:"):
                continue  # whether the kernel makes it or we do
            key = (space, dev_of(change), change.name)
        elif change.object == "route":
            words = change.summary.split()
            to = change.name.removesuffix("/32").removesuffix("/128")
            key = (space, _word(words, "dev"), to, _word(words, "via"))
        found[change.object].setdefault(key, set()).add(change.action)
    return found


def dev_of(change: Change) -> str:
    """The link that a told address is on."""
    return change.summary.removeprefix("on ").partition(",")[0]


def _word(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def _links_untold(told: Told, before: Facts, after: Facts) -> Iterator[str]:
    keys = {(s, n) for facts in (before, after) for s in facts for n in facts[s]["link"]}
    gone = {space for (space, _), what in told["namespace"].items() if "delete" in what}
    for space, name in sorted(keys | told["link"].keys()):
        old = before.get(space, {}).get("index", {}).get(name)
        new = after.get(space, {}).get("index", {}).get(name)
        said = told["link"].get((space, name), set())
        happened = _happened(old, new, space, name, before, after)
        if name == "lo":
            continue
        if space in gone:
            happened, said = happened - {"delete"}, said - {"delete"}
        if said == {"create", "delete"} and happened == {"change"}:
            continue  # recreated in two steps, the second of which found its number free again
        if happened != said:
            yield f"link {space}/{name}: told {sorted(said)}, seen {sorted(happened)}"


def _happened(
    old: int | None, new: int | None, space: str, name: str, before: Facts, after: Facts
) -> set[str]:
    if old is None and new is None:
        return set()
    if old is None or new is None:
        return {"create"} if old is None else {"delete"}
    if old != new:
        return {"create", "delete"}
    same = not differences(before[space]["link"][name], after[space]["link"][name])
    return set() if same else {"change"}


def _addresses_untold(told: Told, before: Facts, after: Facts) -> Iterator[str]:
    had, has = _own_addresses(before), _own_addresses(after)
    for key in sorted(had.keys() | has.keys() | told["address"].keys()):
        old, new = had.get(key), has.get(key)
        said = told["address"].get(key, set())
        if said == {"create", "delete"} and old == new:
            continue  # taken off and put back: told is told
        happened = {"create"} if new is not None and new != old else set()
        if old is not None and old == after.get(key[0], {}).get("index", {}).get(key[1]) != new:
            happened.add("delete")
        if happened != said:
            yield f"address {'/'.join(key)}: told {sorted(said)}, seen {sorted(happened)}"


def _own_addresses(facts: Facts) -> dict[Key, int]:
    return {
        (space, name, f"{row['local']}/{row['prefixlen']}"): found["index"][name]
        for space, found in facts.items()
        for name, rows in found["addr"].items()
        for row in rows
        if not row["local"].startswith("fe80:") and not row.get("dynamic") and name != "lo"
    }


def _routes_untold(told: Told, before: Facts, after: Facts) -> Iterator[str]:
    had, has = _own_routes(before), _own_routes(after)
    for key in sorted(had.keys() | has.keys() | told["route"].keys()):
        old, new = had.get(key), has.get(key)
        said = told["route"].get(key, set())
        if said == {"create", "delete"} and (old or new):
            continue  # another metric or table
        happened = {"create"} if new is not None and new != old else set()
        if old is not None and old == after.get(key[0], {}).get("index", {}).get(key[1]) != new:
            happened.add("delete")
        if happened != said:
            yield f"route {'/'.join(key)}: told {sorted(said)}, seen {sorted(happened)}"


def _sysctls_untold(told: Told, before: Facts, after: Facts) -> Iterator[str]:
    """Those of namespaces and links that live on, but for what a told write carries along."""
    for space in sorted(before.keys() & after.keys()):
        said = _written(told, space, after[space])
        was, index = before[space]["sysctl"], before[space]["index"]
        for key, new in after[space]["sysctl"].items():
            link = link_of(key)
            if link and index.get(link) != after[space]["index"].get(link):
                continue
            if key.startswith("net/ipv6") and key.endswith("/mtu"):
                continue  # follows the link's own
            if key not in said and was.get(key, new) != new:
                yield f"sysctl {space}/{dotted(key)}: {was[key]} → {new}, not told"


def _written(told: Told, space: str, found: Row) -> set[str]:
    """The keys told, and those that the kernel carries them to; of our own links each is told."""
    keys = {proc_path(name) for where, name in told["sysctl"] if where == space}
    foreign = [n for n, row in found["link"].items() if "ifalias" not in row or n == "lo"]
    for key in list(keys):
        value = found["sysctl"].get(key, "")
        keys |= side_effects(key, value, found["link"]).keys()
        keys |= possible_effects(key, value, foreign).keys()
    return keys


def _own_routes(facts: Facts) -> dict[Key, int]:
    return {
        (
            space,
            row.get("dev", ""),
            row["dst"].removesuffix("/32").removesuffix("/128"),
            row.get("gateway", row.get("via", {}).get("host", "")),
        ): found["index"].get(row.get("dev", ""), 0)
        for space, found in facts.items()
        for row in found["route"]
        if row.get("protocol") == _OURS
    }
