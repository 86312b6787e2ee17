"""What is in the netns directory and no network namespace, or can't be read: named, not fatal."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import World
from vlanlink.kernel import reader
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.identity import identify

pytestmark = pytest.mark.needs("macvlan")

TOPOLOGY = small("office", a="", b="")
FILE = "/run/office.toml"
VERBS = (
    "plan FILE",
    "up FILE",
    "status",
    "status FILE",
    "ls",
    "inspect pub",
    "doctor",
    "down FILE",
)


def cli(words: str) -> "subprocess.CompletedProcess[str]":
    run = [sys.executable, "-m", "vlanlink", *words.replace("FILE", FILE).split()]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def _bound(kind: str) -> Callable[[World], object]:
    def bind(world: World) -> None:
        Path("/run/netns/odd").touch()
        world.run(f"mount --bind /proc/self/ns/{kind} /run/netns/odd")

    return bind


FOREIGN: dict[str, Callable[[World], object]] = {
    "a uts namespace": _bound("uts"),
    "a mount of a file": lambda world: (
        Path("/run/netns/odd").write_text("x"),
        world.run("mount --bind /etc/hostname /run/netns/odd"),
    ),
    "a directory": lambda _: os.mkdir("/run/netns/odd"),
    "a pipe": lambda _: os.mkfifo("/run/netns/odd"),
    "a link to itself": lambda _: os.symlink("odd", "/run/netns/odd"),
    "a device": lambda _: os.symlink("/dev/zero", "/run/netns/odd"),
    "a name with an escape": lambda world: world.run(
        ["ip", "netns", "add", "\x1b[31mred\nfake: line"]
    ),
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_thing_is_passed_over(lan: Lan, foreign: str) -> None:
    Path(FILE).write_text(TOPOLOGY)
    lan.world.ip("netns add first")  # makes the directory
    FOREIGN[foreign](lan.world)
    for verb in VERBS:
        done = cli(verb)
        assert done.returncode in ((0, 3) if verb in ("status FILE", "doctor") else (0,)), done
        assert "\x1b" not in done.stdout + done.stderr
        assert not any(s.startswith("fake:") for s in (done.stdout + done.stderr).splitlines())
    assert not Path("/run/netns/a").exists()  # `ip netns list` would wait for the pipe


def test_one_that_the_file_names_is_named(lan: Lan) -> None:
    Path(FILE).write_text(TOPOLOGY.replace("namespaces.b", "namespaces.odd"))
    lan.world.ip("netns add first")
    _bound("uts")(lan.world)
    for verb in ("up FILE", "plan FILE"):
        done = cli(verb)
        assert done.returncode == 1
        assert "what is mounted on /run/netns/odd is not a network namespace" in done.stderr
    assert lan.world.namespaces() >= {"first"}
    assert "a" not in lan.world.namespaces()


def test_one_that_hides_ours_is_no_end_of_it(lan: Lan) -> None:
    Path(FILE).write_text(TOPOLOGY)
    vlanlink.up(vlanlink.load(FILE))
    lan.world.run("mount --bind /proc/self/ns/uts /run/netns/a")
    done = cli("status FILE --json")
    assert json.loads(done.stdout)["state"] == "drifted"
    done = cli("up FILE")
    assert done.returncode == 1
    assert "/run/netns/a is not a network namespace" in done.stderr
    for _ in range(2):
        done = cli("down office")
        assert done.returncode == 1
        assert "not rolled back: namespace a: what is mounted on /run/netns/a is not" in done.stderr
        assert Path(f"/run/vlanlink/office@{identify(None)}.json").exists()
    assert "b" not in lan.world.namespaces()
    lan.world.unmount("/run/netns/a")
    assert cli("down office").returncode == 0
    assert not Path("/run/netns/a").exists()


def test_one_that_never_rests_holds_up_nobody(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each dump of it is interrupted (NLM_F_DUMP_INTR), as by a process that always changes it."""
    Path(FILE).write_text(TOPOLOGY)
    topology = vlanlink.load(FILE)
    vlanlink.up(topology)
    lan.world.ip("netns add restless")
    there = os.stat("/run/netns/restless").st_ino
    whole, opened = Socket._dump_once, Socket.__init__
    inside: set[int] = set()

    def noted(self: Socket, *arguments: int) -> None:
        opened(self, *arguments)
        inside.discard(id(self))  # that of one that is closed may be given again
        if os.stat("/proc/thread-self/ns/net").st_ino == there:
            inside.add(id(self))

    def interrupted(self: Socket, message: bytearray) -> tuple[list[bytes], bool]:
        found, complete = whole(self, message)
        return found, complete and id(self) not in inside

    with monkeypatch.context() as patch:
        patch.setattr(Socket, "__init__", noted)
        patch.setattr(Socket, "_dump_once", interrupted)
        assert vlanlink.status("office").state == "up"
        found = vlanlink.snapshot()
        assert "restless" not in found.namespaces
        assert "can't be read" in found.unread["restless"]
        assert vlanlink.up(topology).operations == ()
        vlanlink.down("office")
    assert lan.world.namespaces() == {"restless"}


