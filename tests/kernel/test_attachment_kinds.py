"""Attachments of every kind and family: IPv6, ipvlan in its modes, addresses and MACs by hand."""

import re

import pytest

import vlanlink
from tests.kernel.attaching import end, inside, office, start_container
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World, until
from vlanlink.cli.main import main

DUAL = """
[topology]
name = "office"
[networks.pub]
kind = "{kind}"
mode = "{mode}"
parent = "eth0"
probe = false
{keys}
subnets = [
  {{ subnet = "172.16.3.0/24", gateway = "172.16.3.1" }},
  {{ subnet = "2001:db8:3::/64", gateway = "2001:db8:3::1", ip_range = "2001:db8:3::100/120" }},
]
[namespaces.web.interfaces.eth0]
network = "pub"
addresses = ["172.16.3.15", "2001:db8:3::15"]
"""
macvlan, ipvlan = pytest.mark.needs("macvlan"), pytest.mark.needs("ipvlan")


def dual(kind: str = "macvlan", mode: str = "bridge", keys: str = "") -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=DUAL.format(kind=kind, mode=mode, keys=keys))


def reaches(world: World, pid: int, address: str) -> None:
    words = ["nsenter", f"--net=/proc/{pid}/ns/net", "ping", "-n", "-c1", "-W1", address]
    until(lambda: world.run(words, check=False).returncode == 0, f"{pid} to {address}")


@macvlan
def test_both_families(lan: Lan, world: World) -> None:
    lan.station("router", "172.16.3.1/24", "2001:db8:3::1/64")
    before = dump(world)
    vlanlink.up(dual(keys="shim = true"))
    pid = start_container(world)
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    assert found.addresses == ("172.16.3.2/24", "2001:db8:3::100/64")
    assert found.gateways == ("172.16.3.1", "2001:db8:3::1")
    for address in ("172.16.3.1", "2001:db8:3::1", "172.16.3.15", "2001:db8:3::15"):
        reaches(world, pid, address)
    for address in ("172.16.3.2", "2001:db8:3::100"):
        world.reaches("", address)
        world.reaches("web", address)
        world.reaches("router", address)
    assert vlanlink.status("office").state == "up"
    assert vlanlink.verify("office").ok
    vlanlink.restart("office")
    assert vlanlink.attachments() == (found,)
    world.reaches("", "2001:db8:3::100")
    vlanlink.detach("office/pub", "c1")
    assert "2001:db8:3::100" not in world.ip("-6 route show table all")
    vlanlink.down("office")
    same(world, before)


@macvlan
@pytest.mark.usefixtures("lan")
def test_a_container_without_ipv6_gets_it_on_this_interface(world: World) -> None:
    """Engines disable IPv6 in containers that have no IPv6 address of theirs."""
    vlanlink.up(dual())
    pid = start_container(world)
    for where in ("all", "default"):
        inside(world, pid, f"sysctl -qw net.ipv6.conf.{where}.disable_ipv6=1")
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    assert "2001:db8:3::100/64" in found.addresses
    reaches(world, pid, "2001:db8:3::15")
    assert vlanlink.status("office").state == "up"


@macvlan
@pytest.mark.usefixtures("lan")
def test_a_default_route_of_one_family_leaves_the_other(world: World) -> None:
    vlanlink.up(dual())
    pid = start_container(world)
    inside(world, pid, "ip link add v0 type veth peer name v1")
    inside(world, pid, "ip link set v0 up")
    inside(world, pid, "ip link set v1 up")
    inside(world, pid, "ip addr add 192.0.2.1/24 dev v0")
    inside(world, pid, "ip route add default via 192.0.2.2")
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    assert found.gateways == ("2001:db8:3::1",)
    assert inside(world, pid, "ip route show default").split()[2] == "192.0.2.2"
    assert vlanlink.status("office").state == "up"
    vlanlink.detach("office/pub", "c1")
    assert "default via 192.0.2.2" in inside(world, pid, "ip route")


@macvlan
@pytest.mark.usefixtures("lan")
@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (("172.16.3.30",), ("172.16.3.30/24",)),
        (("172.16.3.30/24", "auto"), ("172.16.3.30/24", "2001:db8:3::100/64")),
        (("2001:DB8:3:0::30",), ("2001:db8:3::30/64",)),
        (("2001:db8:3::/64",), ("2001:db8:3::100/64",)),
        (("172.16.3.30", "172.16.3.31"), ("172.16.3.30/24", "172.16.3.31/24")),
    ],
)
def test_addresses_by_hand(world: World, asked: tuple[str, ...], given: tuple[str, ...]) -> None:
    vlanlink.up(dual())
    pid = start_container(world)
    found = vlanlink.attach("office/pub", pid=pid, id="c1", addresses=asked)
    assert found.addresses == given
    shown = inside(world, pid, "ip -br addr show eth0")
    assert all(address in shown for address in given)
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.up(dual()).changes
    assert vlanlink.attach("office/pub", pid=pid, id="c1") == found
    end(world, pid)
    later = start_container(world)
    assert vlanlink.attach("office/pub", pid=later, id="c1").addresses == given
    changed = vlanlink.attach("office/pub", pid=later, id="c1", addresses=["172.16.3.77"])
    assert changed.addresses == ("172.16.3.77/24",)
    assert given[0] not in inside(world, later, "ip -br addr show eth0")
    assert vlanlink.status("office").state == "up"


