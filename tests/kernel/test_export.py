"""The exported script makes what ``up`` makes, and its undo leaves nothing."""

import errno
import json
import os
from typing import Any

import pytest

import vlanlink
from tests.kernel.examples import every_example, example
from tests.kernel.judge import differences, dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import World, until
from vlanlink.kernel.machine import Machine

MARKS = {"ifindex", "link_index", "group", "ifalias", "protocol", "promiscuity", "allmulti"}
"""What differs between any two runs, and the marks that only ``up`` leaves."""


def unmarked(found: Any) -> Any:
    """A dump without marks, and without MACs that the kernel draws by lot."""
    links = [
        link for name in found if isinstance(found[name], dict) for link in _links(found[name])
    ]
    drawn = {one["address"] for one in links if one["ifname"].startswith("dm-")}
    text = json.dumps(_unmarked(found))
    for mac in drawn:
        text = text.replace(mac, "random")
    return json.loads(text)


def _links(network: Any) -> list[Any]:
    return list(network["link"].values()) if "link" in network else []


def _unmarked(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _unmarked(value) for key, value in found.items() if key not in MARKS}
    return [_unmarked(one) for one in found] if isinstance(found, list) else found


def script(world: World, topology: vlanlink.Topology, *, undo: bool = False) -> None:
    done = vlanlink.export(topology, "iproute2", undo=undo)
    world.run(["sh", "-eu"], stdin=done.text)


@pytest.mark.needs("macvlan")
def test_a_kernel_that_cannot_be_asked(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """By file and by name: an error as of every verb."""
    del lan
    topology = vlanlink.load("t.toml", text=small("t", web=""))
    vlanlink.up(topology)

    def refuses(_: Machine) -> None:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    monkeypatch.setattr(Machine, "host_snapshot", refuses)
    for wanted in (topology, "t"):
        with pytest.raises(vlanlink.ConflictError, match="the kernel could not be asked"):
            vlanlink.export(wanted, "iproute2")


@pytest.mark.parametrize("name", every_example())
def test_the_script_makes_what_up_makes(lan: Lan, name: str) -> None:
    compare(lan.world, example(name))


def compare(world: World, topology: vlanlink.Topology) -> None:
    """The script leads to what ``up`` leads to, and its undo to what was there before."""
    before = dump(world)
    script(world, topology)
    by_hand = unmarked(dump(world, *topology.namespaces))
    script(world, topology, undo=True)
    same(world, before)
    vlanlink.up(topology)
    equal_to(world, by_hand, topology)


def equal_to(world: World, by_hand: Any, topology: vlanlink.Topology) -> None:
    """``up`` leads to what the script made."""
    left: list[str] = []

    def equal() -> bool:
        left[:] = differences(by_hand, unmarked(dump(world, *topology.namespaces)))
        return not left

    try:
        until(equal, seconds=5)
    except AssertionError:
        raise AssertionError("differs from the script:\n" + "\n".join(left[:20])) from None


OPTIONS = """
[links.d0]
kind = "dummy"
mtu = 1400
altnames = ["one", "two"]
addresses = ["192.0.2.5/24", "2001:db8::5/64"]
routes = [{ to = "198.51.100.0/24", via = "192.0.2.1", metric = 7, onlink = true, table = 100 }]

[links.v0]
kind = "veth"
addresses = ["10.5.0.1/30"]
peer = { name = "v1", namespace = "web", addresses = ["10.5.0.2/30"], mac = "02:00:00:00:00:11" }

[namespaces.web]
sysctls = { "net.ipv4.ip_forward" = 1 }
dns = ["192.0.2.53"]

[namespaces.web.interfaces.m0]
kind = "macvlan"
mode = "source"
source_macs = ["02:00:00:00:00:01", "02:00:00:00:00:02"]
parent = "eth0"
bc_queue_len = 50
addresses = ["169.254.7.7/16"]
up = false

[host]
sysctls = { "net.ipv4.ip_forward" = 1 }
routes = [{ to = "10.1.1.0/24", dev = "v0", via = "10.5.0.2" }]
"""


@pytest.mark.needs("macvlan", "dummy")
def test_options_addresses_routes_and_files(lan: Lan) -> None:
    _compare(lan, OPTIONS)


@pytest.mark.needs("macvlan")
def test_the_same_without_a_dummy(lan: Lan) -> None:
    _compare(lan, OPTIONS[OPTIONS.index("[links.v0]") :])


VLANS = """
[links.q0]
kind = "vlan"
parent = "eth0"
id = 7
protocol = "802.1ad"
reorder_hdr = false
gvrp = false
egress_qos = { "0" = 1, "3" = 5 }
ingress_qos = { "1" = 2 }
loose_binding = true

[networks.in]
kind = "ipvlan"
parent = "q0.9"
mode = "l3"
flag = "private"
subnets = [{ subnet = "10.7.0.0/24" }]

[namespaces.a.interfaces.eth0]
network = "in"
"""


@pytest.mark.needs("vlan", "ipvlan")
def test_vlans_and_their_options(lan: Lan) -> None:
    _compare(lan, VLANS)


def _compare(lan: Lan, text: str) -> None:
    lan.world.run(["sh", "-c", "cp -a /etc /run/etc && mount --bind /run/etc /etc"])
    compare(lan.world, vlanlink.load("all.toml", text=text))
