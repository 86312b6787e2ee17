"""A change that waits for confirmation, as ``status`` and ``watch`` see it."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.confirming import FILE, gone, prepared, reverters, text, waiting
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.watching import watched
from tests.kernel.world import World, until
from vlanlink.cli.main import main

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture
def world(lan: Lan) -> Iterator[World]:
    with prepared(lan) as found:
        yield found


def changed(file: str, seconds: float = 600) -> None:
    """`up FILE --confirm`, whose process is gone while the change waits."""
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(file), replace_file=True, confirm=seconds, decide=gone)


def edited() -> None:
    """One endpoint more in the file."""
    Path(FILE).write_text(text("one", "two", "three"))


# -- status ----------------------------------------------------------------------------------------


def test_status_tells_until_when_and_how_it_is_kept(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(FILE)
    told = re.compile(
        r"^office waits for confirmation until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \(\d+ s left\)\n"
        r"  vlanlink confirm office keeps it, with --revert rolls it back$",
        re.MULTILINE,
    )
    for words in ("status office", f"status {FILE}", "status"):
        assert main(words.split()) == 0
        assert told.search(capsys.readouterr().out), words
    assert main(["status", "office", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["waiting"]
    assert 0 < found["seconds_left"] <= 600
    assert main(found["command"].split()[1:]) == 0
    capsys.readouterr()
    assert main(["status", "--json"]) == 0
    assert [one["waiting"] for one in json.loads(capsys.readouterr().out)["topologies"]] == [None]
    assert vlanlink.status("office").waiting is None
    del world


# -- watch -----------------------------------------------------------------------------------------


def test_a_pending_change_is_neither_repaired_nor_drift_once_rolled_back(world: World) -> None:
    with watched(text("one", "two")) as watch:
        watch.told("up")
        before = dump(world, "one", "two")
        edited()
        changed(FILE)
        watch.told("waiting", "vlanlink confirm office keeps it")
        world.ip("-n three link set eth0 down")
        world.ip("-n one address flush dev eth0")
        assert main(["confirm", "--revert"]) == 0
        watch.told("in_sync")
        assert not watch.events
        same(world, before, "one", "two")
        world.lose_name("one")
        watch.told("repaired")
        assert world.namespaces() == {"one", "two"}


def test_what_was_confirmed_is_watched_from_then_on(world: World) -> None:
    with watched(text("one", "two")) as watch:
        watch.told("up")
        edited()
        changed(FILE)
        watch.told("waiting")
        assert main(["confirm"]) == 0
        watch.told("reloaded", FILE)
        watch.told("up")
        world.lose_name("three")
        watch.told("repaired")
        assert world.namespaces() == {"one", "two", "three"}


def test_what_was_down_before_stays_down(world: World) -> None:
    before = dump(world)
    with watched(text("one", "two")) as watch:
        watch.told("up")
        vlanlink.down("office")
        watch.told("down")
        changed(FILE)
        watch.told("waiting")
        assert main(["confirm", "--revert"]) == 0
        watch.told("down")
        same(world, before)


def test_no_watch_begins_meanwhile_but_one_that_only_tells(world: World) -> None:
    changed(FILE)
    with pytest.raises(vlanlink.ConflictError, match="waits for confirmation"):
        vlanlink.Watch(vlanlink.load(FILE)).run()
    with watched(text("one", "two"), repair=False) as watch:
        watch.told("waiting")
        world.ip("-n one link set eth0 down")
        assert main(["confirm"]) == 0
        watch.told("drift", "link one/eth0 is down")


def test_a_reload_is_refused_meanwhile(world: World) -> None:
    with watched(text("one", "two")) as watch:
        watch.told("up")
        edited()
        changed(FILE)
        watch.told("waiting")
        watch.reload()
        (problem,) = watch.told("refused").diagnostics
        assert "waits for confirmation" in problem.message
        assert world.namespaces() == {"one", "two", "three"}


def test_a_watch_puts_it_back_when_the_reverter_is_gone(world: World) -> None:
    with watched(text("one", "two")) as watch:
        watch.told("up")
        before = dump(world, "one", "two")
        edited()
        changed(FILE)
        watch.told("waiting")
        for pid in reverters():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not reverters(), "the reverter is gone")
        (path,) = waiting()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"deadline": 0.0}))
        watch.told("reverted")
        watch.told("in_sync")
        same(world, before, "one", "two")
