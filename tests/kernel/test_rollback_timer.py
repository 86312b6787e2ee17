"""The rollback of ``up --confirm``: scheduled before the first change, or no change."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.confirming import (
    FILE,
    LATE,
    NEW,
    PATIENCE,
    gone,
    is_back,
    prepared,
    reverters,
    started,
    text,
    waiting,
)
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World, until
from vlanlink.cli.main import main
from vlanlink.commit_confirm import timer

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture
def world(lan: Lan) -> Iterator[World]:
    with prepared(lan) as found:
        yield found


# -- not at all ------------------------------------------------------------------------------------


def test_meanwhile_only_others_can_be_changed(world: World) -> None:
    process = started(world, FILE, LATE)
    for words in (f"up {FILE}", "down office"):
        assert main(words.split()) == 1
    other = text("other").replace("office", "lab")
    vlanlink.up(vlanlink.load("/run/lab.toml", text=other))
    assert main(["confirm", "lab"]) == 2
    assert main(["confirm", FILE]) == 0
    process.communicate(timeout=PATIENCE)
    assert main(["down", "office"]) == 0
    assert world.namespaces() == {"other"}


def test_two_that_wait_are_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    Path(NEW).write_text(text("other").replace("office", "lab"))
    for file in (FILE, NEW):
        started(world, file, LATE)
    assert main(["confirm"]) == 2
    assert "hint: name one: lab, office" in capsys.readouterr().err
    assert main(["confirm", "lab"]) == 0
    assert main(["confirm", "--json"]) == 0
    assert '"confirmed": true' in capsys.readouterr().out


def test_what_fails_leaves_nothing_scheduled(world: World) -> None:
    world.ip("netns add one")
    world.ip("link add eth0 type veth peer name other", "one")
    before = dump(world)
    assert main(["up", FILE, "--confirm", LATE]) == 1
    until(lambda: not reverters(), "the reverter ends", PATIENCE)
    assert waiting() == []
    same(world, before)


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/program"])
def test_a_rollback_that_can_not_be_scheduled(
    world: World,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(timer, "_PROGRAM", (program,))
    before = dump(world)
    assert main(["up", FILE, "--confirm", LATE]) == 4
    err = capsys.readouterr().err
    assert "error: can't schedule the rollback: " in err
    assert program in err
    same(world, before)
    assert waiting() == []


def test_a_state_before_that_is_not_known_can_not_be_gone_back_to(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    vlanlink.up(vlanlink.load(FILE))
    for path in Path("/run/vlanlink").glob("*.json"):
        path.unlink()
    before = dump(world, "one")
    assert main(["up", NEW, "--confirm", LATE]) == 4
    assert "office is up, but the copy of its file is lost or empty" in capsys.readouterr().err
    same(world, before, "one")


# -- by systemd ------------------------------------------------------------------------------------


def test_a_timer_of_systemd_starts_it_when_the_time_is_over(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no systemd here: what it would be told is kept, and done in its place."""
    fake = tmp_path / "systemd-run"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/told\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(timer, "systemd_runs_here", lambda _: True)
    before = dump(world)
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(FILE), confirm=1, decide=gone)
    assert world.namespaces() == {"one", "two"}
    options, command = (tmp_path / "told").read_text().split("--\n")
    assert "--on-active=1s\n" in options
    subprocess.run(command.splitlines(), env={}, cwd="/", check=True)
    is_back(world, before)


@pytest.mark.parametrize("revert", [False, True])
def test_a_timer_with_nothing_left_to_do_goes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revert: bool
) -> None:
    for name in ("systemd-run", "systemctl"):
        fake = tmp_path / name
        fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/told-{name}\n')
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(timer, "systemd_runs_here", lambda _: True)
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(FILE), confirm=600, decide=gone)
    assert not (tmp_path / "told-systemctl").exists()
    vlanlink.confirm(revert=revert)
    made = (tmp_path / "told-systemd-run").read_text().splitlines()
    (unit,) = (word.removeprefix("--unit=") for word in made if word.startswith("--unit="))
    assert (tmp_path / "told-systemctl").read_text().splitlines() == ["stop", f"{unit}.timer"]
    assert world.namespaces() == (set() if revert else {"one", "two"})


def test_a_timer_that_systemd_refuses(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "systemd-run"
    fake.write_text("#!/bin/sh\necho Failed to start transient timer unit. >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(timer, "systemd_runs_here", lambda _: True)
    before = dump(world)
    with pytest.raises(vlanlink.PrivilegeError, match="Failed to start transient timer unit"):
        vlanlink.up(vlanlink.load(FILE), confirm=600)
    assert waiting() == []
    same(world, before)
