"""Shims on another topology's link, whose address the host reaches their endpoints from."""

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.world import World

ENDPOINTS = ("10.71.0.7", "2001:db8:71::7")
LAB = """
[topology]
name = "lab"
[networks.lan]
kind = "macvlan"
parent = "v0"
probe = false
shim = true
subnets = [{ subnet = "10.71.0.0/24" }, { subnet = "2001:db8:71::/64" }]
[namespaces.db.interfaces.eth0]
network = "lan"
addresses = ["10.71.0.7", "2001:db8:71::7"]
"""


def office(*addresses: str) -> vlanlink.Topology:
    peer = {"name": "w0", "namespace": "far"}
    link = {"kind": "veth", "peer": peer, "addresses": list(addresses)}
    heading = {"name": "office"}
    return vlanlink.load({"topology": heading, "links": {"v0": link}, "namespaces": {"far": {}}})


@pytest.mark.needs("macvlan", "veth")
@pytest.mark.parametrize("edit", [True, False], ids=["edit", "down"])
def test_the_address_of_the_parent_goes(world: World, *, edit: bool) -> None:
    before = dump(world)
    lab = vlanlink.load("/run/lab.toml", text=LAB)
    vlanlink.up(office("10.40.0.2/24", "2001:db8:40::2/64"))
    vlanlink.up(lab)
    for address in ENDPOINTS:
        world.reaches("", address)
    if edit:
        vlanlink.up(office("10.40.9.9/24", "2001:db8:49::9/64"))
    else:
        vlanlink.down("office")
    assert "10.40.0.2" not in world.ip("addr") + world.ip("route show table all")
    vlanlink.up(lab)
    assert vlanlink.status("lab").state == "up"
    for address in ENDPOINTS:
        world.reaches("", address)
    if edit:
        vlanlink.down("office")
    vlanlink.down("lab")
    same(world, before)
