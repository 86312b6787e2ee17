"""The routing scenarios: a namespace, or the host, between two networks."""

import pytest

import vlanlink
from tests.kernel.examples import example
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.verified import measured, verified

pytestmark = pytest.mark.needs("macvlan")


@pytest.mark.needs("trunk", "vlan")
def test_s18_a_namespace_routes_between_two_vlans(trunk: Lan) -> None:
    world = trunk.world
    topology = example("18-router-namespace")
    vlanlink.up(topology)
    for space, own in (("web", 50), ("db", 60)):
        defaults = world.json("route show default", space) + world.json(
            "-6 route show default", space
        )
        assert [r["gateway"] for r in defaults] == [f"10.{own}.0.1", f"2001:db8:{own}::1"]
    assert world.json("route show default", "router") == []
    wire = trunk.capture("switch", "port1", "vlan")
    world.reaches("web", "10.50.0.1")
    world.reaches("web", "10.60.0.10")
    world.reaches("db", "2001:db8:50::10")
    joined = {("web", "db", "10.60.0.10"), ("db", "web", "2001:db8:50::10")}
    assert {verified(topology)[who] for who in joined} == {"reachable"}
    # Without the sysctls it is no router any more; they go back in the living namespace.
    sysctls = 'sysctls = { "net.ipv4.ip_forward" = 1, "net.ipv6.conf.all.forwarding" = 1 }'
    plan = vlanlink.up(example("18-router-namespace", (sysctls, "")))
    assert {(c.action, c.object, c.namespace) for c in plan.changes} == {
        ("change", "sysctl", "router")
    }
    world.reaches("web", "10.50.0.1")
    world.does_not_reach("web", "10.60.0.10")
    world.reaches("db", "2001:db8:60::1")
    world.does_not_reach("db", "2001:db8:50::10")
    found = vlanlink.verify(topology.name)
    assert found.ok
    assert {measured(found)[who] for who in joined} == {"unreachable"}
    # All of it stays on the host: macvlan siblings need no switch.
    assert "10.60.0.10 > " not in wire.text()


def test_s18_the_host_routes_between_two_networks(lan: Lan) -> None:
    world = lan.world
    lan.station("station", "10.20.1.50/24")
    before = dump(world)
    topology = example("18-router-host")
    forward = 'sysctls = { "net.ipv4.ip_forward" = 1 }'
    vlanlink.up(example("18-router-host", (forward, "")))
    assert world.run("sysctl -n net.ipv4.ip_forward").stdout == "0\n"
    world.reaches("web", "10.20.1.1")
    world.reaches("", "10.20.2.10")
    world.does_not_reach("web", "10.20.2.10")
    assert verified(topology)[("web", "db", "10.20.2.10")] == "unreachable"
    plan = vlanlink.up(topology)
    assert [(c.object, c.name, c.summary) for c in plan.changes] == [
        ("sysctl", "net.ipv4.ip_forward", "0 → 1")
    ]
    world.reaches("web", "10.20.2.10")
    world.reaches("db", "10.20.1.10")
    assert verified(topology)[("web", "db", "10.20.2.10")] == "reachable"
    world.ip("route add 10.20.2.0/24 via 10.20.1.1", "station")
    world.reaches("station", "10.20.2.10")
    vlanlink.down(topology.name)
    same(world, before)


HOSTED = """
[networks.hosted]
kind = "macvlan"
parent = "eth0"
subnets = [
  { subnet = "203.0.113.7/32", gateway = "10.99.0.1", onlink = true },
  { subnet = "2001:db8:7::7/128", gateway = "2001:db8:99::1", onlink = true },
]
[namespaces.web.interfaces.eth0]
network = "hosted"
addresses = ["203.0.113.7", "2001:db8:7::7"]
"""


def test_a_gateway_outside_its_subnet(lan: Lan) -> None:
    """As hosters have it: a single address, and a router in another subnet on the same wire."""
    world = lan.world
    lan.station("router", "10.99.0.1/24", "2001:db8:99::1/64")
    world.ip("addr add 192.0.2.1/32 dev lo", "router")
    world.ip("route add 203.0.113.7/32 dev eth0", "router")
    world.ip("-6 route add 2001:db8:7::7/128 dev eth0", "router")
    before = dump(world)
    with pytest.raises(vlanlink.TopologyError, match="onlink = true") as caught:
        vlanlink.load("/run/hosted.toml", text=HOSTED.replace(", onlink = true", ""))
    assert len(caught.value.diagnostics) == 2
    topology = vlanlink.load("/run/hosted.toml", text=HOSTED)
    vlanlink.up(topology)
    for family, gateway in (("", "10.99.0.1"), ("-6 ", "2001:db8:99::1")):
        (route,) = world.json(f"{family}route show default", "web")
        assert (route["gateway"], "onlink" in route["flags"]) == (gateway, True)
        world.reaches("web", gateway)
    world.reaches("web", "192.0.2.1")
    assert not vlanlink.plan(topology).changes
    vlanlink.down(topology)
    same(world, before)
