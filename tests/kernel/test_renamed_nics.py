"""Parents by altname and by MAC: every verb knows them, and a NIC may be renamed at any time."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.watching import watching
from tests.kernel.world import World, next_line, until

pytestmark = pytest.mark.needs("macvlan")

VLANLINK = str(Path(sys.executable).parent / "vlanlink")
FILE = "/run/office.toml"
WEB, GATEWAY = "172.16.3.15", "172.16.3.1"
BY_MAC = f'{{ mac = "{HOST_MAC}" }}'
BY_MAC_VLAN = f'{{ mac = "{HOST_MAC}", vlan = 50 }}'
OTHER_MAC = "02:00:00:00:00:bb"


def write(parent: str, more: str = "", file: str = FILE) -> str:
    """A file with one endpoint."""
    Path(file).write_text(f"""
[topology]
name = "{Path(file).stem}"
[networks.pub]
kind = "macvlan"
parent = {parent}
subnets = [{{ subnet = "172.16.3.0/24", gateway = "{GATEWAY}" }}]
{more}
[namespaces.web.interfaces.eth0]
network = "pub"
addresses = ["{WEB}"]
""")
    return file


def run(words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """`vlanlink WORDS` as a user runs it."""
    done = subprocess.run([VLANLINK, *words.split()], capture_output=True, text=True, check=False)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done


def told(words: str, code: int = 0) -> Any:
    """The JSON of `vlanlink WORDS --json`."""
    return json.loads(run(f"{words} --json", code).stdout)


def rename(world: World, old: str, new: str) -> None:
    """Rename a NIC; kernels before 6.2 want it down for that."""
    world.ip(f"link set {old} down")
    world.ip(f"link set {old} name {new}")
    world.ip(f"link set {new} up")


@pytest.fixture
def nic(lan: Lan) -> World:
    """A host with two NICs, one of them with an altname, and a router behind that one."""
    lan.router(f"{GATEWAY}/24")
    lan.trunk("eth1", mac=OTHER_MAC)
    lan.world.ip("link property add dev eth0 altname enp1s0-of-the-office")
    return lan.world


PARENTS = pytest.mark.parametrize("parent", ['"enp1s0-of-the-office"', BY_MAC])


@PARENTS
def test_every_verb_knows_it(nic: World, parent: str) -> None:
    file, before = write(parent, "shim = true"), dump(nic)
    run(f"validate {file}")
    assert "macvlan bridge on eth0" in run(f"plan {file}").stdout
    assert "parent" not in run(f"doctor {file}").stderr
    run(f"up {file}")
    (child,) = [one for one in nic.json("link", "web") if one["ifname"] == "eth0"]
    assert child["link_index"] == nic.link("eth0")["ifindex"]
    nic.reaches("web", GATEWAY)
    nic.reaches("", WEB)
    assert told("status office")["state"] == "up"
    assert told(f"plan {file}")["changes"] == []
    assert told("verify office")["ok"]
    assert [one["parent"] for one in told("ls")["networks"]] == ["eth0"]
    assert told("inspect pub")["parent"] == "eth0"
    assert "eth0" in run(f"graph {file}").stdout
    assert "link add link eth0 " in run("export office --to iproute2").stdout
    topology = vlanlink.load(file)
    assert vlanlink.load(vlanlink.as_mapping(topology)) == topology
    assert f"parent = {parent}" in vlanlink.to_toml(topology)
    assert (
        vlanlink.up(vlanlink.load(vlanlink.as_mapping(topology)), replace_file=True).changes == ()
    )
    (copy,) = Path("/run/vlanlink").glob("office@*.json")
    assert f"parent = {parent}" in json.loads(copy.read_text())["text"]
    run("down office")
    same(nic, before)


@PARENTS
def test_a_nic_is_renamed(nic: World, parent: str) -> None:
    file = write(parent, "shim = true")
    run(f"up {file}")
    shim = {name for name in nic.names() if name.startswith("sh-")}
    rename(nic, "eth0", "wan0")
    run(f"up {file}")  # the shim's routes went with the NIC's state, the links stayed
    assert {name for name in nic.names() if name.startswith("sh-")} == shim
    assert told("status office")["state"] == "up"
    assert told("inspect office/pub")["parent"] == "wan0"
    nic.reaches("", WEB)
    run("down office")
    assert nic.names() == {"lo", "wan0", "eth1"}


def test_links_stay_as_they_are_when_a_nic_is_renamed(nic: World) -> None:
    file = write(BY_MAC)
    run(f"up {file}")
    before = [(one["ifindex"], one["ifname"]) for one in nic.json("link", "web")]
    rename(nic, "eth0", "wan0")
    assert run(f"up {file}").stdout.strip() == "office is already up."
    assert [(one["ifindex"], one["ifname"]) for one in nic.json("link", "web")] == before


def test_a_former_name_that_stays_as_an_altname_is_as_good(nic: World) -> None:
    file = write('"eth0"', "shim = true")
    run(f"up {file}")
    rename(nic, "eth0", "wan0")
    missing = told(f"up {file}", code=1)["errors"]
    assert [one["message"] for one in missing] == ["parent eth0 has been renamed to wan0"]
    nic.run(missing[0]["hint"].partition(",")[0])  # as printed
    run(f"up {file}")
    nic.reaches("", WEB)
    assert told("status office")["state"] == "up"
    run("down office")
    assert nic.names() == {"lo", "wan0", "eth1"}


@PARENTS
def test_a_nic_that_was_down_goes_down_under_its_new_name(nic: World, parent: str) -> None:
    nic.ip("link set eth0 down")
    file = write(parent)
    run(f"up {file}")
    rename(nic, "eth0", "wan0")
    run(f"up {file}")
    run("down office")
    assert "UP" not in nic.link("wan0")["flags"]


def test_two_nics_with_one_mac(nic: World) -> None:
    nic.ip(f"link set eth1 address {HOST_MAC}")
    before = dump(nic)
    (error,) = told(f"up {write(BY_MAC)}", code=1)["errors"]
    assert error["message"] == f"several NICs have the MAC {HOST_MAC}: eth0, eth1"
    assert (error["line"], error["column"]) == (6, 10)
    same(nic, before)


def test_links_that_share_the_mac_of_a_nic_do_not_count(nic: World) -> None:
    nic.ip("link add br1 type bridge")
    nic.ip("link set eth1 master br1")
    nic.ip(f"link set eth1 address {HOST_MAC}")
    nic.ip(f"link add tap0 address {HOST_MAC} link eth0 type macvlan mode bridge")
    run(f"up {write(BY_MAC)}")
    nic.reaches("web", GATEWAY)


@pytest.mark.usefixtures("nic")
def test_no_nic_has_the_mac() -> None:
    file = write('{ mac = "02:00:00:00:00:cc" }')
    (error,) = told(f"up {file}", code=1)["errors"]
    assert error["message"] == "no NIC on this machine has the MAC 02:00:00:00:00:cc"
    assert error["hint"] == f"NICs here: eth0 ({HOST_MAC}), eth1 ({OTHER_MAC})"
    assert told(f"plan {file}", code=1)["errors"] == [error]
    (nameless,) = told(f"export {file} --to networkd", code=1)["errors"]
    assert nameless["message"].endswith("what it is called is unknown")
    assert "02:00:00:00:00:cc" in run(f"graph {file}").stdout


@pytest.mark.parametrize(
    ("parent", "arrival"),
    [
        (BY_MAC, f"link add eth7 address {HOST_MAC} type veth peer name port7"),
        ('"uplink"', "link property add dev spare altname uplink"),
    ],
)
def test_it_is_waited_for(world: World, parent: str, arrival: str) -> None:
    world.ip("link add spare type veth peer name spare-peer")
    process = world.start([VLANLINK, "up", write(parent), "--wait", "60"])
    assert process.stderr is not None
    line = next_line(process, "stderr")
    assert line.startswith(f"waiting for {HOST_MAC if parent == BY_MAC else 'uplink'} "), line
    world.ip(arrival)
    assert process.wait(30) == 0, process.stderr.read()
    run("down office")


def _is_sleep(command: Path) -> bool:
    return command.read_text() == "sleep\n"


def test_containers_are_attached_before_and_after(nic: World) -> None:
    run(f"up {write(BY_MAC, 'shim = true')}")
    for name in ("first", "second"):
        process = nic.start(["unshare", "--net", "sleep", "1000"])
        command = Path(f"/proc/{process.pid}/comm")
        until(partial(_is_sleep, command), "it runs")
        found = told(f"attach office/pub --pid {process.pid} --id {name}")
        nic.reaches("", found["addresses"][0].partition("/")[0])
        rename(nic, *(("eth0", "wan0") if name == "first" else ("wan0", "eth0")))
        run("up /run/office.toml")
        nic.reaches("", found["addresses"][0].partition("/")[0])
    assert len([one for one in nic.names() if one.startswith("sh-")]) == 1
    run("down office")


@PARENTS
def test_watch_follows_a_nic_that_is_renamed(nic: World, parent: str) -> None:
    with watching(vlanlink.load(write(parent, "shim = true"))) as events:
        rename(nic, "eth0", "wan0")
        until(lambda: nic.pings("", WEB), f"the host reaches it: {events}")
        nic.lose_name("web")
        until(lambda: "repaired" in {one.event for one in events}, f"it goes on: {events}")
        until(lambda: vlanlink.status("office").state == "up", f"in sync: {events}")
    assert "blocked" not in {one.event for one in events}


def test_watch_says_once_what_has_been_renamed(nic: World) -> None:
    with watching(vlanlink.load(write('"eth0"'))) as events:
        rename(nic, "eth0", "wan0")
        until(lambda: events[-1].event == "blocked", f"known: {events}")
        assert "eth0 has been renamed to wan0" in str(events[-1])
        nic.ip("link add strange type veth peer name stranger")
        rename(nic, "wan0", "eth0")
        until(lambda: events[-1].event in ("in_sync", "repaired"), f"goes on: {events}")
    assert [one.event for one in events].count("blocked") == 1


def written_to_choose(parent: str, file: str = FILE, namespace: str = "web") -> Path:
    """The file, in which vlanlink chooses the endpoint's address."""
    path = Path(write(parent, file=file))
    text = path.read_text().replace(f'addresses = ["{WEB}"]', "")
    path.write_text(text.replace("spaces.web", f"spaces.{namespace}"))
    return path


