"""The kernel deletes the links of a removed namespace later: what follows takes that into account.

An open file keeps a namespace alive that has no name: it is deleted as late as a test needs.
"""

import os
import time
from collections.abc import Callable

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World
from vlanlink.kernel import execution

pytestmark = pytest.mark.needs("macvlan")

NEVER = 1e9
QUIET = "probe = false\n"
BASE = f'[links.m0]\nkind = "macvlan"\nparent = "eth0"\n{QUIET}'
APP = f"""
[networks.n]
kind = "macvlan"
parent = "m0"
{QUIET}
[namespaces.app.interfaces.eth0]
network = "n"
"""


def load(name: str, text: str) -> vlanlink.Topology:
    return vlanlink.load(f"/run/{name}.toml", text=text)


class LateDeletion:
    """A namespace that loses its name, and that the kernel can delete from the next wait on."""

    def __init__(self, namespace: str) -> None:
        self.file: int | None = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        self.sleep = time.sleep

    def begin_at_next_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "sleep", self._wait)

    def _wait(self, seconds: float) -> None:
        if self.file is not None:
            os.close(self.file)
            self.file = None
        self.sleep(seconds)


def down() -> None:
    vlanlink.down("base")


def edit() -> None:
    vlanlink.up(load("base", BASE.replace("eth0", "eth1")))


def undo(topology: vlanlink.Topology) -> None:
    """All operations are done, then the caller cancels."""
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(topology, on_progress=lambda done, total, _: done < total)


def receive_mode(world: World, name: str) -> tuple[int, bool]:
    link = world.link(name)
    return link["promiscuity"], "UP" in link["flags"]


@pytest.mark.parametrize("verb", [down, edit])
def test_a_nic_goes_down_after_what_an_earlier_run_removed(
    lan: Lan, monkeypatch: pytest.MonkeyPatch, verb: Callable[[], None]
) -> None:
    world = lan.world
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    world.ip("link set eth0 down")
    before = dump(world)
    vlanlink.up(load("base", BASE))
    vlanlink.up(load("app", APP))
    late = LateDeletion("app")
    vlanlink.down("app")
    assert receive_mode(world, "eth0") == (1, True)
    late.begin_at_next_wait(monkeypatch)
    verb()
    assert receive_mode(world, "eth0") == (0, False)
    assert late.file is None
    if verb is edit:
        vlanlink.down("base")
    same(world, before)


def test_undo_sets_a_nic_down_after_what_others_removed(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lan.world
    world.ip("link set eth0 down")
    before = dump(world)
    world.ip("netns add theirs")
    world.ip("link add link eth0 name mv0 netns theirs type macvlan mode bridge")
    world.ip("link set mv0 up", "theirs")
    late = LateDeletion("theirs")
    world.ip("netns delete theirs")
    late.begin_at_next_wait(monkeypatch)
    undo(load("base", BASE))
    assert receive_mode(world, "eth0") == (0, False)
    assert late.file is None
    same(world, before)


def test_undo_does_not_wait_for_links_that_stay(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A NIC that was down with a link on it that is up becomes so again."""
    world = lan.world
    world.ip("link set eth0 down")
    world.ip("link add link eth0 name mv0 type macvlan mode bridge")
    world.ip("link set mv0 up")
    monkeypatch.setattr(execution, "DELETION_SECONDS", NEVER)
    undo(load("base", BASE))
    assert "UP" not in world.link("eth0")["flags"]
    assert "UP" in world.link("mv0")["flags"]


def test_a_link_of_the_topology_goes_down_under_others(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits: that the links on it stay is what the file asks for."""
    world = lan.world
    pair = '[links.v0]\nkind = "veth"\npeer = { name = "v1" }\n%s'
    above = f'[links.m1]\nkind = "macvlan"\nparent = "v0"\n{QUIET}'
    vlanlink.up(load("base", pair % "" + above))
    assert receive_mode(world, "v0") == (1, True)
    monkeypatch.setattr(execution, "DELETION_SECONDS", NEVER)
    monkeypatch.setattr(execution, "LOOK_SECONDS", NEVER)
    vlanlink.up(load("base", pair % "up = false\n" + above))
    assert "UP" not in world.link("v0")["flags"]
    assert "UP" in world.link("m1")["flags"]


def test_undo_sets_links_down_before_the_nic_below(lan: Lan) -> None:
    """The MAC of a link that is set down later would keep the NIC promiscuous."""
    world = lan.world
    world.ip("link add link eth0 name mv0 type macvlan mode bridge")
    world.ip("link set eth0 down")
    before = dump(world)
    networks = "".join(
        f'[networks.{parent}]\nkind = "macvlan"\nparent = "{parent}"\n{QUIET}'
        f'[namespaces.on-{parent}.interfaces.eth0]\nnetwork = "{parent}"\n'
        for parent in ("eth0", "mv0")
    )
    undo(load("both", networks))
    assert [receive_mode(world, name) for name in ("eth0", "mv0")] == [(0, False)] * 2
    same(world, before)


def test_a_mac_that_goes_is_in_the_way_of_up_only_for_a_moment(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lan.world
    before = dump(world)
    app = load("app", APP.replace("m0", "eth0"))
    vlanlink.up(app)
    mac = world.link("eth0", "app")["address"]
    late = LateDeletion("app")
    vlanlink.down("app")
    late.begin_at_next_wait(monkeypatch)
    monkeypatch.setattr(execution, "BUSY_SECONDS", 0.0)  # what is in use has longer
    vlanlink.up(app)
    assert late.file is None
    eth0 = world.link("eth0", "app")
    assert (eth0["address"], "UP" in eth0["flags"]) == (mac, True)
    vlanlink.down("app")
    same(world, before)
