"""Attachments beside the rest of a topology: restart, the last one, the same id twice, leases."""

import os
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.attaching import end, inside, office, start_container
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World, until

pytestmark = [pytest.mark.needs("macvlan"), pytest.mark.usefixtures("lan")]

IDLE = """
[networks.idle]
kind = "macvlan"
parent = "eth1"
probe = false
shim = true
subnets = [{ subnet = "172.16.9.0/24" }]
"""
OTHER = """
[topology]
name = "other"
[networks.lan]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{ subnet = "172.16.5.0/24" }]
[namespaces.db.interfaces.eth0]
network = "lan"
"""


def test_restart_attaches_again(world: World) -> None:
    before = dump(world)
    vlanlink.up(office("shim = true"))
    stays, ends = start_container(world), start_container(world)
    one = vlanlink.attach("office/pub", pid=stays, id="c1")
    two = vlanlink.attach("office/pub", pid=ends, id="c2")
    end(world, ends)
    done = vlanlink.restart("office")
    both = [{(c.namespace, c.name) for c in plan.changes} for plan in (done.down, done.up)]
    assert all(("c1", "eth0") in changed for changed in both)
    assert vlanlink.attachments()[0] == one
    assert {(a.id, a.live) for a in vlanlink.attachments()} == {("c1", True), ("c2", False)}
    assert one.addresses[0] in inside(world, stays, "ip -br addr show eth0")
    world.reaches("", one.addresses[0].partition("/")[0])
    assert vlanlink.status("office").state == "up"
    back = vlanlink.attach("office/pub", pid=start_container(world), id="c2")
    assert (back.addresses, back.mac) == (two.addresses, two.mac)
    vlanlink.down("office")
    assert "eth0" not in inside(world, stays, "ip -br link")
    same(world, before)


def test_a_restart_that_fails_brings_attachments_back(world: World) -> None:
    vlanlink.up(office())
    pid = start_container(world)
    one = vlanlink.attach("office/pub", pid=pid, id="c1")
    steps: list[str] = []

    def stop_at_the_third(done: int, total: int, text: str) -> None:
        del done, total
        steps.append(text)
        if len(steps) == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        vlanlink.restart(office('mode = "private"'), on_progress=stop_at_the_third)
    assert vlanlink.attachments() == (one,)
    assert one.addresses[0] in inside(world, pid, "ip -br addr show eth0")
    assert vlanlink.status("office").state == "up"
    assert len(steps) == 3


def test_the_last_one_leaves_the_rest_as_it_is(lan: Lan, world: World) -> None:
    """The network's shim and parent are needed no longer. Drift of others is not its concern."""
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    world.ip("link set eth1 down")
    before = world.link("eth1")["flags"]
    vlanlink.up(office(more=IDLE))
    first, last = start_container(world), start_container(world)
    vlanlink.attach("office/idle", pid=first, id="c1")
    vlanlink.attach("office/idle", pid=last, id="c2")
    assert "UP" in world.link("eth1")["flags"]
    world.ip("addr del 172.16.3.15/24 dev eth0", "web")
    drift = str(vlanlink.status("office").plan)
    vlanlink.detach("office/idle", "c1")
    shim = next(name for name in world.names() if name not in ("lo", "eth0", "eth1"))
    assert world.link(shim)["link"] == "eth1"
    vlanlink.detach("office/idle", "c2")
    assert shim not in world.names()
    assert world.link("eth1")["flags"] == before
    assert str(vlanlink.status("office").plan) == drift
    vlanlink.up(office(more=IDLE))
    assert vlanlink.status("office").state == "up"
    assert vlanlink.attach("office/idle", pid=last, id="c2").addresses == ("172.16.9.1/24",)


def test_the_last_of_a_used_network_reads_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's own endpoint needs parent and shim in any case."""
    from vlanlink.reconcile.session import Session

    vlanlink.up(office("shim = true"))
    vlanlink.attach("office/pub", pid=start_container(world), id="c1")
    monkeypatch.delattr(Session, "observe")
    vlanlink.detach("office/pub", "c1")
    monkeypatch.undo()
    assert vlanlink.status("office").state == "up"


