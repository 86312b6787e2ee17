"""One at a time: two that change one host take turns, two hosts on one machine know nothing."""

import os
import random
import sys
import time
import traceback
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import World, until
from vlanlink.cli.main import main
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.netns.identity import identify
from vlanlink.reconcile.session import Session
from vlanlink.store.lock import locked

pytestmark = pytest.mark.needs("macvlan")

PROCESSES = 8
LOCK_TIMEOUT = "600"
SECONDS, LONG_SECONDS = 10, 60


def _text(name: str, address: int, parent: str = "eth0") -> str:
    return small(name, parent=parent, **{name: f"172.16.86.{address}"})


def _shared(name: str, address: int) -> str:
    """A topology that shares its parent, a namespace and a sysctl with its like."""
    return f"""{_text(name, address)}
[namespaces.all.interfaces.{name}]
network = "pub"
addresses = ["172.16.86.{address + 100}"]
[host]
sysctls = {{ "net.ipv4.ip_forward" = 1 }}
"""


def _lock() -> Path:
    return Path(f"/run/vlanlink/lock@{identify(None)}")


@pytest.fixture
def file(lan: Lan) -> str:
    del lan  # its /run is there
    path = Path("/run/office.toml")
    path.write_text(_text("office", 10))
    return str(path)


def test_the_one_at_work_is_named(
    lan: Lan, file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _lock().parent.mkdir()
    before = dump(lan.world)
    with ExitStack() as holding:
        with monkeypatch.context() as other:
            other.setattr(sys, "argv", ["/usr/bin/vlanlink", "up", "other.toml"])
            holding.enter_context(locked(_lock(), 0))
        for verb in ("up", "down"):
            assert main([verb, file, "--lock-timeout", "0"]) == 1
            err = capsys.readouterr().err
            who = f"pid {os.getpid()} (vlanlink up other.toml), since "
            assert f"error: another vlanlink process holds the lock: {who}" in err
            assert "--lock-timeout SECONDS" in err
    same(lan.world, before)


def test_waiting_is_said_without_a_terminal_too(
    lan: Lan, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del lan
    _lock().parent.mkdir()
    with locked(_lock(), 0):
        assert main(["up", file, "--lock-timeout", "0.1"]) == 1
    first, second = capsys.readouterr().err.splitlines()[:2]
    assert first.startswith(f"waiting for pid {os.getpid()} (")
    assert second.startswith("error: another vlanlink process holds the lock")


def test_what_only_reads_waits_for_nobody(file: str) -> None:
    vlanlink.up(vlanlink.load(file))
    with locked(_lock(), 0):
        for words in ("ls", "status", f"plan {file}", "inspect pub", "down office --dry-run"):
            assert main(words.split()) == 0, words


def test_two_hosts_that_share_run(world: World) -> None:
    world.make_place("second")
    for namespace in ("", "second"):
        world.ip("link add eth0 type veth peer name other", namespace)
    first, second = vlanlink.Host(), vlanlink.Host(network_namespace=world.path("second"))
    before = dump(world, "second")
    here, there = (
        vlanlink.load(f"/run/{name}.toml", text=_text(name, address))
        for name, address in (("here", 10), ("there", 11))
    )
    with locked(_lock_made(), 0):
        vlanlink.up(there, second, lock_timeout=0)
    assert [s.topology for s in vlanlink.status(host=second)] == ["there"]
    vlanlink.up(here, first)
    assert vlanlink.up(here, first).operations == ()
    assert vlanlink.status(there, second).state == "up"
    vlanlink.down("here", first)
    assert vlanlink.status("there", second).state == "up"
    vlanlink.down("there", second)
    same(world, before, "second")


def _has_settled(world: World, namespace: str) -> bool:
    """Addresses come with the carrier, and are tentative at first.

    A MAC of chance may have 80 as its fourth byte: "fe80:" is then twice in one address.
    """
    shown = world.ip("-6 address", namespace)
    return shown.count("inet6 fe80:") == 2 and "tentative" not in shown


@pytest.mark.parametrize("records", ["kept", "lost"])
def test_one_topology_on_two_hosts_that_share_run(world: World, records: str) -> None:
    """What bears the name alone is not taken for one's own: it may be the other's."""
    world.make_place("second")
    for namespace in ("", "second"):
        world.batch(
            "link add eth0 type veth peer name other\nlink set other up\nlink set eth0 up\n",
            namespace,
        )
        until(partial(_has_settled, world, namespace), "eth0 has its carrier", 60.0)
    second = vlanlink.Host(network_namespace=world.path("second"))
    office = vlanlink.load("/run/office.toml", text=_text("office", 10))
    vlanlink.up(office)
    if records == "lost":
        for path in Path("/run/vlanlink").glob("*.json"):
            path.unlink()
    before = dump(world, "second", "office")
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(office, second)
    message = "namespace office belongs to topology office of another network namespace"
    assert message in str(caught.value)
    assert "/run/office.toml:9:" in str(caught.value)
    assert vlanlink.status(office, second).state == "down"
    assert vlanlink.down(office, second).operations == ()
    with pytest.raises(vlanlink.UsageError, match="unknown topology: office"):
        vlanlink.down("office", second)
    same(world, before, "second", "office")
    # With names of its own the other host has a topology of that name too.
    text = _text("office", 11).replace("[namespaces.office.", "[namespaces.elsewhere.")
    vlanlink.up(vlanlink.load("/run/office.toml", text=text), second)
    assert vlanlink.status(office).state == "up"
    assert world.namespaces() == {"office", "elsewhere"}
    vlanlink.down("office", second)
    same(world, before, "second", "office")


def _lock_made() -> Path:
    _lock().parent.mkdir(exist_ok=True)
    return _lock()


def _hammer(files: list[str], seconds: float, seed: int) -> None:
    """Up of one, then up and down at random; every one of them must end well."""
    chosen, end = random.Random(seed), time.monotonic() + seconds
    words = ["up", files[seed % len(files)]]
    while True:
        assert main([*words, "--lock-timeout", LOCK_TIMEOUT]) == 0, words
        if time.monotonic() >= end:
            return
        words = [chosen.choice(("up", "down")), chosen.choice(files)]


def _forked(files: list[str], seconds: float, seed: int, report: Path) -> int:
    pid = os.fork()
    if pid == 0:
        with report.open("w") as sys.stdout:
            sys.stderr = sys.stdout
            try:
                _hammer(files, seconds, seed)
                print("done")
            except BaseException:  # noqa: BLE001 - nothing may leave the child but its report
                traceback.print_exc()
        os._exit(0)
    return pid


def test_many_at_random(lan: Lan, tmp_path: Path, long_run: bool) -> None:
    world = lan.world
    world.ip("link set eth0 down")  # the parent that all of them set up
    before = dump(world)
    files = {name: f"/run/{name}.toml" for name in "abcd"}
    for number, (name, file) in enumerate(files.items()):
        Path(file).write_text(_shared(name, 10 + number))
    seconds = LONG_SECONDS if long_run else SECONDS
    reports = [tmp_path / str(seed) for seed in range(PROCESSES)]
    every = list(files.values())
    for pid in [_forked(every, seconds, seed, report) for seed, report in enumerate(reports)]:
        os.waitpid(pid, 0)
    texts = [report.read_text() for report in reports]
    assert all(text.endswith("done\n") for text in texts), "\n".join(t[-2000:] for t in texts)
    assert sum(text.count(" is up: ") for text in texts) >= len(files)
    for file in every:
        assert main(["down", file]) == 0
    assert not list(Path("/run/vlanlink").glob("*.json"))
    same(world, before)


# -- the lock file goes --------------------------------------------------------------------------


def test_a_lock_that_goes_before_the_first_change_stops_it(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = Session.observe

    def robbed(*arguments: Any, **options: Any) -> Any:
        _lock().unlink()
        return observe(*arguments, **options)

    before = dump(lan.world)
    topology = vlanlink.load("/run/one.toml", text=_text("one", 9))
    with monkeypatch.context() as patch:
        patch.setattr(Session, "observe", robbed)
        with pytest.raises(vlanlink.ConflictError, match="removed or replaced while it was held"):
            vlanlink.up(topology)
        same(lan.world, before)
    vlanlink.up(topology)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "observe", robbed)
        with pytest.raises(vlanlink.ConflictError, match="removed or replaced while it was held"):
            vlanlink.down("one")
    assert vlanlink.status("one").state == "up"
    vlanlink.down("one")
    same(lan.world, before)


def test_who_loses_the_lock_does_not_say_that_all_is_well(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_batch = Machine._run_batch

    def robbed(self: Machine, batch: Any) -> None:
        _lock().unlink(missing_ok=True)
        run_batch(self, batch)

    topology = vlanlink.load("/run/one.toml", text=_text("one", 9))
    with monkeypatch.context() as patch:
        patch.setattr(Machine, "_run_batch", robbed)
        with pytest.raises(vlanlink.ApplyError, match="another vlanlink may have changed"):
            vlanlink.up(topology)
    assert vlanlink.up(topology).operations == ()
    vlanlink.down("one")
    del lan
