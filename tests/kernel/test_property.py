"""Random topologies: up, up again, edited, down; and what an edit leads to is what a fresh up does.

A short fixed run, or with ``--long`` a long random one (see tests/conftest.py).
"""

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, assume, given, note, settings

import vlanlink
from tests.kernel.judge import differences, dump
from tests.kernel.strategies import Slots, Table, shown, topologies
from tests.kernel.world import World, own_world, until
from vlanlink.desired.requirements import too_new
from vlanlink.kernel.features import release
from vlanlink.kinds import KINDS
from vlanlink.model import LOOPBACK, Link, State
from vlanlink.planning.operations import Operation
from vlanlink.topology import Topology, load

LONG = 1000
SHORT = 15
SHORT_IN_GUEST = 1


def bench(world: World) -> None:
    """A host with three NICs, of which eth1 is down."""
    for name in ("eth0", "eth1", "eth2"):
        world.batch(f"link add {name} type veth peer name far-{name}")
        Path(f"/proc/sys/net/ipv6/conf/far-{name}/disable_ipv6").write_text("1")
        # Without duplicate detection nothing changes by itself while states are compared.
        Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
        world.batch(f"link set far-{name} up" + ("" if name == "eth1" else f"\nlink set {name} up"))
    world.ip("addr add 192.0.2.1/24 dev eth0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
    until(lambda: _settled(world.ip("-6 addr")), "eth0 and eth2 have their addresses")


def _settled(text: str) -> bool:
    return "tentative" not in text and text.count("inet6 fe80:") == 2


def told(state: State) -> dict[str, Any]:
    """What a state says, without the kernel's numbers, and link-local addresses.

    Those come once there is a carrier, and ipvlan counts in them.
    """
    return {
        name: {
            "links": {link.name: _link(link) for link in space.links.values()},
            "routes": sorted(
                f"{route} {'ours' if route.ours else ''}"
                for route in space.routes
                if route.to != "fe80::/64"
            ),
            "owner": space.owner,
        }
        for name, space in state.namespaces.items()
    }


def _link(link: Link) -> dict[str, Any]:
    found: dict[str, Any] = {**link.settings, "kind": link.kind, "owner": link.owner}
    found |= {"parent": str(link.parent), "peer": str(link.peer), "labelled": link.labelled}
    if link.settings.get("disable_ipv6"):  # the rest of the policy is for nothing then
        found |= {"accept_ra": None, "accept_dad": None}
    if link.name != LOOPBACK:
        kept = [a for a in link.addresses if not a.link_local]
        found["addresses"] = sorted(f"{a.text} {'ours' if a.ours else ''}" for a in kept)
    return found


def went_well(before: Topology, after: Topology) -> None:
    """The property."""
    with own_world() as world:
        tasks = len(os.listdir("/proc/self/task"))
        try:
            bench(world)
            there_and_back(world, before, after)
        finally:
            # A thread that was joined may still be about to end; then no namespace can be left.
            until(lambda: len(os.listdir("/proc/self/task")) <= tasks, "threads end")


def there_and_back(world: World, before: Topology, after: Topology) -> None:
    fresh = dump(world, sysctls=False)

    assert vlanlink.up(before).topology == before.name
    again = vlanlink.up(before)
    told_nothing("up again", again.operations)

    vlanlink.up(after)
    edited = told(vlanlink.snapshot())

    vlanlink.down(before.name)
    left: list[str] = []

    def nothing_left() -> bool:
        left[:] = differences(fresh, dump(world, sysctls=False))
        return not left

    try:
        until(nothing_left)
    except AssertionError:
        raise AssertionError("left after down:\n" + "\n".join(left[:20])) from None

    vlanlink.up(after)
    from_nothing = told(vlanlink.snapshot())
    vlanlink.down(before.name)
    told_nothing("edited, and not as from nothing", differences(from_nothing, edited))


def told_nothing(what: str, lines: Sequence[object]) -> None:
    text = [line.describe() if isinstance(line, Operation) else str(line) for line in lines]
    assert not text, what + ":\n" + "\n".join(text)


def known_here(mapping: Table) -> Table:
    """Without the options that this kernel is too old for: those are refused, each by its name."""
    topology = load(mapping)
    lacking = list(too_new(topology, release()))
    if not lacking:
        return mapping
    with own_world() as world:
        bench(world)
        with pytest.raises(vlanlink.PrivilegeError) as refused:
            vlanlink.up(topology)
    assert refused.value.diagnostics == tuple(map(topology.diagnose, lacking))
    pruned = copy.deepcopy(mapping)
    for problem in lacking:
        table: Any = pruned
        for part in problem.path[:-1]:
            table = table[part]
        del table[problem.path[-1]]
    return pruned


def check(pair: tuple[Slots, Slots]) -> None:
    mappings = [slots.mapping() for slots in pair]
    assume(mappings[0] != mappings[1])
    for mapping in mappings:
        note(shown(mapping))
    went_well(*(load(known_here(mapping)) for mapping in mappings))


def run(kinds: tuple[str, ...], examples: int) -> None:
    """Hypothesis, with as many examples as fit; only a long run has the time to shrink."""
    phases = set(Phase) if examples == LONG else {Phase.explicit, Phase.generate}
    settings(max_examples=examples, phases=phases)(given(pair=topologies(kinds))(check))()


@pytest.mark.needs("macvlan", "veth")
def test_random_topologies_of_macvlan_and_veth(long_run: bool) -> None:
    run(("macvlan", "veth"), LONG if long_run else SHORT)


@pytest.mark.needs(*KINDS)
def test_random_topologies_of_every_kind(long_run: bool) -> None:
    run(tuple(KINDS), LONG if long_run else SHORT_IN_GUEST)
