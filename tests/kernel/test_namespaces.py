"""Namespaces: as `ip netns` would have them, those of others used and left, what lives in them."""

import errno
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.wire import a_machine
from tests.kernel.world import World, until
from vlanlink.kernel import syscalls
from vlanlink.kernel.execution import Execution
from vlanlink.kernel.machine import Machine
from vlanlink.model import HOST
from vlanlink.planning.operations import MakeNamespace, Operation, RemoveNamespace

pytestmark = pytest.mark.needs("macvlan")


NETWORK = """
[networks.pub]
kind = "macvlan"
probe = false
parent = "eth0"
subnets = [{ subnet = "10.1.0.0/16", gateway = "10.1.0.1" }]
"""


def _load(*namespaces: str, name: str = "spaces", first: int = 2, **keys: str) -> vlanlink.Topology:
    """An endpoint in each namespace, addresses from 10.1.0.``first`` on.

    ``keys`` are written into the namespace of that name.
    """
    text = f'[topology]\nname = "{name}"\n' + NETWORK
    for number, namespace in enumerate(namespaces, start=first):
        text += f"[namespaces.{namespace}]\n{keys.get(namespace, '')}\n"
        text += f'[namespaces.{namespace}.interfaces.eth0]\nnetwork = "pub"\n'
        text += f'addresses = ["10.1.{number // 256}.{number % 256}"]\n'
    return vlanlink.load(f"/run/{name}.toml", text=text)


