"""Work grows with the number of endpoints, not with the number of pairs.

The tests count the lines that Python runs: a busy machine runs as many.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

import pytest

import vlanlink.dataclass
from tests.unit.golden import read_state
from tests.unit.simulated import carried_out
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import resolve
from vlanlink.model import State
from vlanlink.planning.plan import plan
from vlanlink.reconcile.records import places_of
from vlanlink.store.record import Record, Records
from vlanlink.topology import Topology, empty, parse

SIZE = 24
_DATACLASS = vlanlink.dataclass.__file__
BARE: dict[str, Any] = {"host": {"links": {"eth0": {"addresses": ["10.64.255.1/16"]}}}}
ENDPOINT = """
[namespaces.{0}{1}.interfaces.eth0]
network = "lan"
addresses = ["10.64.{2}.{1}"]
"""
NETWORK = """
[topology]
name = "{}"
[networks.lan]
kind = "macvlan"
parent = "eth0"
subnets = [{{ subnet = "10.64.0.0/16", gateway = "10.64.255.254" }}]
"""


def text(size: int, name: str = "office", letter: str = "n", third: int = 0) -> str:
    endpoints = (ENDPOINT.format(letter, number, third) for number in range(1, size + 1))
    return NETWORK.format(name) + "".join(endpoints)


def lines_run(work: Callable[[], object]) -> int:
    """The number of lines that ``work`` runs.

    Those of making instances don't count: a class compiles its ``__init__`` at one of the first.
    """
    found = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal found
        if frame.f_code.co_filename in (_DATACLASS, "<string>"):
            return None
        found += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return found


class World:
    """A topology of ``size`` endpoints, and the machine before and after ``up``."""

    def __init__(self, size: int) -> None:
        self.text = text(size)
        self.topology = parse(self.text)
        self.bare = read_state(BARE)
        before = resolve(self.topology, self.bare, self.context(None))
        todo = plan(self.bare, before.desired, self.topology.name)
        assert not todo.conflicts
        self.up = carried_out(self.bare, todo.operations)
        places = places_of(self.topology.name, self.up)
        self.record = replace(before.record, places=places)
        self.beside = parse(text(size, "other", letter="m", third=1))
        self.anothers = parse(text(size, "other"))
        self.moved = parse(text(size, third=1))

    def context(self, record: Record | None) -> Context:
        return Context(Records(record), identity="machine")

    def planned(self, topology: Topology, observed: State, record: Record | None) -> object:
        desired = resolve(topology, observed, self.context(record)).desired
        return plan(observed, desired, topology.name)


VERBS: dict[str, Callable[[World], object]] = {
    "validate": lambda world: parse(world.text),
    "up": lambda world: world.planned(world.topology, world.bare, None),
    "up again": lambda world: world.planned(world.topology, world.up, world.record),
    "up of a lost record": lambda world: world.planned(world.topology, world.up, None),
    "down": lambda world: world.planned(empty("office"), world.up, world.record),
    "record": lambda world: Record.from_dict(world.record.to_dict()),
    "up beside others": lambda world: world.planned(world.beside, world.up, None),
    "up of another's": lambda world: world.planned(world.anothers, world.up, None),
    "other addresses": lambda world: world.planned(world.moved, world.up, world.record),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_line_is_run_for_each_pair_of_endpoints(verb: str) -> None:
    """Of work that grows linearly the second difference is zero."""
    worlds = [World(SIZE * factor) for factor in (1, 2, 3)]
    VERBS[verb](worlds[0])  # fills caches
    one, two, three = (lines_run(partial(VERBS[verb], world)) for world in worlds)
    pairs = SIZE * SIZE
    assert abs(three - 2 * two + one) < pairs, (one, two, three)