def test_a_lease_counts_under_the_new_name(nic: World) -> None:
    """Two topologies by different names of one NIC."""
    first = written_to_choose('"eth0"')
    run(f"up {first}")
    given = told("inspect pub")["endpoints"][0]["addresses"]
    nic.ip("link property add dev eth0 altname eth00")
    rename(nic, "eth0", "wan0")
    second = written_to_choose(BY_MAC, "/run/second.toml", "db")
    run(f"up {second}")
    assert told("inspect second/pub")["endpoints"][0]["addresses"] != given


def test_a_lease_counts_under_the_new_name_when_its_topology_is_down(nic: World) -> None:
    """No record knows the NIC any more: its MAC tells."""
    first = written_to_choose('"eth0"')
    run(f"up {first}")
    given = told("inspect pub")["endpoints"][0]["addresses"]
    run(f"down {first}")
    rename(nic, "eth0", "wan0")
    second = written_to_choose('"wan0"', "/run/second.toml", "db")
    run(f"up {second}")
    assert told("inspect second/pub")["endpoints"][0]["addresses"] != given
    first.write_text(first.read_text().replace('"eth0"', '"wan0"'))
    run(f"up {first}")
    assert told("inspect office/pub")["endpoints"][0]["addresses"] == given


@pytest.mark.needs("vlan", "trunk")
@pytest.mark.parametrize(
    ("parent", "vlan"), [(BY_MAC_VLAN, "eth0.50"), ('"lan.50"', "lan.50"), ('"eth0.50"', "eth0.50")]
)
def test_a_vlan_keeps_its_name_when_the_nic_is_renamed(trunk: Lan, parent: str, vlan: str) -> None:
    world = trunk.world
    trunk.router(f"{GATEWAY}/24", vlan=50)
    world.ip("link property add dev eth0 altname lan")
    file = write(parent)
    run(f"up {file}")
    world.reaches("web", GATEWAY)
    index = world.link(vlan)["ifindex"]
    rename(world, "eth0", "wan0")
    if parent == '"eth0.50"':
        world.ip("link property add dev wan0 altname eth0")
    assert told(f"up {file}")["changes"] == []
    assert world.link(vlan)["ifindex"] == index
    world.reaches("web", GATEWAY)
    world.ip(f"link delete {vlan}")
    run(f"up {file}")
    world.reaches("web", GATEWAY)
    run("down office")
    assert world.names() == {"lo", "wan0"}


