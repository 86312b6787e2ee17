"""S21: 4,000 endpoints on one parent."""

import re

import pytest

import vlanlink
from tests.kernel.examples import example
from tests.kernel.judge import dump, same
from tests.kernel.lan import HOST_MAC, SWITCH, Lan
from tests.kernel.wire import ready
from tests.kernel.world import World, until

COUNT = 4000


@pytest.mark.needs("macvlan")
@pytest.mark.alone
def test_s21_thousands_of_endpoints(lan: Lan) -> None:
    world = lan.world
    lan.router("10.21.0.1/16")
    ready(lan)
    before = dump(world)
    topology = example("21-many")
    seen = lan.capture("router", "eth0", f"arp and not ether src {HOST_MAC}")
    done = vlanlink.up(topology)
    assert (len(done.changes), done.notes) == (4 * COUNT, ())
    assert vlanlink.plan(topology).changes == ()
    assert len(world.namespaces()) == COUNT
    # Every endpoint has told the LAN who it is: the switch has learnt all MACs at the host's port.
    until(lambda: len(_told(seen.text())) == COUNT, "all are told of")
    told = _told(seen.text())
    addresses, macs = {a for a, _ in told}, {m for _, m in told}
    assert (len(addresses), len(macs)) == (COUNT, COUNT)
    learnt = _learnt(world, "port1")
    assert macs <= learnt
    gateway = world.link("eth0", "router")["address"]
    for name in ("e0001", "e2000", "e4000"):
        link = world.link("eth0", name)
        address = world.addresses("eth0", name)[0].partition("/")[0]
        assert (address, link["address"]) in told
        # Neither asks for the other: a broadcast goes to all 4,000, and where softirqs are put off
        # it fills the backlog (net.core.netdev_max_backlog, 1,000), which drops the rest of it.
        world.ip(f"neigh replace {address} lladdr {link['address']} dev eth0", "router")
        world.ip(f"neigh replace 10.21.0.1 lladdr {gateway} dev eth0", name)
        world.reaches("router", address)
    vlanlink.down(topology)
    assert world.namespaces() == set()
    world.settle()
    same(world, before)


def _told(text: str) -> set[tuple[str, str]]:
    """The addresses and MACs of the gratuitous ARPs in a capture."""
    lines = re.findall(r"(\S+) > ff:ff:ff:ff:ff:ff.*who-has (\S+) tell (\S+),", text)
    return {(asked, mac) for mac, asked, teller in lines if asked == teller}


def _learnt(world: World, port: str) -> set[str]:
    """The MACs that the switch has seen on a port, by `bridge fdb`."""
    lines = world.run(f"bridge fdb show brport {port}", SWITCH).stdout.splitlines()
    return {line.split()[0] for line in lines if "permanent" not in line}