def test_two_topologies_have_an_attachment_of_one_id(world: World) -> None:
    vlanlink.up(office())
    vlanlink.up(vlanlink.load("/run/other.toml", text=OTHER))
    for network, name in (("office/pub", "c1"), ("other/lan", "c1"), ("office/pub", "db")):
        vlanlink.attach(network, pid=start_container(world), id=name)
    assert {(n.name, n.endpoints) for n in vlanlink.networks()} == {("pub", 3), ("lan", 2)}
    shown = {one.summary.name: one.endpoints for one in vlanlink.inspect()}
    assert [one.namespace for one in shown["pub"]] == ["web", "c1", "db"]
    assert [one.namespace for one in shown["lan"]] == ["db", "c1"]
    assert len({one.addresses for found in shown.values() for one in found}) == 5
    assert vlanlink.inspect("lan").endpoints == shown["lan"]
    assert len(vlanlink.snapshot().namespaces) == 6
    assert {one.state for one in vlanlink.status()} == {"up"}
    vlanlink.detach("other/lan", "c1")
    assert {(n.name, n.endpoints) for n in vlanlink.networks()} == {("pub", 3), ("lan", 1)}


def test_one_container_on_two_topologies(world: World) -> None:
    vlanlink.up(office())
    vlanlink.up(vlanlink.load("/run/other.toml", text=OTHER))
    pid = start_container(world)
    vlanlink.attach("office/pub", pid=pid, id="c1")
    vlanlink.attach("other/lan", pid=pid, id="c1", interface="eth1")
    assert {(n.name, n.endpoints) for n in vlanlink.networks()} == {("pub", 2), ("lan", 2)}
    vlanlink.down("other")
    assert vlanlink.status("office").state == "up"
    links = inside(world, pid, "ip -br link")
    assert "eth0" in links
    assert "eth1" not in links


def test_leases_list_those_of_attachments(world: World) -> None:
    vlanlink.up(office())
    stays, ends = start_container(world), start_container(world)
    vlanlink.attach("office/pub", pid=stays, id="c1")
    vlanlink.attach("office/pub", pid=ends, id="c2")
    end(world, ends)
    found = {one.endpoint: one for one in vlanlink.leases("office") if one.attached}
    assert {(name, one.address, one.in_use) for name, one in found.items()} == {
        ("c1/eth0", "172.16.3.2", True),
        ("c2/eth0", "172.16.3.3", False),
    }
    assert found["c1/eth0"].parent == "eth0"
    with pytest.raises(vlanlink.ConflictError, match="is in use by c1/eth0") as caught:
        vlanlink.leases(release=["172.16.3.2"])
    assert caught.value.diagnostics[0].hint == "vlanlink detach office/pub c1 gives it back"
    left = vlanlink.leases(release=["172.16.3.3"])
    assert "172.16.3.3" not in {one.address for one in left}
    assert [one.id for one in vlanlink.attachments()] == ["c1"]


def test_an_attachment_that_is_detached_while_its_topology_is_down(world: World) -> None:
    vlanlink.up(office())
    vlanlink.attach("office/pub", pid=start_container(world), id="c1")
    held = world.start(["sleep", "1000"], "web")
    until(lambda: os.readlink(f"/proc/{held.pid}/exe").endswith("sleep"))
    vlanlink.down("office")
    vlanlink.detach("office/pub", "c1")
    assert vlanlink.attachments() == ()
    assert not list(Path("/run/vlanlink").glob("office@*+*"))


def test_a_chosen_address_is_neither_the_hosts_nor_a_routers(world: World) -> None:
    world.ip("link add spare0 type veth peer name spare1")
    world.ip("addr add 172.16.3.3/32 dev spare0")
    routed = office(more='routes = [{ to = "10.9.0.0/16", via = "172.16.3.2" }]\n')
    vlanlink.up(routed)
    pid = start_container(world)
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    assert found.addresses == ("172.16.3.4/24",)
    world.ip("addr add 172.16.3.4/32 dev spare0")
    assert not vlanlink.up(routed).changes
    assert vlanlink.attach("office/pub", pid=pid, id="c1") == found
    assert "172.16.3.4/24" in inside(world, pid, "ip -br addr show eth0")
