"""The property of edits, judged on a bench: what `up A; up B` comes to is what `up B` comes to.

In every namespace that either ever touched. The plan told every line and no other; what is the same
in both and stands on what is the same sees no event; nothing is lost for a moment without a line;
`down` leaves the host as before. What can't be had alone is refused as an edit, too, and nothing
happens.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vlanlink
from tests.kernel.edit_grammar import Pair, located
from tests.kernel.edit_judge import (
    Ear,
    Facts,
    becomes,
    lines,
    lost_meanwhile,
    news,
    place_of,
    settled,
    told_and_seen,
)
from tests.kernel.edit_topologies import Table
from tests.kernel.world import World, own_world, until

WIRE = "wire"


class UnusableError(Exception):
    """The pair says nothing: the file that is edited is wrong itself."""


@dataclass
class Bench:
    """A host with two NICs on a wire each, and namespaces that exist."""

    world: World
    places: tuple[str, ...]
    where: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.make_place(WIRE)
        for name in ("eth0", "eth1"):
            self.world.batch(
                f"link add {name} type veth peer name far-{name}\n"
                f"link set far-{name} netns {self.world.path(WIRE)}"
            )
            # Without duplicate detection nothing changes by itself while states are compared.
            Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
            self.world.ip(f"link set far-{name} up", WIRE)
        self.world.batch("link set eth0 up\naddr add 192.0.2.1/24 dev eth0")
        self.world.ip("netns add kept")
        for place in self.places:
            self.world.make_place(place)
            process = self.world.start("sleep 10000", place)
            self.where[f"{place}/pid"] = {"pid": process.pid}
            self.where[f"{place}/path"] = {"path": self.world.path(place)}
        until(lambda: "inet6 fe80:" in self.world.ip("-6 addr show dev eth0"), "eth0's carrier")

    def topology(self, tables: Table) -> vlanlink.Topology:
        return vlanlink.load(located(tables, self.where))

    def settled(self) -> Facts:
        return settled(self.world, self.places)

    def becomes(self, goal: Facts) -> tuple[Facts, list[str]]:
        return becomes(self.world, self.places, goal)


def right(what: str, wrong: list[str]) -> None:
    assert not wrong, f"{what}:\n" + "\n".join(wrong[:12])


def refusal(topology: vlanlink.Topology) -> str:
    """Why it is refused before anything is changed, as `plan` and `up` say it; "": it is not.

    What `plan` told is what `up` does.
    """
    said, told = [], []
    for verb in (vlanlink.plan, vlanlink.up):
        try:
            told.append(_told(verb(topology)))
        except vlanlink.ConflictError as error:
            said.append(str(error))
        else:
            said.append("")
    assert bool(said[0]) == bool(said[1]), f"plan and up differ: {said}"
    right("done, not planned", sorted(told[0] ^ told[1]) if told else [])
    return said[0]


def places_of(tables: Table) -> dict[str, str]:
    """Where each namespace of a file is, by the name in it."""
    pairs = [t["peer"] for t in tables["links"].values() if "peer" in t]
    found = {peer["namespace"] for peer in pairs if "namespace" in peer}
    own = {name: name for name in (*tables["namespaces"], *found)}
    return own | {
        name: entry["place"].partition("/")[0]
        for name, entry in tables["namespaces"].items()
        if "place" in entry
    }


def given_places(pair: Pair) -> tuple[str, ...]:
    """The namespaces that either file gives by pid or path."""
    entries = [e for t in (pair.before, pair.after) for e in t["namespaces"].values()]
    return tuple(sorted({e["place"].partition("/")[0] for e in entries if "place" in e}))


def untouched(pair: Pair) -> list[str]:
    """Namespaces of which both files say the same, and of all that they stand on."""
    before, after = pair.before, pair.after
    same = []
    for name, entry in before["namespaces"].items():
        if json.dumps(after["namespaces"].get(name)) != json.dumps(entry) or name == "kept":
            continue
        if any(
            t.get("peer", {}).get("namespace") == name
            for tables in (before, after)
            for t in tables["links"].values()
        ):
            continue
        if all(
            _stands_on(before, table) == _stands_on(after, table)
            for table in entry.get("interfaces", {}).values()
        ):
            same.append(name)
    return same


def _stands_on(tables: Table, table: Table) -> list[Any]:
    """What a link stands on, down to the NIC."""
    found: list[Any] = []
    network = tables["networks"].get(table.get("network", ""), {})
    found.append(network)
    name = network.get("parent", table.get("parent"))
    while name:
        base, dot, _ = name.partition(".")
        below = tables["links"].get(name) or (tables["links"].get(base) if dot else None)
        found.append((name, below))
        name = below.get("parent") if below else None
    return found


def went_well(pair: Pair) -> None:
    """The property."""
    with own_world() as world:
        tasks = len(os.listdir("/proc/self/task"))
        bench = Bench(world, given_places(pair))
        try:
            _went_well(bench, pair)
        finally:
            # A thread that was joined may still be about to end; then no namespace can be left.
            until(lambda: len(os.listdir("/proc/self/task")) <= tasks, "threads end")


def _went_well(bench: Bench, pair: Pair) -> None:
    try:
        before, after = bench.topology(pair.before), bench.topology(pair.after)
    except vlanlink.TopologyError as error:
        raise UnusableError(str(error)) from error
    if pair.beside:
        vlanlink.up(bench.topology(pair.beside))
    empty = bench.settled()
    alone = refusal(after)
    goal = bench.settled()
    if not alone:
        vlanlink.down(after.name, forget=True)
        right("left after down", bench.becomes(empty)[1])
    wrong = refusal(before)
    if wrong:
        raise UnusableError(wrong)
    edited(bench, pair, after, alone, goal)
    vlanlink.down(after.name)
    right("left after the edit and down", bench.becomes(empty)[1])
    if pair.beside:
        vlanlink.down("beside")


def _told(plan: vlanlink.Plan) -> set[str]:
    """Its lines, but for what only the LAN can tell."""
    return {str(change).replace(", if free on the LAN", "") for change in plan.changes}


def edited(bench: Bench, pair: Pair, after: vlanlink.Topology, alone: str, goal: Facts) -> None:
    """`up B` over A."""
    world, was, now = bench.world, places_of(pair.before), places_of(pair.after)
    start = bench.settled()
    staying = {was[n] for n in was if was[n] == now.get(n)} | {"", *bench.places, "kept"}
    staying |= {"beside"} if pair.beside else set()
    staying &= start.keys()
    ears = {space: Ear(world, space) for space in sorted(staying)}
    try:
        if alone:
            said = refusal(after)
            assert said, f"refused alone, not as an edit: {alone}"
            right("changed by what is refused", bench.becomes(start)[1])
            for space, ear in ears.items():
                right(f"events in {space or 'the host'} of what is refused", ear.news())
            return
        plan = vlanlink.plan(after)
        done = vlanlink.up(after)
        found, wrong = bench.becomes(goal)
        heard = {space: ear.heard() for space, ear in ears.items()}
    except vlanlink.ConflictError as error:
        raise AssertionError(f"an edit is refused that can be had alone: {error}") from error
    finally:
        for ear in ears.values():
            ear.close()
    right("not as from nothing", wrong)
    right("done, not planned", sorted(_told(done) ^ _told(plan)))
    right("told is not done", told_and_seen(plan, start, found, was, now))
    same = [*({"beside"} if pair.beside else ()), *(was[n] for n in untouched(pair))]
    for space in staying:
        events, was_there, is_there = heard[space], ears[space].before, lines(world, space)
        if space in same:
            right(f"events in {space}, which is the same", news(events, was_there, is_there))
        told = [c for c in plan.changes if place_of(c.namespace, was, now) == space]
        lost = lost_meanwhile(events, was_there, is_there, told)
        right(f"lost for a moment in {space or 'the host'}", list(lost))
