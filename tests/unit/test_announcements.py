"""Whom ``up`` tells the LAN about: what it was asked for, however much somebody else adds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.test_crowded import crowded
from tests.unit.test_growth import World
from tests.unit.test_sight import observed
from vlanlink.kernel.packet.announce import Announcement
from vlanlink.model import Link, State
from vlanlink.reconcile.lan import announce
from vlanlink.reconcile.observation import Observation

MANY = 1000
FEW = 100


class Told:
    """The session of a machine that keeps what is announced."""

    def __init__(self) -> None:
        self.machine = self
        self.found: list[str] = []

    def unicast_macs(self, _parents: object) -> frozenset[str]:
        return frozenset()

    def announce(self, new: Sequence[Announcement], **_: Any) -> dict[Announcement, str]:
        self.found += [each.address for each in new]
        return {}


def told(seen: Observation, now: State) -> list[str]:
    session: Any = Told()
    assert not announce(session, seen, now, {}, None)
    found: list[str] = session.found
    return found


def renamed(state: State, mac: str) -> State:
    """The state, with another MAC at the endpoint."""
    space = state.namespaces["n1"]
    link = space.links["eth0"]
    links = {**space.links, "eth0": replace(link, settings={**link.settings, "mac": mac})}
    return State({**state.namespaces, "n1": replace(space, links=links)})


@pytest.fixture(scope="module")
def world() -> World:
    return World(1)


def eth0(state: State) -> Link:
    return state.namespaces["n1"].links["eth0"]


def test_new_endpoints_are_announced(world: World) -> None:
    assert told(observed(world.text, world.bare, None), world.up) == ["10.64.0.1"]


def test_addresses_that_a_process_adds_during_a_run_are_not(world: World) -> None:
    new = observed(world.text, world.bare, None)
    assert told(new, crowded(world.up, MANY)) == ["10.64.0.1"]
    same = observed(world.text, world.up, world.record)
    assert told(same, crowded(world.up, MANY)) == []


@pytest.mark.parametrize("number", [2, MANY])
def test_a_repaired_mac_is_told_for_a_few_others_too(world: World, number: int) -> None:
    """Neighbours know the wrong MAC for those as well."""
    before = renamed(crowded(world.up, number), "02:00:00:00:00:99")
    found = told(observed(world.text, before, world.record), crowded(world.up, number))
    assert found[:3] == ["10.64.0.1", "10.0.0.1", "10.0.0.2"]
    assert len(found) < FEW
    assert set(found) <= {address.bare for address in eth0(crowded(world.up, number)).addresses}


def test_a_namespace_set_aside_is_not_announced(world: World) -> None:
    before = crowded(world.up, 2)
    seen = observed(world.text, before, world.record)
    aside = replace(seen, context=replace(seen.context, aside=frozenset({"n1"})))
    assert told(aside, renamed(before, "02:00:00:00:00:99")) == []
