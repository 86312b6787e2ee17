"""The LAN probe beside links of others: they hear it, and what they have is given to nobody.

A stranger here is a macvlan link in a namespace that no process is in and that is mounted nowhere:
one of those in which vlanlink can't look.
"""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.test_strangers import TWO, container
from tests.kernel.wire import ready
from tests.kernel.world import World, until
from vlanlink.kernel import execution

VLANLINK = str(Path(sys.executable).parent / "vlanlink")
MAC = "02:00:00:00:77:09"
ROUTER = "10.77.0.1/24", "fd77::1/64"
HEAD = """
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "10.77.0.0/24", gateway = "10.77.0.1" },
           { subnet = "fd77::/64", gateway = "fd77::1" }]
"""
pytestmark = pytest.mark.needs("macvlan")


def load(body: str, head: str = HEAD) -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=head + body)


def one(*addresses: str) -> str:
    written = ", ".join(f'"{address}"' for address in addresses)
    return f'[namespaces.a.interfaces.eth0]\nnetwork = "pub"\naddresses = [{written}]\n'


def stranger(
    world: World, *addresses: str, mode: str = "bridge", parent: str = "eth0", mac: str = MAC
) -> None:
    """A link in a namespace that an open file holds, and nothing else."""
    process = container(world, addresses[0], f"macvlan mode {mode}", parent, mac)
    there = f"/proc/{process.pid}/ns/net"
    for address in addresses[1:]:
        world.run(f"nsenter --net={there} ip addr add {address} dev eth0 nodad")
    holder = world.start(["bash", "-c", f"exec 9<{there}; echo > /run/held; exec sleep 1000"])
    until(Path("/run/held").exists, "the namespace is held")
    Path("/run/held").unlink()
    process.kill()
    process.wait()
    assert holder.poll() is None


