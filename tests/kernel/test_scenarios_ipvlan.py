"""The ipvlan scenarios on the simulated LAN: one MAC for all, and routing without neighbours."""

import json
import re
from typing import Any

import pytest

import vlanlink
from tests.kernel.examples import example
from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.verified import verified
from tests.kernel.world import World

pytestmark = pytest.mark.needs("ipvlan")

A, B = "192.168.214.10", "10.1.214.10"
HOST, STATION = "172.16.20.5", "172.16.20.9"


def _mode(world: World, name: str, namespace: str) -> str:
    link = world.link(name, namespace)
    assert link["address"] == HOST_MAC
    assert link["linkinfo"]["info_kind"] == "ipvlan"
    mode: str = link["linkinfo"]["info_data"]["mode"]
    return mode


def test_s5_two_subnets_two_gateways_one_mac(lan: Lan) -> None:
    world = lan.world
    lan.router("192.168.210.254/24", "192.168.212.254/24")
    vlanlink.up(example("05-ipvlan-two-subnets"))
    for namespace in ("a210", "b210", "a212", "b212"):
        assert _mode(world, "eth0", namespace) == "l2"
    world.reaches("a210", "192.168.210.9")
    world.reaches("b210", "192.168.210.254")
    world.reaches("a212", "192.168.212.9")
    world.reaches("b212", "192.168.212.254")
    for namespace, gateway in (("a210", "192.168.210.254"), ("a212", "192.168.212.254")):
        routes = world.json("route", namespace)
        assert [r["gateway"] for r in routes if r["dst"] == "default"] == [gateway]
    found = verified(example("05-ipvlan-two-subnets"))
    assert found[("a210", "b210", "192.168.210.9")] == "reachable"
    assert found[("a212", "gateway", "192.168.212.254")] == "reachable"
    parent = world.link("eth0")
    assert (parent["promiscuity"], "PROMISC" in parent["flags"]) == (0, False)
    heard = _hear_broadcast(world, "router", "a210", "b210")
    assert heard == {"192.168.210.10", "192.168.210.9"}
    macs = {n["lladdr"] for n in world.json("neigh", "router") if n["dst"].startswith("192.168")}
    assert macs == {HOST_MAC}


def test_s11_two_links_by_hand(lan: Lan) -> None:
    world = lan.world
    lan.station("station", "172.16.10.9/24")
    vlanlink.up(example("11-ipvlan-by-hand"))
    assert _mode(world, "ipvlan1", "ns1") == "l2"
    assert _mode(world, "ipvlan2", "ns2") == "l2"
    assert world.addresses("ipvlan1", "ns1") == ["172.16.10.5/24"]
    world.reaches("ns1", "172.16.10.6")
    world.reaches("ns2", "172.16.10.5")
    world.reaches("station", "172.16.10.5")


COUNTERS = f"""
table inet judge {{
  chain input {{
    type filter hook input priority 0;
    ip daddr {{ {A}, {B} }} icmp type echo-request counter
  }}
}}
"""


@pytest.mark.needs("nftables")
@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_s12_s13_routed_endpoints(lan: Lan, mode: str) -> None:
    world = lan.world
    lan.station("station", f"{STATION}/24")
    world.ip(f"addr add {HOST}/24 dev eth0")
    world.run("nft -f -", stdin=COUNTERS)
    topology = example("12-ipvlan-l3" if mode == "l3" else "13-ipvlan-l3s")
    vlanlink.up(topology)
    assert (_mode(world, "eth0", "a"), _mode(world, "eth0", "b")) == (mode, mode)
    for namespace in ("a", "b"):
        assert "NOARP" in world.link("eth0", namespace)["flags"]
        defaults = [r for r in world.json("route", namespace) if r["dst"] == "default"]
        assert [(r["dev"], r.get("gateway")) for r in defaults] == [("eth0", None)]
    wire = lan.capture("switch", "port1", "arp or icmp")

    # Between the endpoints, and with the host by way of its own link.
    world.reaches("a", B)
    world.reaches("b", A)
    world.reaches("", A)
    world.reaches("a", HOST)
    found = verified(topology)
    joined = (("a", "b", B), ("b", "a", A), ("host", "a", A), ("a", "host", HOST))
    assert {found[who] for who in joined} == {"reachable"}

    # The LAN gets an endpoint's packets, and its answers need a return route.
    world.reaches("station", HOST)
    world.does_not_reach("a", STATION)
    wire.saw(f"{A} > {STATION}: ICMP echo request")
    world.batch(f"route add {A}/32 via {HOST}\nroute add {B}/32 via {HOST}", "station")
    world.reaches("a", STATION)
    world.reaches("station", B)

    # A broadcast reaches the host, and no endpoint: it has no neighbours.
    assert _hear_broadcast(world, "station", "", "a", "b") == {HOST}
    world.reaches("station", A)
    wire.saw(f"{STATION} > 255.255.255.255: ICMP echo request")
    asked = [line for line in wire.text().splitlines() if "ARP" in line]
    assert asked, "the LAN itself has neighbours"
    assert [line for line in asked if A in line or B in line] == []

    # The host's netfilter is on the way of what comes in in l3s, not in l3.
    seen = world.run("nft -j list table inet judge").stdout
    packets = [e["counter"]["packets"] for e in _expressions(seen) if "counter" in e]
    assert [count > 0 for count in packets] == [mode == "l3s"]


@pytest.mark.needs("ipvlan", "macvlan")
def test_a_router_in_the_topology_finds_all_subnets_of_a_routed_network(lan: Lan) -> None:
    """Its default route leads elsewhere, so it needs routes to the subnets it is not in."""
    world = lan.world
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    text = (
        '[networks.far]\nkind = "ipvlan"\nmode = "l3"\nparent = "eth1"\n'
        'subnets = [{ subnet = "10.1.0.0/24" }, { subnet = "10.2.0.0/24" }]\n'
        '[networks.near]\nkind = "macvlan"\nparent = "eth0"\nprobe = false\n'
        'subnets = [{ subnet = "172.16.9.0/24", gateway = "172.16.9.1" }]\n'
        "[namespaces.r.interfaces]\n"
        'eth0 = { network = "near", addresses = ["172.16.9.2"] }\n'
        'eth1 = { network = "far", addresses = ["10.1.0.1"] }\n'
        '[namespaces.b.interfaces.eth0]\nnetwork = "far"\naddresses = ["10.2.0.10"]\n'
    )
    vlanlink.up(vlanlink.load("/run/router.toml", text=text))
    routes = {(r["dst"], r["dev"], r.get("gateway")) for r in world.json("route", "r")}
    assert ("default", "eth0", "172.16.9.1") in routes
    assert ("10.2.0.0/24", "eth1", None) in routes
    world.reaches("r", "10.2.0.10")
    world.reaches("b", "10.1.0.1")


def _hear_broadcast(world: World, asks: str, *namespaces: str) -> set[str]:
    """The addresses from which ``namespaces`` answer a broadcast on the wire, all told to."""
    for namespace in namespaces:
        world.run("sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0", namespace)
    words = "ping -n -b -c2 -i0.3 -W1 -I eth0 255.255.255.255"
    answers = world.run(words, asks, check=False).stdout
    return set(re.findall(r"bytes from ([0-9.]+):", answers))


def _expressions(listing: str) -> list[dict[str, Any]]:
    rows = json.loads(listing)["nftables"]
    return [expr for row in rows if "rule" in row for expr in row["rule"]["expr"]]
