"""restart, and --all: down and up under one lock; several topologies in one command."""

import json
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from vlanlink.cli.main import main

pytestmark = pytest.mark.needs("macvlan")


def text(name: str, parent: str = "eth0") -> str:
    return small(name, parent=parent, keys="", **{name: ""})


@pytest.fixture
def office(lan: Lan, tmp_path: Path) -> Path:
    del lan
    file = tmp_path / "office.toml"
    file.write_text(text("office"))
    return file


def test_down_and_up_with_the_same_addresses(lan: Lan, office: Path) -> None:
    world = lan.world
    vlanlink.up(vlanlink.load(office))
    addresses = world.addresses("eth0", "office")
    world.ip("route add 198.51.100.0/24 dev eth0", "office")
    found = vlanlink.restart("office")
    assert [c.action for c in found.down.changes] == ["delete"]
    assert found.up.counts["create"] == 3
    assert found.to_dict()["changes"] == [
        change.to_dict() for change in (*found.down.changes, *found.up.changes)
    ]
    assert world.addresses("eth0", "office") == addresses
    assert "198.51.100.0" not in world.ip("route", "office")
    assert vlanlink.status("office").state == "up"


def test_what_is_down_comes_up(lan: Lan, office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restart", str(office)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "office is up again: 3 created."
    assert "office" in lan.world.namespaces()
    assert main(["restart", "office", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["changes"]) == 4


def test_names(office: Path) -> None:
    with pytest.raises(vlanlink.UsageError, match="unknown topology: offic"):
        vlanlink.restart("offic")
    vlanlink.up(vlanlink.load(office))
    vlanlink.down("office")
    with pytest.raises(vlanlink.UsageError, match="its copy is lost"):
        vlanlink.restart("office")


def test_what_the_machine_refuses_takes_nothing_down(lan: Lan, office: Path) -> None:
    vlanlink.up(vlanlink.load(office))
    before = dump(lan.world)
    office.write_text(text("office", "nope0"))
    with pytest.raises(vlanlink.ConflictError):
        vlanlink.restart(vlanlink.load(office))
    same(lan.world, before)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_a_failure_of_up_brings_back_what_was_up(
    stop: type[BaseException], lan: Lan, office: Path
) -> None:
    vlanlink.up(vlanlink.load(office))
    before = lan.world.addresses("eth0", "office")
    office.write_text(text("office").replace("office.inter", "two.inter"))
    ups: list[str] = []

    def on_progress(done: int, total: int, what: str) -> None:
        del done, total
        if "two" in what:
            ups.append(what)
            raise stop

    expected = vlanlink.Interrupted if stop is KeyboardInterrupt else stop
    with pytest.raises(expected):
        vlanlink.restart(vlanlink.load(office), on_progress=on_progress)
    assert ups
    assert lan.world.addresses("eth0", "office") == before
    assert "two" not in lan.world.namespaces()
    assert vlanlink.status("office").state == "up"


# -- --all -----------------------------------------------------------------------------------------


@pytest.fixture
def etc(lan: Lan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory in place of /etc/vlanlink."""
    del lan
    directory = tmp_path / "etc"
    directory.mkdir()
    found = vlanlink.boot_files
    host = vlanlink.Host(configuration_directory=directory)
    monkeypatch.setattr(vlanlink, "boot_files", lambda: found(host))
    return directory


def test_all_of_them(lan: Lan, etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = dump(lan.world)
    for name, parent in (("one", "eth0"), ("two", "nope0"), ("zoo", "eth0")):
        (etc / f"{name}.toml").write_text(text(name, parent))
    (etc / "notes.txt").write_text("no topology")
    assert main(["up", "--all"]) == 1
    out, err = capsys.readouterr()
    assert "one is up: 3 created." in out
    assert "zoo is up: 3 created." in out
    assert "nope0" in err
    assert vlanlink.active() == ("one", "zoo")
    assert main(["up", "--all", "--json"]) == 1
    documents = json.loads(capsys.readouterr().out)["topologies"]
    assert [d["topology"] for d in documents] == ["one", "two", "zoo"]
    assert [sorted(d) for d in documents] == [
        ["changes", "topology"],
        ["errors", "topology"],
        ["changes", "topology"],
    ]
    assert main(["down", "--all", "--dry-run"]) == 0
    assert vlanlink.active() == ("one", "zoo")
    capsys.readouterr()
    assert main(["down", "--all"]) == 0
    assert "one is down" in capsys.readouterr().out
    assert vlanlink.active() == ()
    same(lan.world, before)
    assert main(["down", "--all"]) == 0
    assert capsys.readouterr().out == "No topology is up.\n"
