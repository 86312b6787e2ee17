"""Edits of endpoints with DHCP: what `leases` says is what it says after a fresh `up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.attaching import start_container
from tests.kernel.dhcp_lan import Dnsmasq, Liar, end_keepers
from tests.kernel.lan import Lan
from tests.kernel.wire import ready
from tests.kernel.world import World, until
from vlanlink.store.keeper_file import find

pytestmark = pytest.mark.needs("macvlan")

STATIC = 'addresses = ["192.168.77.9/24"]'
MAC = 'mac = "02:42:ac:10:03:0f"'
EDITS = {
    "by DHCP": "",
    "static": STATIC,
    "by DHCP again": 'dhcp = { hostname = "web" }',
    "another client": 'dhcp = { client_id = "00:77:65:62", metric = 7, use_routes = false }',
    "a MAC, both": f'{MAC}\naddresses = ["dhcp", "192.168.77.9/24"]',
}


@pytest.fixture(autouse=True)
def nothing_left(world: World) -> Iterator[None]:  # noqa: ARG001 - before its namespaces go
    """Keepers end with their test, whether it takes its topology down or not."""
    yield
    end_keepers()


def office(web: str | None = "", dhcp: str = "true", *, db: bool = False) -> vlanlink.Topology:
    """Endpoint db is not edited."""
    text = f"""
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
dhcp = {dhcp}
probe = false
"""
    if db:
        text += '[namespaces.db.interfaces.eth0]\nnetwork = "pub"\naddresses = ["dhcp"]\n'
    if web is not None:
        text += f'[namespaces.web.interfaces.eth0]\nnetwork = "pub"\n{web}\n'
    return vlanlink.load("/run/office.toml", text=text)


def listed() -> set[tuple[object, ...]]:
    """What `leases` says, but for the times."""
    return {
        (one.endpoint, one.network, one.address, one.in_use, one.attached, one.server)
        for one in vlanlink.leases()
        if one.server
    }


def test_leases_are_those_of_a_fresh_up_after_every_edit(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    for name, edit in EDITS.items():
        vlanlink.up(office(edit, db=True))
        edited = listed()
        told = vlanlink.status("office")
        assert (told.state, listed()) == ("up", edited), f"{name}: {told.plan}"
        vlanlink.down("office")
        vlanlink.up(office(edit, db=True))
        assert edited == listed(), name
    vlanlink.up(office(None, db=True))
    assert {one.endpoint for one in vlanlink.leases()} == {"db/eth0"}


def test_the_server_is_told_of_another_name_at_once(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(office())
    vlanlink.up(office('dhcp = { hostname = "web" }'))
    until(lambda: " web " in server.leases.read_text(), "it has the name")
    assert server.count("DHCPDISCOVER(") == 1


def test_without_endpoints_by_dhcp_nothing_is_left_of_it(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    text = '[topology]\nname = "office"\n[networks.pub]\nkind = "macvlan"\nparent = "eth0"\n'
    text += '[namespaces.web.interfaces.eth0]\nnetwork = "pub"\naddresses = ["{}"]\n'
    vlanlink.up(vlanlink.load("/run/office.toml", text=text.format("dhcp")))
    vlanlink.up(vlanlink.load("/run/office.toml", text=text.format("192.168.77.9/24")))
    assert [one for one in vlanlink.leases() if one.server] == []
    assert not list(Path("/run/vlanlink").glob("*.keeper"))
    assert not list(Path("/run/vlanlink").glob("*.ask"))
    assert not list(Path("/var/lib/vlanlink").glob("*.dhcp"))
    vlanlink.down("office")
    assert [one for one in vlanlink.leases() if one.server] == []


def test_an_edit_to_static_while_no_server_answers_ends_the_keeper_first(lan: Lan) -> None:
    """Else the keeper might set an address that nobody wants any more."""
    ready(lan)
    server = Liar(lan, 2)
    vlanlink.up(office())
    server.says("silent")
    until(lambda: lan.world.addresses("eth0", "web") == [], "its lease has ended")
    plan = vlanlink.plan(office(STATIC, "false"))
    assert not [change for change in plan.changes if change.action == "delete"]
    living: list[bool] = []
    (file,) = Path("/run/vlanlink").glob("*.keeper")
    vlanlink.up(office(STATIC, "false"), on_progress=lambda *_: living.append(bool(find(file))))
    assert living
    assert not any(living)
    assert lan.world.addresses("eth0", "web") == ["192.168.77.9/24"]
    assert vlanlink.status("office").state == "up"


def test_a_network_that_stops_dhcp_ends_the_leases_of_its_attachments(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(office(db=True))
    vlanlink.attach("office/pub", pid=start_container(lan.world), id="c1")
    assert ("c1/eth0", True) in {(one.endpoint, one.in_use) for one in vlanlink.leases()}
    static = 'false\nsubnets = [{ subnet = "192.168.77.0/24" }]'
    vlanlink.up(office(dhcp=static, db=True))
    assert {one.endpoint for one in vlanlink.leases() if one.server} == {"db/eth0"}
    assert vlanlink.status("office").state == "up"