def test_want_of_memory_is_nobodys_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What concerns the whole machine is no reason to pass over a namespace."""
    world.ip("netns add one")

    def fails(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(reader, "read_namespace", fails)
    with pytest.raises(vlanlink.ConflictError, match="Too many open files"):
        vlanlink.snapshot()


WITHOUT_PROC = ("up FILE", "down office", "status", "ls", "plan FILE", "verify FILE", "doctor",
                "inspect pub", "confirm", "watch FILE", "exec a -- true")  # fmt: skip


def test_without_proc_it_is_said_once(lan: Lan) -> None:
    Path(FILE).write_text(TOPOLOGY)
    vlanlink.up(vlanlink.load(FILE))
    before = lan.world.ip("link")
    for verb in WITHOUT_PROC:
        command = f"umount -l /proc; exec {sys.executable} -m vlanlink {verb.replace('FILE', FILE)}"
        run = ["unshare", "--mount", "sh", "-c", command]
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 4, (verb, done)
        assert done.stderr.count("/proc is not mounted here") == 1, (verb, done.stderr)
        assert len(done.stderr.splitlines()) == 2, (verb, done.stderr)
    assert lan.world.ip("link") == before


# -- mounted over ours -----------------------------------------------------------------------------

OVER: dict[str, Callable[[World], object]] = {
    "another network namespace": lambda world: (
        world.ip("netns add other"),
        world.run("mount --bind /run/netns/other /run/netns/a"),
    ),
    "a uts namespace": lambda world: world.run("mount --bind /proc/self/ns/uts /run/netns/a"),
    "a file": lambda world: world.run("mount --bind /etc/hostname /run/netns/a"),
    "an empty file": lambda world: world.run(
        ["sh", "-c", "touch /run/empty; mount --bind /run/empty /run/netns/a"]
    ),
}


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("what", OVER)
def test_what_is_mounted_over_ours_hides_nothing_from_us(lan: Lan, what: str) -> None:
    world = lan.world
    before = dump(world)
    text = TOPOLOGY + '[namespaces.z.interfaces.eth0]\nnetwork = "pub"\n'
    topology = vlanlink.load("/run/hidden.toml", text=text)
    vlanlink.up(topology)
    OVER[what](world)
    said = "what is mounted on /run/netns/a "
    with pytest.raises(vlanlink.ConflictError, match=said):
        vlanlink.up(topology)
    status = vlanlink.status(topology.name)
    assert (status.state, said in str(status.problems)) == ("drifted", True)
    for _ in range(2):
        with pytest.raises(vlanlink.ApplyError) as caught:
            vlanlink.down(topology.name)
        assert said in str(caught.value.not_undone)
        assert "vlanlink down" in str(caught.value.diagnostics[0].hint)
        assert "z" not in world.namespaces()
    world.unmount("/run/netns/a")
    assert "eth0" in world.names("a"), "it is there as it was"
    vlanlink.down(topology.name)
    assert world.namespaces() <= {"other"}
    world.run("ip netns delete other", check=False)
    same(world, before)


@pytest.mark.needs("macvlan")
def test_what_is_mounted_over_the_directory_hides_nothing_from_us(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    topology = vlanlink.load("/run/hidden.toml", text=TOPOLOGY)
    vlanlink.up(topology)
    world.run("mount -t tmpfs tmpfs /run/netns")
    said = "what is mounted on /run/netns hides the namespace a"
    with pytest.raises(vlanlink.ConflictError, match=said):
        vlanlink.up(topology)
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.down(topology.name)
    assert said in str(caught.value.not_undone)
    world.unmount("/run/netns")
    assert "eth0" in world.names("a"), "it is there as it was"
    assert vlanlink.status(topology.name).state != "down"
    vlanlink.down(topology.name)
    same(world, before)