NIC_MACS = ("52:54:00:76:6c:01", "52:54:00:76:6c:02")
"""Those of the guest's own NICs."""


@pytest.fixture
def hardware(world: World) -> str:
    """The name of the guest's first NIC; the second is the gateway's."""
    world.make_place("router")
    names: list[str] = []
    for mac, place in zip(NIC_MACS, (str(os.getpid()), world.path("router")), strict=True):
        (name,) = [
            one["ifname"]
            for one in json.loads(world.run("nsenter -t 1 -n ip -j link").stdout)
            if mac in (one["address"], one.get("permaddr"))
        ]
        world.run(f"nsenter -t 1 -n ip link set {name} netns {place}")
        names.append(name)
    world.batch(f"addr add {GATEWAY}/24 dev {names[1]}\nlink set {names[1]} up", "router")
    return names[0]


@pytest.mark.needs("nics", "vlan", "ipvlan")
@pytest.mark.alone
def test_the_permanent_mac_counts(world: World, hardware: str) -> None:
    """Not the one that is set; and not an ipvlan link, which reports its parent's."""
    nic, mac = hardware, NIC_MACS[0]
    world.ip(f"link set {nic} address 02:00:00:00:00:dd")
    file = write(f'{{ mac = "{mac}" }}')
    run(f"up {file}")
    world.reaches("web", GATEWAY)
    run("down office")
    world.ip(f"link set {nic} address {mac}")
    world.ip(f"link add iv0 link {nic} type ipvlan mode l2")
    world.ip(f"link add {nic}.7 link {nic} type vlan id 7")
    text = Path(file).read_text().replace('kind = "macvlan"', 'kind = "ipvlan"')
    Path(file).write_text(text)
    run(f"up {file}")
    world.reaches("web", GATEWAY)
    rename(world, nic, "wan0")
    assert told(f"up {file}")["changes"] == []
    run("down office")
    write('{ mac = "02:00:00:00:00:dd" }')
    (error,) = told(f"up {file}", code=1)["errors"]
    assert error["hint"] == f"NICs here: wan0 ({mac})"
