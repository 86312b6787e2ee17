"""DHCP on ipvlan l2, whose endpoints share a MAC: by client ids, with broadcast replies."""

from collections.abc import Iterator

import pytest

import vlanlink
from tests.kernel.attaching import inside, start_container
from tests.kernel.dhcp_lan import SERVER, Dnsmasq, end_keepers
from tests.kernel.lan import Lan
from tests.kernel.wire import ready
from tests.kernel.world import World, until

pytestmark = pytest.mark.needs("ipvlan")


@pytest.fixture(autouse=True)
def nothing_left(world: World) -> Iterator[None]:  # noqa: ARG001 - before its namespaces go
    """Keepers end with their test, whether it takes its topology down or not."""
    yield
    end_keepers()


TEXT = """
[topology]
name = "office"
[networks.pub]
kind = "ipvlan"
parent = "eth0"
dhcp = true
[namespaces.web.interfaces.eth0]
network = "pub"
[namespaces.db.interfaces.eth0]
network = "pub"
"""


def test_endpoints_with_one_mac_get_addresses_of_their_own(lan: Lan) -> None:
    lan.station("printer", "192.168.77.100/24")
    ready(lan)
    server = Dnsmasq(lan, given="192.168.77.100,192.168.77.103")
    office = vlanlink.load("/run/office.toml", text=TEXT)
    vlanlink.up(office)
    found = {space: lan.world.addresses("eth0", space) for space in ("web", "db")}
    assert all(len(addresses) == 1 for addresses in found.values())
    assert found["web"] != found["db"]
    assert ["192.168.77.100/24"] not in found.values()  # the parent asked, and the printer answered
    for space in found:
        lan.world.run(f"ping -c1 -W10 {SERVER}", space)
    asked = server.count("DHCPACK(")
    lan.world.ip("link set eth0 down", "web")
    lan.world.ip("link set eth0 up", "web")
    until(lambda: server.count("DHCPACK(") > asked, "it is not deaf", 60.0)
    assert lan.world.addresses("eth0", "web") == found["web"]
    until(lambda: vlanlink.status("office").state == "up", "its route is back", 60.0)
    vlanlink.down("office", forget=True)
    until(lambda: server.count("DHCPRELEASE(") == 2, "both were released", 60.0)


def test_an_attachment_has_a_client_id_of_its_own(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(vlanlink.load("/run/office.toml", text=TEXT))
    pid = start_container(lan.world)
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    others = [lan.world.addresses("eth0", space) for space in ("web", "db")]
    assert [*found.addresses] not in others
    assert found.addresses[0] in inside(lan.world, pid, "ip -4 -br addr show eth0")
    inside(lan.world, pid, f"ping -n -c1 -W10 {SERVER}")
    assert vlanlink.status("office").state == "up"
    found.detach()
    assert vlanlink.status("office").state == "up"
