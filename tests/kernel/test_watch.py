"""``watch``: drift is reported and repaired, and a watch gives up in a fight."""

import os
import random
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.interrupts import noted
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.watching import FILE, SECONDS, Process, Watched, watched
from tests.kernel.wire import ready
from tests.kernel.world import World, until
from vlanlink.reconcile.session import open_session
from vlanlink.watcher import Event, Policy

pytestmark = pytest.mark.needs("macvlan")

HEAD = """
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{ subnet = "172.16.3.0/24", gateway = "172.16.3.1" }, { subnet = "2001:db8:3::/64" }]
"""
ENDPOINT = """
[namespaces.n{0}]
sysctls = {{ "net.ipv4.ip_forward" = 1 }}
[namespaces.n{0}.interfaces.eth0]
network = "pub"
addresses = ["172.16.3.{1}", "2001:db8:3::{1}"]
routes = [{{ to = "10.0.0.0/8", via = "172.16.3.2" }}]
"""
CHANGES = {
    "netns delete {0}": "namespace {0} is gone",
    "-n {0} link delete eth0": "link {0}/eth0 is gone",
    "-n {0} link set eth0 down": "link {0}/eth0 is down",
    "-n {0} link set eth0 mtu 1400": "mtu of {0}/eth0 is 1400, not 1500",
    "-n {0} link set eth0 address 02:00:00:00:00:99": "mac of {0}/eth0 is 02:00:00:00:00:99, not",
    "-n {0} link property add dev eth0 altname other": "altnames of {0}/eth0 is other, not none",
    "-n {0} address delete 172.16.3.{1}/24 dev eth0": "address 172.16.3.{1}/24 of {0}/eth0 is gone",
    "-n {0} address delete 2001:db8:3::{1}/64 dev eth0": "address 2001:db8:3::{1}/64 of {0}/eth0",
    "-n {0} route delete default": "route default via 172.16.3.1 dev eth0 in {0} is gone",
    "-n {0} route flush 10.0.0.0/8": "route 10.0.0.0/8 via 172.16.3.2 dev eth0 in {0} is gone",
    "netns exec {0} sysctl -qw net.ipv4.ip_forward=0": "sysctl net.ipv4.ip_forward in {0} is 0",
}
"""What others do to us, as `ip` takes it, and how it is told."""


def _text(endpoints: int) -> str:
    return HEAD + "".join(ENDPOINT.format(n, 10 + n) for n in range(endpoints))


@pytest.mark.parametrize("change", CHANGES)
def test_what_others_change_is_reported_and_repaired(lan: Lan, change: str) -> None:
    world = lan.world
    with watched(_text(2)) as watch:
        watch.told("up")
        before = dump(world, "n0", "n1")
        # As in ``lose_name``: one of the changes is that.
        world.run(f"ip {change.format('n1', 11)}", check=False)
        watch.told("drift", CHANGES[change].format("n1", 11))
        watch.told("repaired")
        same(world, before, "n0", "n1")


