"""The VLAN scenarios on a switch with VLANs: what is on the wire, who reaches whom."""

import pytest

import vlanlink
from tests.kernel.examples import example
from tests.kernel.judge import dump, same
from tests.kernel.lan import SWITCH, Lan
from tests.kernel.verified import verified, who

pytestmark = pytest.mark.needs("trunk", "vlan", "macvlan")


def test_s2_three_networks_on_one_nic(trunk: Lan) -> None:
    world = trunk.world
    trunk.router("172.16.2.1/24")
    trunk.router("172.16.3.1/24", vlan=50)
    trunk.router("172.16.4.1/24", vlan=60)
    world.run("sysctl -qw net.ipv4.ip_forward=0", "router")
    wire = trunk.capture(SWITCH, "port1", "icmp or (vlan and icmp)")
    vlanlink.up(example("02-three-networks"))
    for vlan in (50, 60):
        link = world.link(f"eth0.{vlan}")
        assert link["link"] == "eth0"
        assert link["linkinfo"]["info_kind"] == "vlan"
        assert (link["linkinfo"]["info_data"]["id"], "UP" in link["flags"]) == (vlan, True)
        assert link["linkinfo"]["info_data"]["protocol"] == "802.1Q"
    world.reaches("nginx", "172.16.2.8")
    world.reaches("nginx", "172.16.2.1")
    world.reaches("kodexplorer1", "172.16.3.16")
    world.reaches("kodexplorer1", "172.16.3.1")
    world.reaches("mongodb1", "172.16.4.21")
    world.reaches("mongodb1", "172.16.4.1")
    wire.saw("172.16.2.12 > 172.16.2.1")
    wire.saw("172.16.4.20 > 172.16.4.1")
    for line in wire.text().splitlines():
        if "> 172.16.3.1:" in line or "> 172.16.4.1:" in line:
            assert ("vlan 50" if "> 172.16.3.1:" in line else "vlan 60") in line
        elif "> 172.16.2.1:" in line:
            assert "vlan" not in line
    # The neighbours of another network are beyond the router, which does not route yet.
    for namespace, address in (("nginx", "172.16.3.15"), ("kodexplorer1", "172.16.4.20")):
        world.does_not_reach(namespace, address)
    found = vlanlink.verify("three-networks")
    across = ("nginx", "kodexplorer1", "172.16.3.15")
    assert found.ok
    assert {who(check): check.reached for check in found.unjudged}[across] is False
    world.run("sysctl -qw net.ipv4.ip_forward=1", "router")
    world.reaches("nginx", "172.16.3.15")
    world.reaches("kodexplorer1", "172.16.4.20")
    assert verified(example("02-three-networks"))[("nginx", "mysql", "172.16.2.8")] == "reachable"
    found = vlanlink.verify("three-networks")
    assert {who(check): check.reached for check in found.unjudged}[across] is True


@pytest.mark.needs("ipvlan")
def test_s4_vlans_that_were_there_stay_those_that_were_made_go(trunk: Lan) -> None:
    world = trunk.world
    world.batch(
        "link add link eth0 name eth0.50 type vlan id 50\n"
        "link set eth0.50 addrgenmode none\n"  # no link-local address to wait for
        "link set eth0.50 up"
    )
    trunk.router("192.168.50.1/24", vlan=50)
    trunk.router("192.168.60.1/24", vlan=60)
    before = dump(world)
    topology = example("04-trunk-two-kinds")
    made = [c.name for c in vlanlink.up(topology).changes if c.object == "link"]
    assert "eth0.60" in made
    assert "eth0.50" not in made
    for vlan, low in ((50, 11), (60, 21)):
        world.reaches(f"a{vlan}", f"192.168.{vlan}.{low + 1}")
        world.reaches(f"a{vlan}", f"192.168.{vlan}.1")
    kinds = {n: world.link("eth0", n)["linkinfo"]["info_kind"] for n in ("a50", "a60")}
    assert kinds == {"a50": "macvlan", "a60": "ipvlan"}
    vlanlink.down(topology.name)
    assert world.names() == {"lo", "eth0", "eth0.50"}
    same(world, before)


def test_trunk_both_vlans_are_made_and_go(trunk: Lan) -> None:
    world = trunk.world
    trunk.station("station50", "192.168.50.9/24", vlan=50)
    trunk.station("station60", "192.168.60.9/24", vlan=60)
    before = dump(world)
    topology = example("trunk")
    vlanlink.up(topology)
    world.reaches("web1", "192.168.50.12")
    world.reaches("station50", "192.168.50.11")
    world.reaches("db1", "192.168.60.22")
    world.reaches("station60", "192.168.60.21")
    # The same subnet does not make it the same wire: VLAN 60 does not hear VLAN 50.
    world.batch("addr add 192.168.50.60/24 dev eth0", "db1")
    world.does_not_reach("db1", "192.168.50.11")
    vlanlink.down(topology.name)
    assert world.names() == {"lo", "eth0"}
    same(world, before)
