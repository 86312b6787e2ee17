"""Routes of others with the destination and metric of ours."""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.faults import refusal
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.watching import watching
from tests.kernel.world import World, until

pytestmark = pytest.mark.needs("macvlan")

ROUTER = "10.77.0.1"
FILE = Path("/run/office.toml")
TEXT = f"""
[topology]
name = "office"
[networks.lan]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{{ subnet = "10.77.0.0/24", gateway = "{ROUTER}" }}]
[namespaces.web]
[namespaces.web.interfaces.net1]
network = "lan"
addresses = ["10.77.0.21"]
"""


def _topology(text: str = TEXT) -> vlanlink.Topology:
    FILE.write_text(text)
    return vlanlink.load(FILE)


@pytest.fixture
def container(lan: Lan) -> World:
    """A container "web", and its link to the host."""
    world = lan.world
    lan.router(f"{ROUTER}/24")
    world.make_place("web")
    world.batch(
        "link add ve0 type veth peer name ve1\naddr add 172.17.0.1/16 dev ve0\nlink set ve0 up\n"
        f"link set ve1 netns {world.places['web']} name eth0\n"
    )
    world.batch("addr add 172.17.0.2/16 dev eth0\nlink set eth0 up", "web")
    return world


OTHERS = {
    "default via 172.17.0.1 dev eth0": "protocol boot",
    "default via 172.17.0.1 dev eth0 proto dhcp": "protocol dhcp",
    "default proto static nexthop via 172.17.0.1 nexthop via 172.17.0.9": "protocol static",
}


@pytest.mark.parametrize("route", OTHERS)
def test_a_containers_own_default_route_is_named(container: World, route: str) -> None:
    container.ip(f"route add {route}", "web")
    text = TEXT.replace("[namespaces.web]", '[namespaces.web]\npath = "/run/places/web"', 1)
    before = dump(container, "web")
    for verb in (vlanlink.plan, vlanlink.up):
        with pytest.raises(vlanlink.ConflictError) as caught:
            verb(_topology(text))
        (error,) = caught.value.diagnostics
        assert f"default via 172.17.0.1 dev eth0 ({OTHERS[route]})" in error.message
        assert error.line == text[: text.index("net1]")].count("\n") + 1
    same(container, before, "web")
    for key in ("default_route = false", "default_route = { metric = 100 }"):
        assert key in str(error.hint)
        vlanlink.up(_topology(text + key))
        container.reaches("web", ROUTER)
        container.reaches("web", "172.17.0.1")
        vlanlink.down("office")
        same(container, before, "web")


def test_routes_for_a_source_or_a_tos_are_in_nobodys_way(container: World) -> None:
    container.ip("route add default via 172.17.0.1 dev eth0 tos 0x10", "web")
    text = TEXT.replace("[namespaces.web]", '[namespaces.web]\npath = "/run/places/web"', 1)
    vlanlink.up(_topology(text))
    assert vlanlink.status("office").state == "up"


def test_on_a_link_of_ours_it_is_drift(lan: Lan) -> None:
    """As a DHCP client or an administrator replaces it."""
    world, topology = lan.world, _topology()
    lan.router(f"{ROUTER}/24")
    vlanlink.up(topology)
    before = dump(world, "web")
    world.ip("route replace default via 10.77.0.9 proto dhcp", "web")
    drifted = dump(world, "web")
    with refusal(1, 0) as fault, pytest.raises(vlanlink.ApplyError):
        vlanlink.up(topology)
    assert fault.refused == ["message 24"]
    same(world, drifted, "web")
    changes = [change.summary for change in vlanlink.up(topology).changes]
    assert changes == ["via 10.77.0.9 dev net1", f"via {ROUTER} dev net1"]
    same(world, before, "web")


def test_watch_replaces_it_once(lan: Lan) -> None:
    world = lan.world
    lan.router(f"{ROUTER}/24")
    with watching(_topology()) as events:
        world.ip("route replace default via 10.77.0.9", "web")
        until(lambda: events[-1].event == "repaired", f"{events}")
        world.reaches("web", ROUTER)
        assert [event.event for event in events] == ["up", "drift", "repaired"]
        assert events[1].what == (
            "route default via 10.77.0.9 dev net1 in web is not in the file",
            f"route default via {ROUTER} dev net1 in web is gone",
        )


def test_watch_waits_where_it_is_in_the_way(lan: Lan) -> None:
    """It says so once, and goes on when the route goes."""
    world = lan.world
    lan.router(f"{ROUTER}/24")
    vlanlink.up(_topology())
    world.ip("link add v0 type veth peer name v1", "web")
    world.batch("addr add 192.0.2.1/24 dev v0\nlink set v0 up\nlink set v1 up", "web")
    world.ip("route replace default via 192.0.2.2 dev v0", "web")
    with watching(_topology()) as events:
        assert [event.event for event in events] == ["blocked"]
        assert "default via 192.0.2.2 dev v0" in events[0].diagnostics[0].message
        world.ip("route add 203.0.113.0/24 via 192.0.2.2", "web")
        world.ip("route del default", "web")
        until(lambda: events[-1].event in ("up", "repaired"), f"{events}")
        assert [event.event for event in events][:1] == ["blocked"]
        assert [event.event for event in events].count("blocked") == 1
        world.reaches("web", ROUTER)