@macvlan
@pytest.mark.usefixtures("lan")
def test_an_address_of_another_id_or_endpoint_is_refused(world: World) -> None:
    vlanlink.up(dual())
    first, second = start_container(world), start_container(world)
    vlanlink.attach("office/pub", pid=first, id="c1", addresses=["2001:db8:3::30"])
    for taken in ("2001:db8:3:0:0::30", "2001:DB8:3::15", "172.16.3.15/24"):
        with pytest.raises(vlanlink.ConflictError, match="has"):
            vlanlink.attach("office/pub", pid=second, id="c2", addresses=[taken])
    assert [one.id for one in vlanlink.attachments()] == ["c1"]


@macvlan
@pytest.mark.usefixtures("lan")
def test_a_mac_by_hand(world: World) -> None:
    vlanlink.up(office())
    first, second = start_container(world), start_container(world)
    mac = "02:42:ac:10:03:0f"
    assert vlanlink.attach("office/pub", pid=first, id="c1", mac=mac).mac == mac
    assert mac in inside(world, first, "ip link show eth0")
    for spelled in (mac, mac.upper()):
        with pytest.raises(vlanlink.ConflictError, match=f"attachment c1 has MAC {mac}"):
            vlanlink.attach("office/pub", pid=second, id="c2", mac=spelled)
    end(world, first)
    assert vlanlink.attach("office/pub", pid=second, id="c1").mac == mac
    other = "02:42:ac:10:03:10"
    assert vlanlink.attach("office/pub", pid=second, id="c1", mac=other).mac == other
    assert other in inside(world, second, "ip link show eth0")
    assert vlanlink.status("office").state == "up"


@macvlan
@pytest.mark.usefixtures("lan")
def test_an_interface_by_another_name_later(world: World) -> None:
    vlanlink.up(office())
    pid = start_container(world)
    vlanlink.attach("office/pub", pid=pid, id="c1")
    found = vlanlink.attach("office/pub", pid=pid, id="c1", interface="lan0")
    assert re.findall(r"\b(?:eth0|lan0)\b", inside(world, pid, "ip -br link")) == ["lan0"]
    assert found.interface == "lan0"
    assert vlanlink.attachments() == (found,)
    assert vlanlink.status("office").state == "up"


@macvlan
@pytest.mark.usefixtures("lan")
def test_passthru_has_no_mac_of_its_own(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    text = DUAL.partition("[namespaces")[0].format(kind="macvlan", mode="passthru", keys="")
    vlanlink.up(vlanlink.load("/run/office.toml", text=text))
    words = ["attach", "office/pub", "--pid", str(start_container(world)), "--id", "c1"]
    assert main([*words, "--mac", "02:42:ac:10:03:0f"]) == 2
    assert "use their parent's MAC" in capsys.readouterr().err
    assert main(words) == 0
    assert vlanlink.attachments()[0].mac == world.link("eth0")["address"]
    vlanlink.detach("office/pub", "c1")
    assert vlanlink.status("office").state == "up"


@ipvlan
@pytest.mark.parametrize("mode", ["l2", "l3s"])
def test_ipvlan(lan: Lan, world: World, mode: str) -> None:
    lan.station("router", "172.16.3.1/24", "2001:db8:3::1/64")
    before = dump(world)
    vlanlink.up(dual("ipvlan", mode))
    first, second = start_container(world), start_container(world)
    one = vlanlink.attach("office/pub", pid=first, id="c1")
    two = vlanlink.attach("office/pub", pid=second, id="c2", addresses=["172.16.3.77", "auto"])
    assert one.addresses == ("172.16.3.2/24", "2001:db8:3::100/64")
    assert two.addresses == ("172.16.3.77/24", "2001:db8:3::101/64")
    assert f"mode {mode}" in inside(world, first, "ip -d link show eth0")
    for address in ("172.16.3.15", "2001:db8:3::15", "172.16.3.77", "2001:db8:3::101"):
        reaches(world, first, address)
    if mode == "l2":
        assert one.gateways == ("172.16.3.1", "2001:db8:3::1")
        reaches(world, first, "2001:db8:3::1")
    else:
        assert one.gateways == ()
        assert "default dev eth0" in inside(world, first, "ip route")
    assert vlanlink.status("office").state == "up"
    vlanlink.restart("office")
    assert [a.addresses for a in vlanlink.attachments()] == [one.addresses, two.addresses]
    vlanlink.detach("office/pub", "c2")
    assert "eth0" not in inside(world, second, "ip -br link")
    vlanlink.down("office")
    assert "eth0" not in inside(world, first, "ip -br link")
    same(world, before)


@ipvlan
@pytest.mark.usefixtures("lan")
def test_ipvlan_has_no_mac_of_its_own(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    vlanlink.up(dual("ipvlan", "l2"))
    pid = start_container(world)
    words = ["attach", "office/pub", "--pid", str(pid), "--id", "c1"]
    assert main([*words, "--mac", "02:42:ac:10:03:0f"]) == 2
    assert "use their parent's MAC" in capsys.readouterr().err
    assert vlanlink.attachments() == ()
    assert main(words) == 0
    (found,) = vlanlink.attachments()
    assert found.mac == world.link("eth0")["address"]


@ipvlan
@pytest.mark.usefixtures("lan")
def test_ipvlan_with_a_shim(world: World) -> None:
    vlanlink.up(dual("ipvlan", "l2", 'shim = { addresses = ["172.16.3.250", "2001:db8:3::250"] }'))
    pid = start_container(world)
    vlanlink.attach("office/pub", pid=pid, id="c1")
    world.reaches("", "172.16.3.2")
    world.reaches("", "2001:db8:3::100")
    assert vlanlink.status("office").state == "up"
    vlanlink.detach("office/pub", "c1")
    assert "172.16.3.2 " not in world.ip("route show table all")
    assert vlanlink.status("office").state == "up"
