"""``up --wait``: a parent that is not there yet is waited for, and only that."""

import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.interrupts import noted
from tests.kernel.judge import dump, same
from tests.kernel.world import World, next_line, until
from vlanlink.cli.main import main
from vlanlink.errors import ConflictError

pytestmark = pytest.mark.needs("macvlan")

FILE = "/run/late.toml"
TOPOLOGY = """
[topology]
name = "late"
[networks.pub]
kind = "macvlan"
parent = "nic0"
subnets = [{ subnet = "172.16.86.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.86.10"]
"""
MAKE = "link add nic0 type veth peer name nic0-peer"


@pytest.fixture(autouse=True)
def file(world: World) -> None:
    del world  # its /run is there
    Path(FILE).write_text(TOPOLOGY)


def _started(world: World, words: str) -> "subprocess.Popen[bytes]":
    """`vlanlink WORDS`, once it says what it waits for."""
    process = world.start([VLANLINK, *words.split()])
    line = next_line(process, "stderr")
    assert line.startswith("waiting for nic0 "), line
    return process


@pytest.mark.parametrize(
    "arrival",
    [
        pytest.param((MAKE,), id="made"),
        pytest.param((MAKE.replace("nic0 ", "eth9 "), "link set eth9 name nic0"), id="renamed"),
    ],
)
def test_it_goes_on_when_the_parent_comes(world: World, arrival: tuple[str, ...]) -> None:
    process = _started(world, f"up {FILE} --wait 60")
    world.ip("link add other type veth peer name other-peer")  # not what is waited for
    for words in arrival:
        world.ip(words)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.decode().splitlines()[-1].startswith("late is up: ")
    assert world.addresses("eth0", "one") == ["172.16.86.10/24"]


def test_a_parent_that_comes_out_of_another_namespace_is_seen(world: World) -> None:
    world.make_place("store")
    world.ip(MAKE, "store")
    process = _started(world, f"up {FILE} --wait 60 --dry-run")
    with open("/proc/self/ns/net") as home:
        path = f"/proc/self/fd/{home.fileno()}"
        with world.inside("store"):
            words = ["ip", "link", "set", "nic0", "netns", path]
            subprocess.run(words, check=True, pass_fds=(home.fileno(),))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "+ link eth0 macvlan bridge on nic0" in out.decode()
    assert world.namespaces() == set()


def test_a_port_that_leaves_its_bridge_is_still_there(world: World) -> None:
    """The kernel tells that as a link gone, of the family of bridges."""
    world.ip("link add side type veth peer name side-peer")
    world.batch("link add br0 type bridge\nlink set side master br0")
    text = TOPOLOGY + '[namespaces.two.interfaces.eth0]\nkind = "macvlan"\nparent = "side"\n'
    told: list[tuple[str, ...]] = []
    waits = threading.Event()

    def on_wait(parents: tuple[str, ...]) -> None:
        told.append(parents)
        waits.set()

    def comes() -> None:
        waits.wait(10)
        world.ip("link set side nomaster")
        world.ip(MAKE)

    other = threading.Thread(target=comes)
    other.start()
    vlanlink.plan(vlanlink.load(FILE, text=text), wait=60, on_wait=on_wait)
    other.join()
    assert told == [("nic0",)]


