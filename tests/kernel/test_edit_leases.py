"""Addresses that are handed out: whose they are while a topology is down, and what is reserved."""

import pytest

import vlanlink
from tests.kernel.command_line import Cli
from tests.kernel.edit_files import endpoint, load, network
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")


def leaving_out(name: str, space: str, more: str = "", address: str = "") -> vlanlink.Topology:
    return load(network(more) + endpoint(space, address), name)


def test_a_lease_is_of_its_topology_while_that_is_down(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(leaving_out("a", "one"))
    assert world.addresses("eth0", "one") == ["10.77.0.1/24"]
    vlanlink.down("a")
    vlanlink.up(leaving_out("b", "two"))
    assert world.addresses("eth0", "two") == ["10.77.0.2/24"]
    vlanlink.up(leaving_out("a", "one"))
    assert world.addresses("eth0", "one") == ["10.77.0.1/24"]


def test_a_fixed_address_that_is_leased_names_the_topology(lan: Lan) -> None:  # noqa: ARG001
    vlanlink.up(leaving_out("office", "one"))
    vlanlink.down("office")
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.plan(leaving_out("b", "two", "", 'addresses = ["10.77.0.1"]'))
    assert "office" in str(caught.value)
    assert "10.77.0.1" in str(caught.value)


def test_a_range_full_of_leases_names_the_topology(lan: Lan) -> None:  # noqa: ARG001
    only = 'ip_range = "10.77.0.9/32"'
    vlanlink.up(leaving_out("office", "one", only))
    vlanlink.down("office")
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.plan(leaving_out("b", "two", only))
    assert "office" in str(caught.value)


def test_a_lease_is_released(lan: Lan, cli: Cli) -> None:
    world = lan.world
    vlanlink.up(leaving_out("a", "one"))
    vlanlink.down("a")
    assert "10.77.0.1" in cli.run("leases")
    assert "10.77.0.1" in cli.run("leases a")
    cli.run("leases a --release 10.77.0.1")
    assert "10.77.0.1" not in cli.run("leases a")
    vlanlink.up(leaving_out("b", "two"))
    assert world.addresses("eth0", "two") == ["10.77.0.1/24"]
    cli.run("leases b --release 10.77.0.99", code=2)


@pytest.mark.parametrize("over_down", [False, True])
def test_a_lease_outside_the_edited_range_moves(lan: Lan, *, over_down: bool) -> None:
    world = lan.world
    vlanlink.up(leaving_out("a", "one"))
    if over_down:
        vlanlink.down("a")
    after = leaving_out("a", "one", 'ip_range = "10.77.0.128/25"')
    told = {(c.action, c.name) for c in vlanlink.plan(after).changes if c.object == "address"}
    gone = set() if over_down else {("delete", "10.77.0.1/24")}
    assert told == {("create", "10.77.0.128/24"), *gone}
    vlanlink.up(after)
    assert world.addresses("eth0", "one") == ["10.77.0.128/24"]


def test_a_lease_within_the_edited_range_stays(lan: Lan) -> None:
    vlanlink.up(leaving_out("a", "one"))
    assert vlanlink.up(leaving_out("a", "one", 'ip_range = "10.77.0.0/25"')).changes == ()
    assert lan.world.addresses("eth0", "one") == ["10.77.0.1/24"]


# -- 12: what other networks reserve ---------------------------------------------------------------

ROUTED = 'gateway = "10.77.0.1", aux_addresses = { printer = "10.77.0.2" }'


def test_another_networks_gateway_is_not_handed_out(lan: Lan) -> None:
    text = network(ROUTED) + network(name="m") + endpoint("one", of="m")
    vlanlink.up(load(text))
    assert lan.world.addresses("eth0", "one") == ["10.77.0.3/24"]


def test_another_topologys_gateway_is_not_handed_out(lan: Lan) -> None:
    vlanlink.up(load(network(ROUTED) + endpoint("two", 'addresses = ["10.77.0.9"]'), "first"))
    vlanlink.up(load(network(name="m") + endpoint("one", of="m"), "second"))
    assert lan.world.addresses("eth0", "one") == ["10.77.0.3/24"]


def test_a_gateway_on_another_parent_is_free(lan: Lan) -> None:
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    text = network(ROUTED) + network(name="m", parent="eth1") + endpoint("one", of="m")
    vlanlink.up(load(text))
    assert lan.world.addresses("eth0", "one") == ["10.77.0.1/24"]
