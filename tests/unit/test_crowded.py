"""A process in a namespace can add as many addresses as it likes: work grows with their number.

The tests count how often two addresses are compared: a busy machine compares as many.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.test_growth import World, lines_run
from tests.unit.test_sight import observed
from vlanlink.desired.resolve import resolve
from vlanlink.model import Address, Link, LinkName, Namespace, State
from vlanlink.planning.plan import plan
from vlanlink.reconcile.lan import _new_addresses
from vlanlink.topology import empty

MANY = 300


def crowded(state: State, number: int) -> State:
    """The state, with addresses that somebody added to each endpoint."""
    more = tuple(
        Address(f"10.{n >> 8}.{n & 255}.{host}/32") for n in range(number // 2) for host in (1, 2)
    )
    spaces = {
        name: replace(
            space,
            links={
                key: replace(link, addresses=(*link.addresses, *more)) if key == "eth0" else link
                for key, link in space.links.items()
            },
        )
        for name, space in state.namespaces.items()
    }
    return State(spaces)


def compared(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    found = 0
    equal: Any = Address.__eq__

    def count(one: object, other: object) -> Any:
        nonlocal found
        found += 1
        return equal(one, other)

    with monkeypatch.context() as patched:
        patched.setattr(Address, "__eq__", count)
        work()
    return found


def announced(world: World, seen: State) -> object:
    """What ``up`` announces when it finds the addresses."""
    return list(_new_addresses(observed(world.text, seen, world.record), seen, ()))


VERBS: dict[str, Callable[[World, State], object]] = {
    "up": lambda world, seen: world.planned(world.topology, seen, world.record),
    "up of other addresses": lambda world, seen: world.planned(world.moved, seen, world.record),
    "announcements": announced,
    "down": lambda world, seen: world.planned(empty("office"), seen, world.record),
}


@pytest.mark.parametrize("verb", VERBS)
def test_addresses_are_not_compared_pair_by_pair(
    monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    world = World(1)
    one, two = (crowded(world.up, MANY * factor) for factor in (1, 2))
    few, more = (compared(monkeypatch, lambda s=s: VERBS[verb](world, s)) for s in (one, two))  # type: ignore[misc]
    assert more < 3 * few + MANY, (few, more)


def with_macvlans(state: State, number: int) -> State:
    """The state, with that many links of somebody else's on the parent."""
    links = {
        f"m{n}": Link(f"m{n}", "macvlan", "others", LinkName("", "eth0"), index=n + 2)
        for n in range(number)
    }
    return State({**state.namespaces, "others": Namespace("others", links=links)})


def test_others_links_are_not_compared_with_each_of_ours() -> None:
    def lines(size: int, crowd: int) -> int:
        seen = with_macvlans(worlds[size].up, crowd)
        return lines_run(lambda: VERBS["down"](worlds[size], seen))

    worlds = {size: World(size) for size in (8, 16)}
    lines(8, MANY)  # fills caches
    more = [lines(size, 2 * MANY) - lines(size, MANY) for size in worlds]
    assert abs(more[1] - more[0]) < MANY, more


def test_what_keeps_a_namespace_is_told_in_one_line() -> None:
    world = World(1)
    space = world.up.namespaces["n1"]
    links = {f"d{n}": Link(f"d{n}", "dummy", "n1", index=n + 9) for n in range(MANY)}
    seen = State({**world.up.namespaces, "n1": replace(space, links={**space.links, **links})})
    desired = resolve(empty("office"), seen, world.context(world.record)).desired
    (warning,) = plan(seen, desired, "office").warnings
    assert "d0, d1" in warning.message
    assert f"and {MANY - 8} more" in warning.message
    assert len(warning.message) < 200