def _open_namespaces() -> list[str]:
    found = (Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return [str(path) for path in found if path.is_symlink() and "net:[" in str(path.readlink())]


def _kill(world: World, pid: int) -> None:
    process = next(p for p in world.started if p.pid == pid)
    process.kill()
    process.wait()


@pytest.mark.sensitive
def test_made_as_ip_netns_would(lan: Lan) -> None:
    world = lan.world
    world.ip("netns add other")
    vlanlink.up(_load("one", "two"))
    assert world.namespaces() == {"one", "two", "other"}
    assert "UP" in world.link("lo", "one")["flags"]
    world.reaches("one", "127.0.0.1")
    made, theirs = (Path("/run/netns") / name for name in ("one", "other"))
    assert (made.stat().st_mode, made.stat().st_dev) == (
        theirs.stat().st_mode,
        theirs.stat().st_dev,
    )
    assert world.run("ip netns exec one ip -o link show eth0").stdout.startswith("1")
    world.ip("netns del one")  # `ip netns` takes what vlanlink made
    assert world.namespaces() == {"two", "other"}
    vlanlink.down("spaces")
    assert world.namespaces() == {"other"}


def test_a_later_mount_namespace_sees_new_names_and_sees_them_go(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(_load("one", name="first"))
    slave = world.start("unshare --mount --propagation slave sleep 600").pid
    until(lambda: Path(f"/proc/{slave}/comm").read_text() == "sleep\n", "unshare has become sleep")
    enter = f"nsenter --mount=/proc/{slave}/ns/mnt "
    vlanlink.up(_load("two", name="second", first=3))
    assert "eth0@" in world.run(enter + "ip -n two -o link show eth0").stdout
    vlanlink.down("second")
    assert "one" in world.run(enter + "ip netns list").stdout
    assert "two" not in world.run(enter + "ip netns list").stdout
    vlanlink.down("first")


@pytest.mark.sensitive
def test_one_that_exists_is_used_by_pid_or_path_and_stays(lan: Lan) -> None:
    world = lan.world
    world.make_place("byPath")
    pid = world.start("unshare --net sleep 600").pid
    until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", "unshare has become sleep")
    world.places["byPid"] = f"/proc/{pid}/ns/net"
    before = dump(world, "byPath", "byPid")
    topology = _load("byPath", "byPid", byPath='path = "/run/places/byPath"', byPid=f"pid = {pid}")
    vlanlink.up(topology)
    assert world.namespaces() == set()
    assert world.addresses("eth0", "byPath") == ["10.1.0.2/16"]
    assert world.addresses("eth0", "byPid") == ["10.1.0.3/16"]
    assert vlanlink.up(topology).operations == ()
    assert vlanlink.status("spaces").state == "up"
    vlanlink.down("spaces")
    assert Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    same(world, before, "byPath", "byPid")


def test_one_namespace_under_two_names_is_one(lan: Lan) -> None:
    """A path or pid may lead to what has another name in /run/netns: its links are not strays."""
    world = lan.world
    world.ip("netns add named")
    pid = world.start("sleep 600", "named").pid
    before = dump(world, "named")
    path = 'path = "/run/netns/named"'
    for name, key in (("box", path), ("box", f"pid = {pid}"), ("named", path)):
        topology = _load("box", box=key) if name == "box" else _load("named", named=key)
        vlanlink.up(topology)
        assert world.addresses("eth0", "named") == ["10.1.0.2/16"]
        assert vlanlink.up(topology).operations == ()
        assert [s.state for s in vlanlink.status()] == ["up"]
        vlanlink.down("spaces")
        same(world, before, "named")


def test_one_of_ours_that_got_a_second_name(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(_load("one"))
    pid = world.start("sleep 600", "one").pid
    world.ip(f"netns attach alias {pid}")
    _kill(world, pid)
    assert vlanlink.up(_load("one")).operations == ()
    assert world.addresses("eth0", "one") == ["10.1.0.2/16"]
    vlanlink.down("spaces")
    assert world.names("alias") == {"lo"}


def test_one_that_is_not_there_is_an_error(lan: Lan) -> None:
    world = lan.world
    pid = world.start("true").pid
    _kill(world, pid)
    before = dump(world)
    for key, told in (
        (f"pid = {pid}", f"process {pid}"),
        ('path = "/run/nowhere"', "/run/nowhere"),
    ):
        with pytest.raises(vlanlink.ConflictError, match="no network namespace at") as caught:
            vlanlink.up(_load("box", box=key))
        assert told in str(caught.value)
    same(world, before)


def test_one_with_a_process_stays_without_our_links(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    vlanlink.up(_load("one", "two"))
    pid = world.start("sleep 600", "one").pid
    plan = vlanlink.down("spaces")
    notes = [note.message for note in plan.notes]
    assert len(notes) == 1
    assert "namespace one stays" in notes[0]
    assert str(pid) in notes[0]
    assert {(c.action, c.object, c.namespace) for c in plan.changes} >= {
        ("delete", "namespace", "two")
    }
    assert world.namespaces() == {"one"}
    assert world.names("one") == {"lo"}
    _kill(world, pid)
    vlanlink.down("spaces")
    same(world, before)


def test_one_with_a_foreign_link_stays_without_ours(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(_load("one"))
    world.ip("link add theirs type veth peer name other", "one")
    plan = vlanlink.down("spaces")
    notes = [note.message for note in plan.notes]
    assert len(notes) == 1
    assert "namespace one stays" in notes[0]
    assert "theirs" in notes[0]
    assert world.names("one") == {"lo", "theirs", "other"}


def test_a_namespace_out_of_the_file_that_holds_a_process_stays_too(lan: Lan) -> None:
    """An edit takes namespaces away as ``down`` does."""
    world = lan.world
    vlanlink.up(_load("one", "two"))
    pid = world.start("sleep 600", "two").pid
    plan = vlanlink.up(_load("one"))
    assert any(str(pid) in note.message for note in plan.notes)
    assert world.names("two") == {"lo"}
    assert vlanlink.up(_load("one")).changes == ()
    _kill(world, pid)
    vlanlink.down("spaces")
    assert world.namespaces() == set()


COPIED = f"""
ip netns add lab
ip netns exec lab {shlex.quote(VLANLINK)} up /run/t.toml || echo "code $?"
ls /run/netns
ip -n lab -o link
nsenter --net=/run/netns/lab {shlex.quote(VLANLINK)} up /run/t.toml
ls /run/netns
ip -n one -o link show v1
"""


def test_under_ip_netns_exec_it_is_refused_with_the_way_out(world: World) -> None:
    """There /run/netns is a copy: a name made in it is a dead file to everyone else.

    The test's machine has a process 1 of its own here, whose mounts are those of the test.
    """
    Path("/run/t.toml").write_text(
        '[links.v0]\nkind = "veth"\npeer = { name = "v1", namespace = "one" }\n[namespaces.one]\n'
    )
    done = world.run(["unshare", "--fork", "--pid", "--mount-proc", "sh", "-euc", COPIED])
    code, names, link, *rest = done.stdout.splitlines()
    assert (code, names) == ("code 4", "lab")
    assert "lo: " in link
    assert "nsenter --net=" in done.stderr
    assert rest[-3:-1] == ["lab", "one"]
    assert "v1@" in rest[-1]


@pytest.mark.alone
def test_more_namespaces_than_files_may_be_open(lan: Lan) -> None:
    world = lan.world
    count, files = 1100, 512
    source = _load(*(f"n{number}" for number in range(0, count, 10)), name="many").source
    assert source is not None
    bare = "".join(f"[namespaces.n{number}]\n" for number in range(count) if number % 10)
    Path("/run/many.toml").write_text(source.text + bare)
    before = dump(world)

    def run(verb: str) -> str:
        words = ["sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', VLANLINK, *verb.split()]
        return world.run(words).stdout

    assert f"{count + 3 * count // 10} created" in run("up /run/many.toml")
    assert len(world.namespaces()) == count
    assert world.addresses("eth0", "n1090") == ["10.1.0.111/16"]
    run("down many")
    world.settle()
    same(world, before)


def test_what_lost_its_name_is_let_go_of(lan: Lan) -> None:
    """It is held while others lose theirs: no longer than the run, nor past what comes after it."""
    world = lan.world
    for name in ("one", "two"):
        world.ip(f"netns add {name}")
        world.ip(f"link add to_{name} type veth peer name eth0 netns {name}")

    def gone(name: str) -> bool:
        return world.run(f"ip link show to_{name}", check=False).returncode != 0

    with a_machine() as machine:
        machine.snapshot()
        again = MakeNamespace(namespace="two", owner="spaces")
        machine.run([RemoveNamespace(namespace="two"), again], lambda _: None)
        until(lambda: gone("two"), "the first two is gone")
        machine.run([RemoveNamespace(namespace="one")], lambda _: None)
        assert machine.snapshot().namespaces.keys() == {HOST, "two"}
        until(lambda: gone("one"), "one is gone")
        machine.run([RemoveNamespace(namespace="two")], lambda _: None)
        machine.snapshot()
    assert world.namespaces() == set()


@pytest.mark.parametrize("possible", [0, 1, 5])
def test_only_so_many_can_be_made(lan: Lan, monkeypatch: pytest.MonkeyPatch, possible: int) -> None:
    """As with user.max_net_namespaces: they are made ahead, by a thread of their own."""
    before, files = dump(lan.world), len(os.listdir("/proc/self/fd"))
    real, made = syscalls.unshare, 0

    def unshare(flags: int) -> None:
        nonlocal made
        made += 1
        if made > possible:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(flags)

    monkeypatch.setattr(syscalls, "unshare", unshare)
    names = [f"n{n}" for n in range(9)]
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.up(_load(*names))
    (said,) = caught.value.diagnostics
    assert f"can't make namespace {names[possible]}" in said.message
    assert "ENOSPC" in said.message
    same(lan.world, before)
    assert len(os.listdir("/proc/self/fd")) == files


def test_nobody_waits_for_a_thread_that_has_ended(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends it is raised where the next namespace is wanted; another run mends the rest."""
    before = dump(lan.world)
    real, made = syscalls.unshare, 0

    def unshare(flags: int) -> None:
        nonlocal made
        made += 1
        if made > 3:
            raise MemoryError
        real(flags)

    topology = _load(*(f"n{n}" for n in range(9)))
    with monkeypatch.context() as patch:
        patch.setattr(syscalls, "unshare", unshare)
        with pytest.raises(MemoryError):
            vlanlink.up(topology)
    vlanlink.up(topology)
    vlanlink.down(topology)
    same(lan.world, before)


def test_an_interrupt_leaves_none_that_were_made_ahead(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, files = dump(lan.world), len(os.listdir("/proc/self/fd"))
    real, interrupt, heard = Execution.run, Machine.interrupt, threading.Event()

    def run(execution: Execution, batch: Sequence[Operation]) -> None:
        real(execution, batch)
        if batch[0] == MakeNamespace(namespace="n2", owner="spaces", origin=batch[0].origin):
            until(lambda: len(_open_namespaces()) > 9, "some are made ahead")
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert heard.wait(30)

    def hear(machine: Machine) -> None:
        interrupt(machine)
        heard.set()

    monkeypatch.setattr(Execution, "run", run)
    monkeypatch.setattr(Machine, "interrupt", hear)
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(_load(*(f"n{n}" for n in range(40))))
    same(lan.world, before)
    assert len(os.listdir("/proc/self/fd")) == files


def test_many_files_are_for_us_and_not_for_what_is_run(lan: Lan) -> None:
    lan.world.ip("netns add one")
    limit = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    ours = f"from vlanlink.cli.main import main; main(['ls', '--json']); {limit}"

    def told(*words: str) -> str:
        shell = ["sh", "-c", 'ulimit -Sn 300; ulimit -Hn 900; exec "$0" "$@"']
        return lan.world.run([*shell, *words]).stdout.splitlines()[-1]

    assert told(sys.executable, "-c", ours) == "(900, 900)"
    assert told(VLANLINK, "exec", "one", "--", sys.executable, "-c", limit) == "(300, 900)"


def test_a_path_to_something_else_is_told_at_its_line(lan: Lan) -> None:
    lan.world.run(["mkfifo", "/run/fifo"])
    paths = ("/proc/self/ns/mnt", "/etc/passwd", "/run/fifo", "/run/nothing")
    text = '[topology]\nname = "paths"\n'
    for number, path in enumerate(paths):
        text += f'[namespaces.n{number}]\npath = "{path}"\n'
        text += 'interfaces.e = { kind = "macvlan", parent = "eth0" }\n'
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(vlanlink.load("/run/paths.toml", text=text))
    said = [(one.line, one.message) for one in caught.value.diagnostics]
    message = "there is no network namespace at"
    assert said == [(4 + 3 * at, f"{message} {path}") for at, path in enumerate(paths)]