def test_at_the_end_of_the_time_the_parent_is_missing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(world)
    assert main(["up", FILE, "--wait", "0.1"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("waiting for nic0 (up to 0.1 s)\n")
    assert f"{FILE}:6:10: error: parent nic0 does not exist on this machine" in err
    same(world, before)


def test_nothing_is_locked_meanwhile(world: World) -> None:
    _started(world, f"up {FILE} --wait 60")
    world.ip("link add nic1 type veth peer name nic1-peer")
    text = TOPOLOGY.replace("late", "early").replace("nic0", "nic1").replace("one", "early")
    assert vlanlink.up(vlanlink.load("/run/early.toml", text=text)).changes


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_changes_nothing(world: World, end: signal.Signals) -> None:
    before = dump(world)
    process = _started(world, f"up {FILE} --wait 60")
    process.send_signal(end)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted while waiting for nic0; nothing was changed" in err.decode()
    assert not Path("/run/vlanlink").exists()
    same(world, before)


def test_an_interrupt_just_before_the_sleep_ends_it(world: World) -> None:
    before = dump(world)
    waits = threading.Event()
    with noted(waits), pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(FILE), wait=600, on_wait=lambda _: waits.set())
    same(world, before)


def test_without_a_wait_it_fails_at_once(world: World) -> None:
    del world
    with pytest.raises(ConflictError):
        vlanlink.plan(vlanlink.load(FILE), wait=0, on_wait=lambda _: pytest.fail("waits"))


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon", "86401"])
def test_an_odd_time_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", FILE, "--wait", seconds]) == 2
    assert f"{seconds} is not a number of seconds" in capsys.readouterr().err


NEEDS_ADDRESS = """
[topology]
name = "late"
[networks.pub]
kind = "macvlan"
parent = "nic0"
probe = false
shim = { name = "shim0" }
wait = "address"
subnets = [{ subnet = "172.16.86.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.86.10"]
"""


def test_the_shim_waits_for_the_parents_address(world: World) -> None:
    Path(FILE).write_text(NEEDS_ADDRESS)
    process = _started(world, f"up {FILE} --wait 60")
    world.ip(MAKE)
    world.ip("link set nic0-peer up")
    line = next_line(process, "stderr")
    assert line.startswith("waiting for an IPv4 address of nic0 "), line
    world.ip("addr add 169.254.7.7/16 dev nic0 scope link")
    world.ip("addr add 172.16.86.5/24 dev nic0-peer")
    assert "shim0" not in world.names()
    world.ip("addr add 172.16.86.5/24 dev nic0 valid_lft 3600 preferred_lft 3600")
    assert process.wait(60) == 0
    assert "src 172.16.86.5" in world.ip("route show table local dev shim0")


def test_without_time_left_the_shim_has_its_own(world: World) -> None:
    world.ip(MAKE)
    Path(FILE).write_text(NEEDS_ADDRESS)
    told: list[tuple[str, ...]] = []
    vlanlink.up(vlanlink.load(FILE), wait=0.2, on_wait=told.append)
    assert told == [("an IPv4 address of nic0",)]
    assert "src 169.254." in world.ip("route show table local dev shim0")
    Path(FILE).write_text(NEEDS_ADDRESS.replace('wait = "address"\n', ""))
    vlanlink.up(vlanlink.load(FILE), wait=60.0, on_wait=told.append)
    assert len(told) == 1


def test_a_watch_waits_for_the_parents_address(world: World) -> None:
    """As the unit with `--watch` does."""
    Path(FILE).write_text(NEEDS_ADDRESS)
    world.ip(MAKE)
    world.batch("link set nic0 up\nlink set nic0-peer up")
    process = world.start([VLANLINK, "watch", FILE, "--wait", "60"])
    line = next_line(process, "stderr")
    assert line.startswith("waiting for an IPv4 address of nic0 "), line
    assert "shim0" not in world.names()
    world.ip("addr add 172.16.86.5/24 dev nic0")
    assert next_line(process, "stdout").startswith("late is up")
    assert "src 172.16.86.5" in world.ip("route show table local dev shim0")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.parametrize(("end", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_watch_that_waits_ends_on_a_signal(world: World, end: signal.Signals, code: int) -> None:
    before = dump(world)
    process = _started(world, f"watch {FILE} --wait 60")
    process.send_signal(end)
    assert process.wait(30) == code
    same(world, before)


def test_a_watch_that_waits_can_be_stopped(world: World) -> None:
    told: list[tuple[str, ...]] = []
    watch = vlanlink.Watch(vlanlink.load(FILE), wait=60.0, on_wait=told.append)
    with ThreadPoolExecutor() as threads:
        run = threads.submit(watch.run)
        until(lambda: told, "it waits")
        watch.stop()
        run.result(30)  # neither an error nor an interrupt
    assert "one" not in world.namespaces()
