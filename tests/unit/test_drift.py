"""What a plan is told as: the causes, without what follows from them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.golden import Case, case_names, read_state
from vlanlink.planning.plan import plan
from vlanlink.watcher.drift import drifts

WEB: dict[str, Any] = {
    "owner": "office",
    "links": {
        "eth0": {
            "kind": "macvlan",
            "parent": "eth0.50",
            "mac": "02:42:ac:10:03:0f",
            "addresses": ["172.16.3.15/24", "172.16.3.16/24", "2001:db8:3::15/64"],
            "owner": "office",
        }
    },
    "routes": ["default via 172.16.3.1 dev eth0", "10.0.0.0/8 via 172.16.3.2 dev eth0"],
    "sysctls": {"net/ipv4/ip_forward": "1"},
}
VLAN = {"kind": "vlan", "parent": "eth0", "id": 50, "owner": "office"}
RIGHT: dict[str, Any] = {"host": {"links": {"eth0": {}, "eth0.50": VLAN}}, "web": WEB}


def _told(damage: Callable[[dict[str, Any]], object]) -> list[str]:
    machine = copy.deepcopy(RIGHT)
    damage(machine)
    todo = plan(read_state(machine), read_state(RIGHT), "office")
    return [str(drift) for drift in drifts(todo.operations)]


def _eth0(machine: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = machine["web"]["links"]["eth0"]
    return found


def test_nothing() -> None:
    assert _told(lambda _: None) == []


def test_a_namespace_with_all_that_was_in_it() -> None:
    assert _told(lambda m: m.pop("web")) == ["namespace web is gone"]


def test_a_link_with_its_addresses_and_routes() -> None:
    def damage(machine: dict[str, Any]) -> None:
        machine["web"] |= {"links": {}, "routes": []}

    assert _told(damage) == ["link web/eth0 is gone"]


def test_a_parent_with_what_was_on_it() -> None:
    def damage(machine: dict[str, Any]) -> None:
        del machine["host"]["links"]["eth0.50"]
        machine["web"] |= {"links": {}, "routes": []}

    assert _told(damage) == ["link eth0.50 is gone"]


def test_a_link_that_is_another_one() -> None:
    def damage(machine: dict[str, Any]) -> None:
        machine["host"]["links"]["eth0.50"] = {**VLAN, "id": 51}

    assert _told(damage) == ["link eth0.50 differs: id 51 → 50 needs a new link"]


def test_addresses_with_the_routes_that_went_along() -> None:
    def damage(machine: dict[str, Any]) -> None:
        del _eth0(machine)["addresses"][0]
        machine["web"]["routes"] = []

    # the second address is put on anew as well, to be the second again
    assert _told(damage) == ["address 172.16.3.15/24 of web/eth0 is gone"]


def test_a_route() -> None:
    def damage(machine: dict[str, Any]) -> None:
        del machine["web"]["routes"][1]

    assert _told(damage) == ["route 10.0.0.0/8 via 172.16.3.2 dev eth0 in web is gone"]


def test_what_was_added_under_our_mark() -> None:
    def damage(machine: dict[str, Any]) -> None:
        machine["web"]["routes"].append("10.9.0.0/16 via 172.16.3.2 dev eth0")
        machine["host"]["links"]["d0"] = {"kind": "dummy", "owner": "office"}
        machine["old"] = {"owner": "office"}

    assert _told(damage) == [
        "route 10.9.0.0/16 via 172.16.3.2 dev eth0 in web is not in the file",
        "link d0 is not in the file",
        "namespace old is not in the file",
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"up": False}, "link web/eth0 is down"),
        ({"mtu": 1400}, "mtu of web/eth0 is 1400, not 1500"),
        ({"mode": "vepa"}, "mode of web/eth0 is vepa, not bridge"),
        ({"owner": "office", "labelled": False}, "mark of web/eth0 is gone"),
    ],
)
def test_settings(settings: dict[str, Any], told: str) -> None:
    def damage(machine: dict[str, Any]) -> None:
        machine["web"]["links"]["eth0"] |= settings

    right = copy.deepcopy(RIGHT)
    _eth0(right)["mtu"] = 1500
    machine = copy.deepcopy(right)
    damage(machine)
    todo = plan(read_state(machine), read_state(right), "office")
    assert [str(drift) for drift in drifts(todo.operations)][-1] == told


def test_a_sysctl() -> None:
    def damage(machine: dict[str, Any]) -> None:
        machine["web"]["sysctls"]["net/ipv4/ip_forward"] = "0"

    assert _told(damage) == ["sysctl net.ipv4.ip_forward in web is 0, not 1"]


@pytest.mark.parametrize("name", case_names())
def test_every_plan_has_a_cause(name: str) -> None:
    operations = Case(name).todo.operations
    found = drifts(operations)
    assert bool(found) == bool(operations)
    assert not any(drift.how == "is pending" for drift in found)
