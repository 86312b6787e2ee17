"""Parents under a master: VLANs of a VLAN-aware bridge, and members of a VRF."""

import json
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.faults import refusal
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World
from vlanlink.topology import parse

ROUTER = "10.50.0.1"


def _topology(name: str = "pve", host: int = 9, extra: str = "") -> vlanlink.Topology:
    return parse(f"""
        [topology]
        name = "{name}"
        [networks.v50]
        kind = "macvlan"
        parent = "vmbr0.50"
        probe = false
        subnets = [{{ subnet = "10.50.0.0/24", gateway = "{ROUTER}" }}]
        {extra}
        [namespaces.{name}.interfaces.eth0]
        network = "v50"
        addresses = ["10.50.0.{host}"]
    """)


MANAGED = "manage_bridge_vlan = true"


@pytest.fixture
def node(trunk: Lan) -> World:
    """A Proxmox node: its NIC is a port of a VLAN-aware bridge, VLAN 50 open on the port."""
    world = trunk.world
    world.ip("link add vmbr0 type bridge forward_delay 0 vlan_filtering 1 mcast_snooping 0")
    world.ip("link set eth0 master vmbr0")
    world.ip("link set vmbr0 up")
    world.run("bridge vlan add dev eth0 vid 50")
    trunk.router("192.168.9.1/24")
    trunk.router(f"{ROUTER}/24", vlan=50)
    world.ip("addr add 192.168.9.5/24 dev vmbr0")
    world.reaches("", "192.168.9.1")
    return world


def _vlans(world: World) -> list[int]:
    found = json.loads(world.run("bridge -j vlan show dev vmbr0").stdout)
    return [vlan["vlan"] for vlan in found[0]["vlans"]] if found else []


@pytest.mark.needs("vlan", "macvlan", "trunk")
def test_a_closed_vlan_is_named_with_its_command(node: World) -> None:
    command = "bridge vlan add dev vmbr0 vid 50 self"
    (note,) = vlanlink.up(_topology()).notes
    assert note.message.startswith("vmbr0.50 receives nothing: VLAN 50 is not open on bridge vmbr0")
    assert command in str(note.hint)
    assert command in str(note.hint)
    findings = vlanlink.doctor(_topology()).findings
    assert any(command in str(one) for one in findings)
    node.does_not_reach("pve", ROUTER)
    result = vlanlink.verify("pve")
    causes = {(check.cause, check.facts) for check in result.differences}
    facts = ("VLAN 50 is not open on bridge vmbr0", f"{command} opens it")
    assert causes == {("VLAN closed on the bridge", facts)}
    node.run(command)
    node.reaches("pve", ROUTER)
    assert vlanlink.verify("pve").ok
    assert vlanlink.up(_topology()).notes == ()
    vlanlink.down("pve")
    assert _vlans(node) == [1, 50]


@pytest.mark.needs("vlan", "macvlan", "trunk")
def test_it_is_opened_kept_for_others_and_closed_again(node: World) -> None:
    before = dump(node)
    plan = vlanlink.plan(_topology(extra=MANAGED))
    assert "bridge vlan 50 self off → on" in str(plan)
    vlanlink.up(_topology(extra=MANAGED))
    assert _vlans(node) == [1, 50]
    node.reaches("pve", ROUTER)
    assert vlanlink.up(_topology(extra=MANAGED)).operations == ()
    node.run("bridge vlan del dev vmbr0 vid 50 self")
    assert vlanlink.status("pve").state == "drifted"
    vlanlink.up(_topology(extra=MANAGED))
    vlanlink.up(_topology("other", 10))
    vlanlink.down("pve")
    assert _vlans(node) == [1, 50]
    node.reaches("other", ROUTER)
    vlanlink.down("other")
    assert _vlans(node) == [1]
    same(node, before)
    assert not list(Path("/run/vlanlink").glob("pve*"))


@pytest.mark.needs("vlan", "macvlan", "trunk")
def test_what_was_open_stays_open(node: World) -> None:
    node.run("bridge vlan add dev vmbr0 vid 50 self")
    vlanlink.up(_topology(extra=MANAGED))
    vlanlink.down("pve")
    assert _vlans(node) == [1, 50]


@pytest.mark.needs("vlan", "macvlan", "trunk")
def test_it_is_closed_when_the_network_leaves_the_file_and_on_undo(node: World) -> None:
    vlanlink.up(_topology(extra=MANAGED))
    vlanlink.up(parse('[topology]\nname = "pve"\n[namespaces.pve]\n'))
    assert _vlans(node) == [1]

    for number in range(4):
        with refusal(number) as fault, pytest.raises(vlanlink.VlanlinkError):
            vlanlink.up(_topology(extra=MANAGED))
        assert fault.refused
        assert _vlans(node) == [1]
    vlanlink.up(_topology(extra=MANAGED))
    assert _vlans(node) == [1, 50]
    vlanlink.down("pve")
    assert _vlans(node) == [1]


@pytest.mark.needs("macvlan", "vrf")
def test_a_member_of_a_vrf_is_a_parent(lan: Lan) -> None:
    world = lan.world
    lan.router("10.50.0.1/24")
    world.ip("link add blue type vrf table 10")
    world.ip("link set blue up")
    world.ip("link set eth0 master blue")
    world.ip("addr add 10.50.0.5/24 dev eth0")
    before = dump(world)
    topology = parse(f"""
        [topology]
        name = "pve"
        [networks.lan]
        kind = "macvlan"
        parent = "eth0"
        subnets = [{{ subnet = "10.50.0.0/24", gateway = "{ROUTER}" }}]
        [namespaces.pve.interfaces.eth0]
        network = "lan"
        addresses = ["10.50.0.9"]
    """)
    assert not [f for f in vlanlink.doctor(topology).findings if f.severity == "failure"]
    vlanlink.up(topology)
    world.reaches("pve", ROUTER)
    assert vlanlink.verify("pve").ok
    vlanlink.down("pve")
    same(world, before)
    world.ip("link add br0 type bridge")
    world.ip("link set eth0 master br0")
    with pytest.raises(vlanlink.ConflictError, match="eth0 is a port of br0"):
        vlanlink.up(topology)
