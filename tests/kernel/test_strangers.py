"""Beside containers: what lives in namespaces without a name is seen where it matters.

A container is `unshare --net` with a macvlan link, as Docker makes one: its namespace has no name
under /run/netns.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World, until

if TYPE_CHECKING:
    from subprocess import Popen

HEAD = """
[topology]
name = "office"
[networks.pub]
kind = "{kind}"
parent = "{parent}"
probe = false
subnets = [{{ subnet = "10.77.0.0/24", gateway = "10.77.0.1" }}]
"""
TWO = """
[namespaces]
a.interfaces.eth0 = { network = "pub" }
b.interfaces.eth0 = { network = "pub" }
"""


def load(body: str = TWO, kind: str = "macvlan", parent: str = "eth0") -> vlanlink.Topology:
    text = HEAD.format(kind=kind, parent=parent) + body
    return vlanlink.load("/run/office.toml", text=text)


def container(
    world: World,
    address: str,
    kind: str = "macvlan mode bridge",
    parent: str = "eth0",
    mac: str = "",
) -> "Popen[bytes]":
    """A process in a namespace without a name, with a link on a parent of the host."""
    process = world.start(["unshare", "--net", "sleep", "1000"])
    until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "it runs")
    hardware = f"address {mac}" if mac else ""
    world.ip(f"link add link {parent} name c0 {hardware} type {kind}")
    world.ip(f"link set c0 netns {process.pid} name eth0")
    ip = ["nsenter", f"--net=/proc/{process.pid}/ns/net", "ip"]
    world.run([*ip, "addr", "add", address, "dev", "eth0"])
    # The kernel may still be deleting a link with this MAC.
    up = [*ip, "link", "set", "eth0", "up"]
    until(lambda: world.run(up, check=False).returncode == 0, "its link is up")
    return process


def inside(world: World, process: "Popen[bytes]", words: str) -> str:
    return world.run(f"nsenter --net=/proc/{process.pid}/ns/net {words}", check=False).stdout


@pytest.mark.needs("macvlan")
def test_an_address_of_a_container_is_given_to_nobody(lan: Lan) -> None:
    world = lan.world
    container(world, "10.77.0.2/24")
    vlanlink.up(load())
    assert world.addresses("eth0", "a") == ["10.77.0.3/24"]
    assert world.addresses("eth0", "b") == ["10.77.0.4/24"]


@pytest.mark.needs("macvlan")
def test_a_written_address_of_a_container_is_refused_with_who_has_it(lan: Lan) -> None:
    world = lan.world
    process = container(world, "10.77.0.9/24")
    before = dump(world)
    body = '[namespaces.a.interfaces.eth0]\nnetwork = "pub"\naddresses = ["10.77.0.9"]\n'
    for verb in (vlanlink.plan, vlanlink.up):
        with pytest.raises(vlanlink.ConflictError) as caught:
            verb(load(body))
        said = caught.value.diagnostics[0]
        assert f"can't have 10.77.0.9: pid {process.pid} (sleep 1000) has it on eth0" in str(said)
        assert said.line == 11
    same(world, before)


@pytest.mark.needs("macvlan")
def test_a_written_mac_of_a_container_is_refused_with_who_has_it(lan: Lan) -> None:
    world = lan.world
    process = container(world, "10.77.0.9/24", mac="02:00:00:00:77:09")
    body = '[namespaces.a.interfaces.eth0]\nnetwork = "pub"\nmac = "02:00:00:00:77:09"\n'
    for verb in (vlanlink.plan, vlanlink.up):
        with pytest.raises(vlanlink.ConflictError) as caught:
            verb(load(body))
        said = caught.value.diagnostics[0]
        who = f"pid {process.pid} (sleep 1000) has it on eth0"
        assert f"a/eth0 can't have MAC 02:00:00:00:77:09: {who}" in str(said)
        assert said.line == 11
    assert world.namespaces() == set()


@pytest.mark.needs("macvlan")
def test_a_namespace_mounted_elsewhere_is_seen_though_nothing_runs_in_it(lan: Lan) -> None:
    """As Docker keeps the namespaces of its containers in /run/docker/netns."""
    world = lan.world
    process = container(world, "10.77.0.9/24")
    place = Path("/run/docker/netns/3f2a")
    place.parent.mkdir(parents=True)
    place.touch()
    world.run(f"mount --bind /proc/{process.pid}/ns/net {place}")
    process.kill()
    process.wait()
    body = '[namespaces.a.interfaces.eth0]\nnetwork = "pub"\naddresses = ["10.77.0.9"]\n'
    with pytest.raises(vlanlink.ConflictError, match=f"{place} has it on eth0"):
        vlanlink.up(load(body))
    # Those of tests beside this one may be looking at it, too.
    world.unmount(str(place))


@pytest.mark.needs("macvlan")
def test_nothing_is_held_open(lan: Lan) -> None:
    """A container that ends while a watch runs is gone: its MAC is free."""
    world = lan.world
    process = container(world, "10.77.0.2/24", mac="02:00:00:00:77:09")
    Path("/run/office.toml").write_text(HEAD.format(kind="macvlan", parent="eth0") + TWO)
    watch = world.start([VLANLINK, "watch", "/run/office.toml"])
    until(lambda: "b" in world.namespaces() and "eth0" in world.names("b"), "it is up")
    until(lambda: world.addresses("eth0", "b") == ["10.77.0.4/24"], "all of it")
    process.kill()
    process.wait()
    listed = "bridge fdb show dev eth0"
    until(lambda: "02:00:00:00:77:09" not in world.run(listed).stdout, "its link is gone")
    assert watch.poll() is None


@pytest.mark.needs("macvlan", "dummy")
def test_a_dummy_parent_stays_under_a_container(world: World) -> None:
    text = HEAD.format(kind="macvlan", parent="d0").replace('parent = "d0"\n', "") + TWO
    _stays(world, vlanlink.load("/run/office.toml", text=text), "", "10.77.0.9/24")


@pytest.mark.needs("macvlan", "vlan")
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_a_vlan_stays_under_a_container(lan: Lan, kind: str) -> None:
    _stays(lan.world, load(kind=kind, parent="eth0.50"), "eth0.50", "10.77.0.9/24", kind)


def _stays(
    world: World, topology: vlanlink.Topology, parent: str, address: str, kind: str = "macvlan"
) -> None:
    before = dump(world)
    vlanlink.up(topology)
    parent = parent or world.json("link show type dummy")[0]["ifname"]
    mode = {"macvlan": "macvlan mode bridge", "ipvlan": "ipvlan mode l2"}[kind]
    process = container(world, address, mode, parent)
    done = vlanlink.down("office")
    assert f"{parent} stays: eth0 of pid {process.pid} (sleep 1000) is on it" in str(done.notes)
    assert world.namespaces() == set()
    assert "eth0" in inside(world, process, "ip link show eth0")
    assert vlanlink.status("office").state == "down"
    assert f"{parent} stays" in str(vlanlink.down("office").notes)
    vlanlink.up(topology)
    vlanlink.down("office")
    process.kill()
    process.wait()
    until(lambda: not vlanlink.down("office").notes, "nothing is on it any more")
    same(world, before)
    assert not list(Path("/run/vlanlink").glob("office@*"))


@pytest.mark.needs("macvlan", "ipvlan")
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_a_parent_in_use_by_a_container_names_it(lan: Lan, kind: str) -> None:
    world = lan.world
    other = {"macvlan": "ipvlan mode l2", "ipvlan": "macvlan mode bridge"}[kind]
    process = container(world, "10.77.0.9/24", other)
    with pytest.raises(vlanlink.VlanlinkError) as caught:
        vlanlink.up(load(kind=kind))
    assert caught.value.exit_code == 1
    assert f"pid {process.pid} (sleep 1000)" in str(caught.value)
    assert world.namespaces() == set()


@pytest.mark.needs("ipvlan")
@pytest.mark.parametrize("option", ['mode = "l3"', 'flag = "private"'])
def test_the_mode_of_a_containers_link_stays(lan: Lan, option: str) -> None:
    """ipvlan links leave no trace on their parent, and one sets the mode of all."""
    world = lan.world
    topology = load(kind="ipvlan")
    vlanlink.up(topology)
    process = container(world, "10.77.0.9/24", "ipvlan mode l2 bridge")
    text = HEAD.format(kind="ipvlan", parent="eth0").replace("probe", f"{option}\nprobe") + TWO
    before = inside(world, process, "ip -d link show eth0")
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(vlanlink.load("/run/office.toml", text=text))
    assert f"pid {process.pid} (sleep 1000)" in str(caught.value)
    vlanlink.down("office")
    assert inside(world, process, "ip -d link show eth0") == before != ""


@pytest.mark.needs("macvlan")
def test_without_a_trace_of_strangers_nobody_looks_for_them(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "vlanlink.kernel.netns.strangers.strangers", lambda *_: pytest.fail("it looks")
    )
    vlanlink.up(load())
    vlanlink.down("office")
    assert lan.world.namespaces() == set()