def test_two_hundred_changes_in_a_row(lan: Lan) -> None:
    world, count = lan.world, 6
    every = [(change, n) for change in CHANGES for n in range(count)]
    dice = random.Random(3)
    rounds = [dice.sample(every, len(every)) for _ in range(200 // len(every) + 1)]
    with watched(_text(count)) as watch:
        watch.told("up")
        spaces = [f"n{n}" for n in range(count)]
        before = dump(world, *spaces, sysctls=False)
        for change, n in [one for some in rounds for one in some][:200]:
            world.run(f"ip {change.format(f'n{n}', 10 + n)}", check=False)
            watch.told("drift", CHANGES[change].format(f"n{n}", 10 + n))
            watch.told("repaired")
            touched = {what: before[what] for what in ("netns", "host", f"n{n}")}
            same(world, touched, f"n{n}")
        same(world, before, *spaces)


def test_a_namespace_whose_name_alone_is_gone(lan: Lan) -> None:
    world = lan.world
    with watched(_text(1)) as watch:
        watch.told("up")
        world.unmount("/run/netns/n0")
        watch.told("drift", "namespace n0 is gone")
        watch.told("repaired")
        assert world.addresses("eth0", "n0")[0] == "172.16.3.10/24"


def test_a_parent_that_vanishes_and_comes_back(lan: Lan) -> None:
    world = lan.world
    with watched(_text(2)) as watch:
        watch.told("up")
        world.ip("link delete eth0")
        watch.told("blocked")
        world.ip("link add eth0 type veth peer name far")
        watch.told("repaired")
        assert world.addresses("eth0", "n1")[0] == "172.16.3.11/24"
        assert "UP" in world.link("eth0")["flags"]


def test_a_parent_that_is_not_there_yet(world: World) -> None:
    with watched(_text(1)) as watch:
        watch.told("blocked")
        world.ip("link add eth0 type veth peer name far")
        watch.told("up")
        assert world.addresses("eth0", "n0")[0] == "172.16.3.10/24"


def test_only_told_without_repair(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(vlanlink.load(FILE, text=_text(1)))
    with watched(_text(1), repair=False) as watch:
        watch.told("up")
        world.ip("-n n0 address delete 172.16.3.10/24 dev eth0")
        watch.told("drift", "address 172.16.3.10/24 of n0/eth0 is gone")
        drifted = dump(world, "n0")
        world.ip("link add other type veth peer name far")
        world.ip("link delete other")
        same(world, drifted, "n0")
        world.ip("-n n0 address add 172.16.3.10/24 brd + dev eth0")
        watch.told("drift", "route")
        vlanlink.up(vlanlink.load(FILE))
        watch.told("in_sync")
        assert not watch.events


def test_a_namespace_that_is_deleted_is_not_kept_alive(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(vlanlink.load(FILE, text=_text(1)))
    mac = world.link("eth0", "n0")["address"]
    with watched(_text(1), repair=False) as watch:
        watch.told("up")
        world.ip("netns delete n0")
        watch.told("drift", "namespace n0 is gone")
        world.ip(f"link add other link eth0 address {mac} type macvlan mode bridge")
        free = ["ip", "link", "set", "other", "up"]  # refused while its MAC is in use
        until(lambda: world.run(free, check=False).returncode == 0, "the link of n0 is gone")


def test_what_another_manager_keeps_undoing_is_left_alone(lan: Lan) -> None:
    world = lan.world
    policy = Policy(immediate=2, first_delay=0.01, give_up_after=4)
    with watched(_text(2), policy=policy) as watch:
        watch.told("up")
        rival = subprocess.Popen(
            ["ip", "-n", "n0", "-batch", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        world.started.append(rival)
        assert rival.stdin is not None
        for _ in range(policy.give_up_after):
            rival.stdin.write(b"route flush 10.0.0.0/8\n")
            rival.stdin.flush()
            watch.told("repaired")
        rival.stdin.write(b"route flush 10.0.0.0/8\n")
        rival.stdin.flush()
        given_up = watch.told("given_up")
        assert given_up.what == ("route 10.0.0.0/8 via 172.16.3.2 dev eth0 in n0 is gone",)
        assert given_up.suspects == (f"ip (process {rival.pid})",)
        world.ip("link add other type veth peer name far")  # another look
        world.ip("-n n1 address delete 172.16.3.11/24 dev eth0")  # what is not fought over
        watch.told("repaired")
        assert not any(event.event == "given_up" for event in watch.events)


def test_down_is_not_undone_and_up_goes_on(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    with watched(_text(1)) as watch:
        watch.told("up")
        vlanlink.down("office")
        watch.told("down")
        same(world, before)
        vlanlink.up(vlanlink.load(FILE))
        watch.told("in_sync")
        world.lose_name("n0")
        watch.told("repaired")


def test_a_watch_does_not_keep_what_goes_down_alive(lan: Lan) -> None:
    """It listens in the namespaces; the parent is set down once their links are deleted."""
    world = lan.world
    world.ip("link set eth0 down")
    before = dump(world)
    with watched(_text(3)) as watch:
        watch.told("up")
        assert world.link("eth0")["promiscuity"] == 1
        vlanlink.down("office")
        assert world.link("eth0")["promiscuity"] == 0
        watch.told("down")
        same(world, before)


def test_a_watch_that_waits_for_the_lock_keeps_no_namespace_alive(lan: Lan) -> None:
    """`down` holds the lock while it waits for the kernel to delete what is in them."""
    world = lan.world

    def waits() -> bool:
        names = os.listdir("/proc/self/fd")
        paths = [
            os.readlink(f"/proc/self/fd/{n}") for n in names if os.path.exists(f"/proc/self/fd/{n}")
        ]
        return sum("/lock@" in path for path in paths) > 1

    with watched(_text(1)) as watch:
        watch.told("up")
        with open_session(None) as session, session.locked():
            world.ip("link add other type veth peer name far")
            until(waits, "the watch waits for the lock")
            world.ip("netns delete n0")
            until(lambda: world.link("eth0")["promiscuity"] == 0, "the link of n0 is gone")
        watch.told("repaired")


def test_an_edited_file_that_was_brought_up_is_the_measure_then(lan: Lan) -> None:
    world = lan.world
    with watched(_text(1)) as watch:
        watch.told("up")
        vlanlink.up(vlanlink.load(FILE, text=_text(1).replace("172.16.3.10", "172.16.3.77")))
        watch.told("reloaded")
        watch.told("up")
        world.lose_name("n0")
        watch.told("repaired")
        assert world.addresses("eth0", "n0")[0] == "172.16.3.77/24"


def test_up_from_another_file_is_left_alone(lan: Lan) -> None:
    with watched(_text(1)) as watch:
        watch.told("up")
        other = vlanlink.load("/run/other.toml", text=_text(1).replace("3.10", "3.77"))
        vlanlink.up(other, replace_file=True)
        watch.told("replaced", "/run/other.toml")
        assert lan.world.addresses("eth0", "n0")[0] == "172.16.3.77/24"
        with pytest.raises(vlanlink.ConflictError, match=r"up already, from /run/other\.toml"):
            vlanlink.Watch(vlanlink.load(FILE)).run()


def test_the_end_of_a_process_whose_namespace_it_is(lan: Lan) -> None:
    world = lan.world
    sleeper = world.start("unshare -n sleep 1000")
    text = f"{HEAD}[namespaces.guest]\npid = {sleeper.pid}\n"
    text += '[namespaces.guest.interfaces.eth7]\nnetwork = "pub"\naddresses = ["172.16.3.9"]\n'
    own = os.stat("/proc/self/ns/net").st_ino
    until(lambda: os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino != own, "a namespace of its own")
    with watched(text) as watch:
        watch.told("up")
        sleeper.kill()
        sleeper.wait()
        told = watch.told("blocked")
        assert told.what == ("namespace guest",)
        assert "guest is gone" in told.diagnostics[0].message
        assert "another pid: write that one" in str(told.diagnostics[0].hint)
        world.ip("link add other type veth peer name far")
        world.ip("link delete other")
        world.ip("link set lo mtu 60000")
        until(lambda: vlanlink.status("office").state == "drifted")
        assert not watch.events
        again = world.start("unshare -n sleep 1000")
        until(lambda: os.stat(f"/proc/{again.pid}/ns/net").st_ino != own, "one of its own")
        Path(FILE).write_text(text.replace(str(sleeper.pid), str(again.pid)))
        watch.reload()
        watch.told("reloaded")
        watch.told("up")
        assert "eth7" in world.run(f"nsenter -t {again.pid} -n ip link").stdout


def test_a_namespace_that_comes_back_at_its_path(lan: Lan) -> None:
    world = lan.world
    world.make_place("guest")
    text = f'{HEAD}[namespaces.guest]\npath = "{world.places["guest"]}"\n'
    text += '[namespaces.guest.interfaces.eth7]\nnetwork = "pub"\naddresses = ["172.16.3.9"]\n'
    with watched(text) as watch:
        watch.told("up")
        world.run("umount -l /run/places/guest")
        assert watch.told("blocked").what == ("namespace guest",)
        world.make_place("guest")
        watch.told("repaired")
        assert world.addresses("eth7", "guest") == ["172.16.3.9/24"]
        assert not watch.events


def test_a_mending_that_fails_is_tried_again_after_pauses(lan: Lan) -> None:
    """A station on the LAN takes our address while we have not got it."""
    world = lan.world
    text = _text(1).replace("probe = false", "probe = { count = 2, seconds = 0.5 }")
    with watched(text, policy=Policy(first_delay=0.1)) as watch:
        watch.told("up")
        lan.station("thief", "172.16.3.10/24")
        ready(lan)
        world.ip("address delete 172.16.3.10/24 dev eth0", "n0")
        failed = [watch.told("failed"), watch.told("failed")]
        assert [event.retry_seconds for event in failed] == [0.1, 0.2]
        assert "172.16.3.10" in failed[0].diagnostics[0].message
        world.ip("address delete 172.16.3.10/24 dev eth0", "thief")
        watch.told("repaired")
        assert "172.16.3.10/24" in world.addresses("eth0", "n0")


# -- as a process ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_its_end_leaves_all_up(lan: Lan, number: signal.Signals, code: int) -> None:
    Path(FILE).write_text(_text(1))
    process = Process(lan.world, f"{FILE} --json")
    process.told("up")
    before = dump(lan.world, "n0")
    assert process.ends(number) == code
    same(lan.world, before, "n0")


def test_what_it_prints(lan: Lan) -> None:
    Path(FILE).write_text(_text(1))
    process = Process(lan.world, FILE)
    up = "office is up: 6 created, 1 changed."
    until(lambda: process.lines() == [up], "up", SECONDS)
    lan.world.lose_name("n0")
    repaired = "office repaired: 6 created, 1 changed."
    until(
        lambda: process.lines() == [up, "drift: namespace n0 is gone", repaired],
        "repaired",
        SECONDS,
    )
    lan.world.ip("link delete eth0")
    blocked = "office can't come up on this machine as it is; waiting for a change."
    until(lambda: process.lines()[-1] == blocked, "blocked", SECONDS)
    said = f"{FILE}:6:10: error: parent eth0 does not exist"
    until(lambda: said in Path("/run/err").read_text(), "the error")


def test_an_interrupt_just_before_the_sleep_ends_it(lan: Lan) -> None:
    found, sleeps = Watched(), threading.Event()

    def hear(event: Event) -> None:
        found.hear(event)
        sleeps.set()

    watch = vlanlink.Watch(vlanlink.load(FILE, text=_text(1)), on_event=hear)
    before = dump(lan.world)
    with noted(sleeps), pytest.raises(vlanlink.Interrupted, match="office stays as it is"):
        watch.run()
    assert found.told("up")
    vlanlink.down("office")
    same(lan.world, before)


def test_the_service_manager_is_told(lan: Lan) -> None:
    Path(FILE).write_text(_text(1))
    # Whoever tells a manager that does not listen waits; here it listens now and then.
    Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("/run/notify")
        manager.settimeout(30)
        environment = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "100000"}
        process = Process(lan.world, f"{FILE} --json", **environment)
        heard: list[str] = []

        def hears(line: str) -> None:
            heard.clear()
            while line not in heard:
                heard.extend(manager.recv(4096).decode().splitlines())

        hears("READY=1")
        process.told("up")
        hears("WATCHDOG=1")
        Path(FILE).write_text(_text(1).replace("172.16.3.10", "172.16.3.77"))
        process.process.send_signal(signal.SIGHUP)
        hears("RELOADING=1")
        hears("READY=1")
        process.told("up", 2)
        assert lan.world.addresses("eth0", "n0")[0] == "172.16.3.77/24"
        Path(FILE).write_text("wrong")
        process.process.send_signal(signal.SIGHUP)
        process.told("refused")
        lan.world.lose_name("n0")
        process.told("repaired")
        process.process.terminate()
        hears("STOPPING=1")
        assert process.process.wait(30) == 0


def test_fifty_thousand_events_cost_nothing_that_stays(lan: Lan) -> None:
    world = lan.world
    Path(FILE).write_text(_text(1))
    world.ip("link add other type veth peer name far")
    process = Process(world, f"{FILE} --json")
    process.told("up")
    lines = [
        f"address {verb} 10.{n >> 8}.{n & 255}.1/32 dev other"
        for n in range(500)
        for verb in ("add", "delete")
    ]

    def a_thousand_and_a_drift(times: int) -> tuple[int, set[str]]:
        """What it holds once a drift that came after the events is mended."""
        world.batch("\n".join(lines))
        world.ip("-n n0 route flush 10.0.0.0/8")
        process.told("repaired", times)
        return _held(process.process.pid)

    first = [a_thousand_and_a_drift(times) for times in (1, 2)][-1]
    process.process.send_signal(signal.SIGSTOP)  # so that messages are lost
    world.batch("\n".join(lines))
    process.process.send_signal(signal.SIGCONT)
    for _ in range(46):
        world.batch("\n".join(lines))
    last = [a_thousand_and_a_drift(times) for times in (3, 4)][-1]
    lost = sum(int(line.split()[8]) for line in _sockets(process.process.pid))
    assert lost > 1000
    assert last[1] == first[1]
    # Python's table of names is built anew from time to time, which takes up to 2 MB once; what is
    # kept of each event would go beyond that.
    assert last[0] - first[0] < 2048, f"{first} → {last} kB"


def _held(pid: int) -> tuple[int, set[str]]:
    """Memory in kB and open files of a process that is at rest: it has a thread more to look."""

    def at_rest() -> tuple[int, set[str]] | None:
        found = _memory(pid), set(os.listdir(f"/proc/{pid}/fd"))
        return found if len(os.listdir(f"/proc/{pid}/task")) == 1 else None

    found: tuple[int, set[str]] = until(at_rest, "at rest", SECONDS)
    return found


def _memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1])


def _sockets(pid: int) -> list[str]:
    """Its netlink sockets in the host's namespace, as the kernel lists them."""
    lines = Path(f"/proc/{pid}/net/netlink").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[3] != "00000000"]
