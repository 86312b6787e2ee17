"""The whole way once: a topology comes up, is there, and goes away without a trace."""

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")

TOPOLOGY = """
[topology]
name = "walk"
[networks.pub]
kind = "macvlan"
probe = false
parent = "eth0"
subnets = [{ subnet = "172.16.86.0/24", gateway = "172.16.86.1" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.86.10"]
mac = "02:42:ac:10:56:0a"
"""


def load(text: str, file: str = "/run/test.toml") -> vlanlink.Topology:
    return vlanlink.load(file, text=text)


def test_up_makes_what_the_file_says(lan: Lan) -> None:
    lan.router("172.16.86.1/24")
    vlanlink.up(load(TOPOLOGY))
    link = lan.world.link("eth0", "one")
    assert link["linkinfo"]["info_kind"] == "macvlan"
    assert link["linkinfo"]["info_data"]["mode"] == "bridge"
    assert link["address"] == "02:42:ac:10:56:0a"
    assert "UP" in link["flags"]
    assert link["ifalias"] == "vlanlink:walk"
    assert lan.world.addresses("eth0", "one") == ["172.16.86.10/24"]
    routes = lan.world.json("route", "one")
    assert [r["gateway"] for r in routes if r["dst"] == "default"] == ["172.16.86.1"]
    assert lan.world.namespaces() == {"one"}
    lan.world.reaches("one", "172.16.86.1")


def test_up_again_changes_nothing(lan: Lan) -> None:
    assert vlanlink.up(load(TOPOLOGY)).changes
    before = dump(lan.world, "one")
    again = vlanlink.up(load(TOPOLOGY))
    assert again.operations == ()
    assert again.changes == ()
    same(lan.world, before, "one")


def test_down_leaves_no_trace(lan: Lan) -> None:
    before = dump(lan.world)
    vlanlink.up(load(TOPOLOGY))
    vlanlink.down("walk")
    same(lan.world, before)


def test_a_parent_that_was_down_goes_down_again(lan: Lan) -> None:
    lan.world.ip("link set eth0 down")
    before = dump(lan.world)
    vlanlink.up(load(TOPOLOGY))
    assert "UP" in lan.world.link("eth0")["flags"]
    vlanlink.down("walk")
    same(lan.world, before)


def test_a_foreign_namespace_of_the_name_is_used_and_stays(lan: Lan) -> None:
    lan.world.ip("netns add one")
    before = dump(lan.world, "one")
    vlanlink.up(load(TOPOLOGY))
    assert lan.world.addresses("eth0", "one") == ["172.16.86.10/24"]
    vlanlink.down("walk")
    same(lan.world, before, "one")


def test_a_foreign_link_of_the_name_is_never_touched(lan: Lan) -> None:
    lan.world.ip("netns add one")
    lan.world.ip("link add eth0 type veth peer name other", "one")
    before = dump(lan.world, "one")
    with pytest.raises(vlanlink.ConflictError, match="link eth0 in namespace one already exists"):
        vlanlink.up(load(TOPOLOGY))
    same(lan.world, before, "one")


def test_up_right_after_down_waits_for_the_macs(lan: Lan) -> None:
    """The kernel keeps a MAC busy until the namespace that held it is cleaned up."""
    for _ in range(5):
        vlanlink.up(load(TOPOLOGY))
        vlanlink.down("walk")
    vlanlink.up(load(TOPOLOGY))
    routes = lan.world.json("route", "one")
    assert [r["gateway"] for r in routes if r["dst"] == "default"] == ["172.16.86.1"]
