"""Endpoints with addresses by DHCP: dnsmasq gives them, `ip` and its lease file judge."""

import json
import os
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.dhcp_lan import SERVER, Dnsmasq
from tests.kernel.lan import Lan
from tests.kernel.wire import ready
from tests.kernel.world import until
from vlanlink.store import keeper as store_keeper

pytestmark = pytest.mark.needs("macvlan")

NETWORK = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
dhcp = {dhcp}
{more}
"""


def topology(
    *spaces: str, dhcp: str = "true", more: str = "", interface: str = "", name: str = "office"
) -> vlanlink.Topology:
    text = f'[topology]\nname = "{name}"\n' + NETWORK.format(dhcp=dhcp, more=more)
    for space in spaces or ("web",):
        text += f'[namespaces.{space}.interfaces.eth0]\nnetwork = "pub"\n{interface}\n'
    return vlanlink.load(f"/run/{name}.toml", text=text)


def address(lan: Lan, space: str = "web") -> dict[str, object]:
    """The IPv4 address, as `ip` shows it."""
    found = lan.world.json("-4 addr show dev eth0", space)
    rows = [row for one in found for row in one.get("addr_info", ())]
    assert len(rows) == 1, rows
    row: dict[str, object] = rows[0]
    return row


def test_an_endpoint_gets_its_address_routes_and_lifetime_from_the_server(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    done = vlanlink.up(topology())
    mac = lan.world.link("eth0", "web")["address"]
    found = address(lan)
    assert found["local"] == server.given()[mac]
    assert found["prefixlen"] == 24
    assert 3500 <= int(str(found["valid_life_time"])) <= 3600
    routes = lan.world.json("-4 route", "web")
    assert [r["gateway"] for r in routes if r["dst"] == "default"] == [SERVER]
    assert f"+ address {found['local']}/24 on eth0, by DHCP" in str(done)
    lan.world.run(f"ping -c1 -W5 {SERVER}", "web")
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.plan(topology())


def test_a_plan_names_dhcp_and_sends_nothing(lan: Lan) -> None:
    lan.station("db")
    plan = vlanlink.plan(topology())
    assert "+ address dhcp on eth0, by DHCP" in str(plan)
    assert json.dumps(plan.to_dict())


def test_without_a_server_all_is_undone_and_the_parent_named(lan: Lan) -> None:
    ready(lan)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(topology("web", "db", dhcp="{ timeout = 1 }"))
    (found,) = caught.value.diagnostics
    assert found.message == "web/eth0, db/eth0: no address by DHCP on eth0 in 1 s: 0 offers"
    assert "web" not in lan.world.namespaces()
    assert vlanlink.status() == ()


def test_down_keeps_the_lease_and_the_next_up_asks_for_it(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    before = address(lan)["local"]
    vlanlink.down("office")
    assert server.count("DHCPRELEASE") == 0
    vlanlink.up(topology())
    assert address(lan)["local"] == before
    assert server.count("DHCPDISCOVER(") == 1
    vlanlink.down("office", forget=True)
    assert server.count("DHCPRELEASE") == 1


def test_an_address_that_a_station_has_is_declined(lan: Lan) -> None:
    lan.station("printer", "192.168.77.100/24")
    ready(lan)
    server = Dnsmasq(lan, given="192.168.77.100,192.168.77.101")
    vlanlink.up(topology(dhcp="{ timeout = 5 }"))
    assert address(lan)["local"] == "192.168.77.101"
    assert server.count("DHCPDECLINE") in (0, 1)  # its hash may have begun with the other


# -- the keeper ------------------------------------------------------------------------------------


def keeper(name: str = "office") -> store_keeper.Keeper:
    (file,) = Path("/run/vlanlink").glob(f"{name}@*.keeper")
    found = store_keeper.find(file)
    assert found is not None
    return found


def processes(pid: int) -> list[int]:
    """A keeper's processes: the one that waits, and the one that talks to the LAN."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def status_of(pid: int, key: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{key}:"))


def test_the_keeper_holds_two_rights_and_is_nobody(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    waiting, talking = processes(keeper().pid)
    assert int(status_of(talking, "CapEff"), 16) == (1 << 12) | (1 << 13)
    assert int(status_of(talking, "CapPrm"), 16) == (1 << 12) | (1 << 13)
    assert status_of(talking, "Uid").split() == ["65534"] * 4
    assert os.getsid(waiting) == waiting
    open_files = [
        os.readlink(f"/proc/{talking}/fd/{fd}") for fd in os.listdir(f"/proc/{talking}/fd")
    ]
    assert {name.partition(":")[0] for name in open_files} <= {"socket", "/dev/null", "anon_inode"}
    vlanlink.down("office")
    until(lambda: not Path(f"/proc/{talking}").exists(), "the keeper ends with its topology")


def test_a_killed_keeper_is_told_of_and_comes_back_with_the_address(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    before = address(lan)["local"]
    waiting, talking = processes(keeper().pid)
    os.kill(waiting, 9)
    until(lambda: not Path(f"/proc/{talking}/fd/0").exists(), "its child ends with it")
    found = vlanlink.status("office")
    assert found.state == "drifted"
    assert "keeper" in str(found.plan)
    assert address(lan)["local"] == before
    vlanlink.up(topology())
    assert keeper().pid != waiting
    assert vlanlink.status("office").state == "up"
    assert address(lan)["local"] == before
    assert server.count("DHCPDISCOVER(") == 1


def test_the_keeper_renews_after_the_link_was_down(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(topology())
    asked = server.count("DHCPACK(")
    lan.world.ip("link set eth0 down", "web")
    lan.world.ip("link set eth0 up", "web")
    until(lambda: server.count("DHCPACK(") > asked, "the server is asked again")
    until(lambda: "default" in lan.world.ip("route", "web"), "the default route is back")
    again = server.count("DHCPACK(")
    lan.world.ip("link set eth0 down", "web")
    lan.world.ip("link set eth0 up", "web")
    until(lambda: server.count("DHCPACK(") > again, "and it is not deaf")


def test_a_namespace_that_is_deleted_is_let_go(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology("web", "db"))
    lan.world.ip("netns del db")
    vlanlink.up(topology("web", "db"))
    assert vlanlink.status("office").state == "up"


def test_up_of_what_is_up_leaves_the_keeper_alone(lan: Lan) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(topology())
    before = keeper()
    assert not vlanlink.up(topology())
    assert keeper() == before
