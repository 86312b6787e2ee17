"""Servers with odd answers: an endpoint gets what is usable of them, and nothing fails."""

from collections.abc import Iterator

import pytest

import vlanlink
from tests.kernel.dhcp_lan import SERVER, Dnsmasq, end_keepers
from tests.kernel.lan import Lan
from tests.kernel.wire import ready
from tests.kernel.world import World

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture(autouse=True)
def nothing_left(world: World) -> Iterator[None]:  # noqa: ARG001 - before its namespaces go
    """Keepers end with their test, whether it takes its topology down or not."""
    yield
    end_keepers()


OFFICE = """
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
dhcp = true
probe = false
[namespaces.web.interfaces.eth0]
network = "pub"
"""
ROUTES = {
    "its own subnet, on the link": "192.168.77.0/24,0.0.0.0",
    "its own subnet, by a router": "192.168.77.0/24,192.168.77.1",
    "a part of it": "192.168.77.128/25,192.168.77.1",
    "its router alone, on the link": "192.168.77.1/32,0.0.0.0",
    "a router elsewhere": "10.0.0.0/8,172.16.9.9",
    "itself as the router": "10.0.0.0/8,192.168.77.100",
    "a multicast group": "224.0.0.0/4,192.168.77.1",
    "everything, on the link": "0.0.0.0/0,0.0.0.0",
    "the host's own": "127.0.0.0/8,192.168.77.1",
    "this network": "0.0.0.0/8,192.168.77.1",
    "its own address": "192.168.77.100/32,192.168.77.1",
    "the address of its broadcasts": "192.168.77.255/32,192.168.77.1",
    "broadcasts": "255.255.255.255/32,192.168.77.1",
}


def test_routes_that_are_odd_harm_nothing(lan: Lan) -> None:
    ready(lan)
    routes = ",".join((*ROUTES.values(), f"172.31.0.0/16,{SERVER}"))
    only = "192.168.77.100,192.168.77.100"
    Dnsmasq(lan, f"--dhcp-option=121,{routes}", given=only)
    office = vlanlink.load("/run/office.toml", text=OFFICE)
    vlanlink.up(office)
    assert f"172.31.0.0/16 via {SERVER}" in lan.world.ip("route", "web")
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.plan(office).changes
    lan.world.run(f"ping -c1 -W5 {SERVER}", "web")
