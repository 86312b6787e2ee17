"""When a verb looks at namespaces that nobody names: ipvlan links in them leave no trace."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.golden import read_state
from tests.unit.simulated import carried_out
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import resolve
from vlanlink.model import State
from vlanlink.planning.plan import plan
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.records import places_of
from vlanlink.reconcile.sight import may_hide
from vlanlink.store.record import Record, Records
from vlanlink.topology import parse

BARE: dict[str, Any] = {"host": {"links": {"eth0": {}}}}
ONE = """
[topology]
name = "office"
[networks.lan]
kind = "ipvlan"
parent = "eth0"
subnets = [{ subnet = "10.64.0.0/16" }]
[namespaces.a.interfaces.eth0]
network = "lan"
"""
TWO = ONE + '[namespaces.b.interfaces.eth0]\nnetwork = "lan"\n'


def observed(text: str, state: State, record: Record | None) -> Observation:
    topology, context = parse(text), Context(Records(record), identity="machine")
    found = resolve(topology, state, context)
    todo = plan(state, found.desired, topology.name)
    assert not todo.conflicts
    return Observation(topology, state, found, todo, context)


def looks(text: str, state: State, record: Record | None) -> bool:
    return may_hide(observed(text, state, record), lambda _: frozenset())


@pytest.fixture(scope="module")
def up() -> tuple[State, Record]:
    seen = observed(ONE, read_state(BARE), None)
    state = carried_out(seen.observed, seen.todo.operations)
    return state, replace(seen.resolution.record, places=places_of("office", state))


def test_the_first_link_of_its_kind_sets_the_mode_of_all() -> None:
    assert looks(ONE, read_state(BARE), None)
    assert not looks(ONE.replace("ipvlan", "macvlan"), read_state(BARE), None)


def test_another_one_of_the_same_mode_changes_nothing(up: tuple[State, Record]) -> None:
    assert not looks(ONE, *up)
    assert not looks(TWO, *up)


def test_what_is_not_ours_says_nothing_of_the_rest(up: tuple[State, Record]) -> None:
    state, _ = up
    space = state.namespaces["a"]
    link = replace(space.links["eth0"], owner=None, addresses=())
    foreign = replace(space, links={"eth0": link}, owner=None)
    state = replace(state, namespaces={**state.namespaces, "a": foreign})
    assert looks(TWO.replace("spaces.a.", "spaces.c.").replace("office", "lab"), state, None)


@pytest.mark.parametrize("option", ['mode = "l3"', 'flag = "private"'])
def test_an_edited_mode_is_that_of_all(up: tuple[State, Record], option: str) -> None:
    assert looks(ONE.replace("subnets", f"{option}\nsubnets"), *up)