def test_an_endpoint_s_own_link_that_is_about_to_go_does_not_count(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `down` the kernel takes a while, and until then that link answers."""
    ready(lan)
    vlanlink.up(load(one("10.77.0.5")))
    mac = lan.world.link("eth0", "a")["address"]
    vlanlink.down("office")
    stranger(lan.world, "10.77.0.5/24", mac=mac)
    monkeypatch.setattr(execution, "IN_USE_SECONDS", 1.0)  # it stays
    with pytest.raises(vlanlink.ApplyError, match="EADDRINUSE"):  # by the kernel: it is no address
        vlanlink.up(load(one("10.77.0.5")))


@pytest.fixture
def shared(lan: Lan) -> Lan:
    """A router that knows the stranger beside us."""
    lan.station("router", *ROUTER)
    ready(lan)
    stranger(lan.world, "10.77.0.2/24", "fd77::2/64")
    for address in ("10.77.0.2", "fd77::2"):
        lan.world.reaches("router", address)
        knows(lan, address, MAC)
    return lan


def knows(lan: Lan, address: str, mac: str) -> None:
    known = lan.world.run(["ip", "neigh", "show", "to", address], "router").stdout
    assert f"lladdr {mac}" in known


def test_what_a_sibling_has_is_given_to_nobody(shared: Lan) -> None:
    vlanlink.up(load(TWO))
    assert shared.world.addresses("eth0", "a") == ["10.77.0.3/24", "fd77::3/64"]
    assert shared.world.addresses("eth0", "b") == ["10.77.0.4/24", "fd77::4/64"]
    knows(shared, "10.77.0.2", MAC)
    knows(shared, "fd77::2", MAC)


def test_a_written_address_of_a_sibling_is_refused_with_its_mac(shared: Lan) -> None:
    before = dump(shared.world)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(load(one("10.77.0.2", "fd77::2")))
    assert [found.message for found in caught.value.diagnostics] == [
        f"{address} is in use on the LAN of eth0 by {MAC}" for address in ("10.77.0.2", "fd77::2")
    ]
    same(shared.world, before)
    knows(shared, "10.77.0.2", MAC)


def test_the_wire_sees_no_other_mac_than_that_of_the_endpoint(shared: Lan) -> None:
    seen = shared.capture("switch", "port1", "inbound")
    vlanlink.up(load(one("10.77.0.9", "fd77::9")))
    mac = shared.world.link("eth0", "a")["address"]
    shared.world.reaches("router", "10.77.0.9")
    seen.saw(f"{mac} > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: "
             "Request who-has 10.77.0.9 tell 0.0.0.0")  # fmt: skip
    seen.saw(f"{mac} > 33:33:ff:00:00:09")
    senders = set(re.findall(r"^\S+ (\S+) > ", seen.text(), re.M))
    assert senders <= {mac, MAC, HOST_MAC}, seen.text()


def test_a_station_on_the_wire_is_found_beside_siblings_too(shared: Lan) -> None:
    shared.station("printer", "10.77.0.3/24", "fd77::3/64", mac="02:00:00:00:77:03")
    ready(shared)
    vlanlink.up(load(TWO))
    assert shared.world.addresses("eth0", "a") == ["10.77.0.4/24", "fd77::4/64"]
    with pytest.raises(vlanlink.ConflictError, match="by 02:00:00:00:77:03"):
        vlanlink.up(load(one("10.77.0.3")))


def test_an_endpoint_that_is_up_gets_an_address_more(shared: Lan) -> None:
    vlanlink.up(load(one("10.77.0.9")))
    with pytest.raises(vlanlink.ConflictError, match=f"by {MAC}"):
        vlanlink.up(load(one("10.77.0.9", "10.77.0.2")))
    vlanlink.up(load(one("10.77.0.9", "10.77.0.10")))
    assert shared.world.addresses("eth0", "a") == ["10.77.0.9/24", "10.77.0.10/24"]


def test_an_attachment_gets_no_address_of_a_sibling(shared: Lan) -> None:
    vlanlink.up(load(one("10.77.0.9")))
    process = shared.world.start(["unshare", "--net", "sleep", "1000"])
    until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "it runs")
    found = vlanlink.attach("office/pub", pid=process.pid, id="c1")
    assert found.addresses == ("10.77.0.3/24", "fd77::3/64")


def test_a_clone_of_this_machine_is_a_station_like_any_other(shared: Lan) -> None:
    """It has the same file and machine-id, so its endpoint has the same MAC."""
    vlanlink.up(load(one("10.77.0.9")))
    mac = shared.world.link("eth0", "a")["address"]
    vlanlink.down("office")
    shared.station("clone", "10.77.0.9/24", mac=mac)
    ready(shared)
    with pytest.raises(vlanlink.ConflictError, match=f"10.77.0.9 is in use .* by {mac}"):
        vlanlink.up(load(one("10.77.0.9")))


def test_a_switch_that_reflects_probes_has_no_address(shared: Lan) -> None:
    shared.hairpin(on=True)
    vlanlink.up(load(one("10.77.0.9", "fd77::9")))
    assert shared.world.addresses("eth0", "a") == ["10.77.0.9/24", "fd77::9/64"]


def test_three_hundred_are_asked_for_in_one_wait(lan: Lan) -> None:
    lan.station("router", *ROUTER)
    ready(lan)
    held = [f"10.77.0.{n}/16" for n in range(2, 100, 7)]
    stranger(lan.world, *held)
    head = HEAD.replace("10.77.0.0/24", "10.77.0.0/16")
    vlanlink.up(load("".join(f'[namespaces.n{n}.interfaces.eth0]\nnetwork="pub"\n'
                             for n in range(300)), head))  # fmt: skip
    found = [a for n in range(300) for a in lan.world.addresses("eth0", f"n{n}")]
    assert len(set(found)) == 600
    assert not set(found) & set(held)
    vlanlink.down("office")


def test_a_run_that_is_killed_leaves_nothing(shared: Lan) -> None:
    world = shared.world
    before = dump(world)
    listed = world.run("bridge fdb show dev eth0").stdout
    head = HEAD + "probe = { count = 1, seconds = 60 }\n"
    Path("/run/office.toml").write_text(head + one("10.77.0.9"))
    seen = shared.capture("router", "eth0", "arp")
    process = world.start([VLANLINK, "up", "/run/office.toml"])
    seen.saw("who-has 10.77.0.9 tell 0.0.0.0")
    assert world.run("bridge fdb show dev eth0").stdout != listed
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: world.run("bridge fdb show dev eth0").stdout == listed, "the link is gone")
    same(world, before)


@pytest.mark.parametrize("mode", ["private", "vepa"])
def test_a_sibling_that_hears_no_siblings_is_read(lan: Lan, mode: str) -> None:
    """The kernel hands it nothing that another link on the parent sends."""
    container(lan.world, "10.77.0.2/24", f"macvlan mode {mode}")
    vlanlink.up(load(TWO))
    assert lan.world.addresses("eth0", "a")[0] == "10.77.0.3/24"


def test_a_mac_in_a_namespace_without_a_process_is_told(
    shared: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(shared.world)
    monkeypatch.setattr(execution, "IN_USE_SECONDS", 1.0)
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.up(load(one("10.77.0.9") + f'mac = "{MAC}"\n'))
    (said,) = caught.value.diagnostics
    assert said.message == "can't set a/eth0 up: EADDRINUSE, Address already in use"
    # Another test's run may be looking at that namespace, and is found in it then.
    nobody = f"MAC {MAC} is in use on this parent, in an unnamed namespace"
    assert re.fullmatch(f"{nobody}|eth0 of pid .+ already uses MAC {MAC}", said.hint or "")
    same(shared.world, before)
