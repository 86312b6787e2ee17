"""Endpoints as users of Docker expect them."""

import sys

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World
from vlanlink.topology import parse

BECOME_NOBODY = """
import os, socket
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
"""
ROUTER = "10.9.1.254"
ON_THE_LAN = f"""
[topology]
name = "app"
[networks.net]
kind = "macvlan"
parent = "eth0"
subnets = [{{ subnet = "10.9.1.0/24", gateway = "{ROUTER}" }}]
[namespaces.web]
[namespaces.web.interfaces.eth0]
network = "net"
"""


def _broadcasts(world: World, dev: str) -> dict[str, str | None]:
    info = world.json(f"addr show dev {dev}", "web")[0]["addr_info"]
    return {a["local"]: a.get("broadcast") for a in info if a["family"] == "inet"}


@pytest.mark.needs("macvlan")
def test_ipv4_addresses_have_their_broadcast_address(lan: Lan) -> None:
    pair = """
        [links.v0]
        kind = "veth"
        addresses = ["10.5.0.8/31"]
        [links.v0.peer]
        name = "v1"
        namespace = "web"
        addresses = ["10.5.1.9/28", "10.5.0.9/31", "10.5.0.77/32"]
    """
    vlanlink.up(parse(ON_THE_LAN + pair))
    assert _broadcasts(lan.world, "eth0") == {"10.9.1.1": "10.9.1.255"}
    expected = {"10.5.1.9": "10.5.1.15", "10.5.0.9": None, "10.5.0.77": None}
    assert _broadcasts(lan.world, "v1") == expected


@pytest.mark.needs("macvlan")
def test_an_address_without_its_broadcast_address_is_drift(lan: Lan) -> None:
    world, topology = lan.world, parse(ON_THE_LAN)
    lan.router(f"{ROUTER}/24")
    vlanlink.up(topology)
    before = dump(world, "web")
    world.batch(
        "addr del 10.9.1.1/24 dev eth0\naddr add 10.9.1.1/24 dev eth0\n"
        f"route add default via {ROUTER} proto 118\n",
        "web",
    )
    assert _broadcasts(world, "eth0") == {"10.9.1.1": None}
    assert vlanlink.status(topology).state == "drifted"
    vlanlink.up(topology)
    same(world, before, "web")
    assert vlanlink.up(topology).operations == ()
    world.reaches("web", ROUTER)


@pytest.mark.needs("ipvlan", "dummy")
@pytest.mark.parametrize("mode", ["l3", "l3s"])
@pytest.mark.parametrize("internal", ["true", "false"])
def test_a_routed_network_without_a_parent_has_no_default_route(
    world: World, mode: str, internal: str
) -> None:
    topology = parse(f"""
        [topology]
        name = "app"
        [networks.net]
        kind = "ipvlan"
        mode = "{mode}"
        internal = {internal}
        subnets = [{{ subnet = "10.9.1.0/24" }}, {{ subnet = "10.9.2.0/24" }}]
        [namespaces.web.interfaces.eth0]
        network = "net"
        [namespaces.db.interfaces.eth0]
        network = "net"
        addresses = ["10.9.2.7"]
    """)
    vlanlink.up(topology)
    world.reaches("web", "10.9.2.7")
    refused = world.run("ping -n -c1 -W1 192.0.2.1", "web", check=False)
    assert "Network is unreachable" in refused.stderr
    assert {route["dst"] for route in world.json("route", "web")} == {"10.9.1.0/24", "10.9.2.0/24"}


PING = """
ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
ping.sendto(bytes([8, 0, 0, 0, 0, 0, 0, 1]), ("127.0.0.1", 0))
ping.settimeout(30)
ping.recv(100)
"""
LISTEN = 'socket.create_server(("", 80)).close()'


def _as_a_user(world: World, script: str) -> bool:
    done = world.run([sys.executable, "-c", BECOME_NOBODY + script], "web", check=False)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.needs("macvlan")
def test_every_user_may_use_ports_below_1024_and_ping(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(parse(ON_THE_LAN))
    before = dump(world, "web")
    assert [_as_a_user(world, script) for script in (PING, LISTEN)] == [False, False]
    new = ON_THE_LAN.replace("[namespaces.web]", "[namespaces.web]\nunprivileged = true")
    plan = vlanlink.up(parse(new))
    assert {(c.object, c.name) for c in plan.changes} == {
        ("sysctl", "net.ipv4.ip_unprivileged_port_start"),
        ("sysctl", "net.ipv4.ping_group_range"),
    }
    assert [_as_a_user(world, script) for script in (PING, LISTEN)] == [True, True]
    assert vlanlink.up(parse(new)).operations == ()
    vlanlink.up(parse(ON_THE_LAN))
    assert [_as_a_user(world, script) for script in (PING, LISTEN)] == [False, False]
    same(world, before, "web")


def test_a_sysctl_of_the_file_overrides_unprivileged(world: World) -> None:
    text = '[topology]\nname = "app"\n[namespaces.web]\nunprivileged = true\n'
    text += 'sysctls = { "net.ipv4.ip_unprivileged_port_start" = 80 }\n'
    vlanlink.up(parse(text))
    found = world.run("sysctl -n net.ipv4.ip_unprivileged_port_start", "web").stdout
    assert found.strip() == "80"
