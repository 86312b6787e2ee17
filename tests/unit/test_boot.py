"""enable and disable: what they put in place, what they leave alone, and how they go back."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from vlanlink.boot import trust, unit
from vlanlink.boot.systemctl import need

TEXT = '[topology]\nname = "office"\n[networks.pub]\nkind = "macvlan"\nparent = "eth0"\n'
UNIT = "vlanlink@office.service"
ASKED = ("is-enabled", "is-active", "is-system-running", "show", "list-unit-files")


class Box:
    """A machine in a directory, with a systemctl that plays systemd's."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.units = directory / "units"
        self.units.mkdir()
        self.host = vlanlink.Host(
            run_directory=directory / "run",
            state_directory=directory / "lib",
            configuration_directory=directory / "etc",
            unit_directory=self.units,
        )
        self.copy = directory / "etc/office.toml"
        self.template = self.units / "vlanlink@.service"
        self.drop_in = self.units / f"{UNIT}.d/watch.conf"
        self.online = self.units / f"{UNIT}.d/online.conf"
        self.say("state", "running")
        self.topology = self.load(TEXT)
        shutil.copy(Path(__file__).with_name("fake_systemctl"), directory / "systemctl")
        patch.setenv("PATH", str(directory), prepend=":")
        patch.setattr(trust, "_program", tuple)  # the checkout may be a user's

    def load(self, text: str) -> vlanlink.Topology:
        file = self.directory / "mine.toml"
        file.write_text(text)
        return vlanlink.load(file)

    def say(self, file: str, text: str) -> None:
        (self.directory / file).write_text(text)

    def told(self) -> list[str]:
        """What systemctl was told since the last time, questions left out."""
        file = self.directory / "told"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith(ASKED)]

    def enable(self, *, now: bool = False, watch: bool = False) -> list[str]:
        return vlanlink.enable(self.topology, self.host, now=now, watch=watch).lines

    def disable(self, *, now: bool = False) -> list[str]:
        return vlanlink.disable("office", self.host, now=now).lines

    def files(self) -> set[str]:
        found = [self.directory / "etc", *self.units.rglob("*"), *self.copy.parent.rglob("*")]
        return {p.name for p in found if p.exists() and not p.name.endswith(".wants")}


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(tmp_path, monkeypatch)


def test_enable_puts_copy_and_unit_in_place_and_disable_takes_them_away(box: Box) -> None:
    assert box.enable() == [
        f"  + file {box.copy} from {box.directory}/mine.toml",
        f"  + file {box.template}",
        f"  + file {box.online}",
        f"  + unit {UNIT} at every boot",
    ]
    assert box.told() == ["daemon-reload", "daemon-reload", f"enable {UNIT}"]
    assert vlanlink.load(box.copy) == box.topology
    for path in (box.copy, box.template, box.online):
        assert path.stat().st_mode & 0o777 == 0o644
    assert box.enable() == []
    assert box.disable() == [
        f"  - unit {UNIT} at every boot",
        f"  - file {box.copy}",
        f"  - file {box.online}",
        f"  - file {box.template}",
    ]
    assert box.told() == [f"disable {UNIT}", "daemon-reload", "daemon-reload"]
    assert box.files() == set()
    assert vlanlink.disable(box.topology, box.host).steps == ()


def test_now_brings_it_up_and_takes_it_down(box: Box) -> None:
    assert box.enable(now=True)[-1] == f"  + unit {UNIT} up"
    assert box.told()[-1] == f"start {UNIT}"
    assert box.enable(now=True) == [f"  ~ unit {UNIT} reloaded"]
    assert box.told() == [f"reload {UNIT}"]
    assert box.disable(now=True)[0] == f"  - unit {UNIT} up"
    assert box.told()[:2] == [f"stop {UNIT}", f"disable {UNIT}"]


def test_now_stops_what_is_still_coming_up(box: Box) -> None:
    box.enable(watch=True)
    box.say("process", "42\n")  # a watch that waits for the machine to change
    box.told()
    assert box.disable(now=True)[0] == f"  - unit {UNIT} up"
    assert box.told()[0] == f"stop {UNIT}"


def test_watched_by_a_drop_in(box: Box) -> None:
    box.enable()
    assert box.enable(watch=True) == [f"  + file {box.drop_in}"]
    assert "watch --replace --wait 60 /etc/vlanlink/%i.toml" in box.drop_in.read_text()
    assert box.told()[-1] == "daemon-reload"
    assert box.enable(watch=True) == []
    assert box.enable() == [f"  - file {box.drop_in}"]
    assert not box.drop_in.exists()
    assert box.told() == ["daemon-reload"]
    box.enable(watch=True)
    assert f"  - file {box.drop_in}" in box.disable()
    assert box.files() == set()


ENABLED_FILES = {
    "etc",
    "office.toml",
    "vlanlink@.service",
    f"{UNIT}.d",
    "online.conf",
    UNIT,
}
WAITS = """
[topology]
name = "office"
[networks.lan]
kind = "macvlan"
parent = "eth0"
wait = "address"
[namespaces.web.interfaces.eth0]
network = "lan"
addresses = ["192.0.2.5/24"]
"""


def test_one_that_waits_for_an_address_is_no_part_of_the_network_that_is_online(box: Box) -> None:
    """An ordering in a unit's file can't be taken back by a drop-in."""
    box.enable()
    assert "network-online" not in box.template.read_text()
    assert "Before=network-online.target" in box.online.read_text()
    box.topology = box.load(WAITS)
    assert f"  - file {box.online}" in box.enable()
    assert not box.online.parent.exists()
    box.topology = box.load(TEXT)
    assert f"  + file {box.online}" in box.enable()


def test_now_and_watched(box: Box) -> None:
    box.enable(now=True)
    assert box.enable(now=True, watch=True)[-1] == f"  ~ unit {UNIT} restarted with watch"
    assert box.told()[-1] == f"restart {UNIT}"
    box.say("process", "612")
    assert box.enable(now=True, watch=True) == [f"  ~ unit {UNIT} reloaded"]
    assert box.told() == [f"reload {UNIT}"]
    assert box.enable(now=True)[-1] == f"  ~ unit {UNIT} restarted without watch"


def test_now_while_it_still_comes_up(box: Box) -> None:
    """Its type may be another since systemd read the drop-in anew: a start would never end."""
    box.say("process", "612")
    assert box.enable(now=True)[-1] == f"  ~ unit {UNIT} restarted without watch"


def test_a_watch_that_is_refused_leaves_what_was_there(box: Box) -> None:
    box.enable(now=True)
    box.say("refuses", "restart")
    with pytest.raises(vlanlink.ConflictError):
        box.enable(now=True, watch=True)
    assert not box.drop_in.exists()
    box.say("refuses", "")
    box.enable(watch=True)
    before = box.drop_in.read_text()
    box.say("process", "612")
    box.say("refuses", "restart")
    with pytest.raises(vlanlink.ConflictError):
        box.enable(now=True)
    assert box.drop_in.read_text() == before


def test_a_drop_in_of_somebody_else_is_used_as_it_is(box: Box) -> None:
    box.drop_in.parent.mkdir(parents=True)
    box.drop_in.write_text("[Service]\n")
    found = vlanlink.enable(box.topology, box.host, watch=True)
    assert "used as it is" in found.notes[0].message
    box.disable()
    assert box.drop_in.read_text() == "[Service]\n"


def test_an_edited_topology_takes_the_place_of_its_copy(box: Box) -> None:
    box.enable()
    box.topology = box.load(TEXT.replace("eth0", "eth1"))
    assert box.enable() == [f"  ~ file {box.copy} from {box.directory}/mine.toml"]
    assert 'parent = "eth1"' in box.copy.read_text()


def test_what_is_not_ours_is_neither_overwritten_nor_removed(box: Box) -> None:
    box.copy.parent.mkdir()
    other = TEXT.replace("eth0", "eth7")
    box.copy.write_text(other)
    with pytest.raises(vlanlink.ConflictError, match="vlanlink enable didn't write"):
        box.enable()
    assert box.told() == []
    assert box.files() == {"etc", "office.toml"}
    box.topology = vlanlink.load(box.copy)  # enabled as it stands there
    box.enable()
    assert box.copy.read_text() == other
    found = vlanlink.disable("office", box.host)
    assert "stays" in found.notes[0].message
    assert box.files() == {"etc", "office.toml"}


def test_a_copy_edited_by_hand_is_not_ours_any_more(box: Box) -> None:
    box.enable()
    box.copy.write_text(box.copy.read_text().replace("eth0", "eth7"))
    with pytest.raises(vlanlink.ConflictError, match="edited since"):
        box.enable()
    assert box.files() == ENABLED_FILES
    box.disable()
    assert box.files() == {"etc", "office.toml"}


def test_a_unit_of_somebody_else_is_used_as_it_is(box: Box) -> None:
    box.template.write_text("[Service]\nExecStart=true\n")
    found = vlanlink.enable(box.topology, box.host)
    assert "used as it is" in found.notes[0].message
    box.disable()
    assert box.files() == {"vlanlink@.service"}


def test_the_unit_stays_while_another_topology_needs_it(box: Box) -> None:
    box.enable()
    lab = box.load(TEXT.replace("office", "lab"))
    vlanlink.enable(lab, box.host)
    assert not any("vlanlink@.service" in line for line in box.disable())
    assert vlanlink.disable(lab, box.host).lines[-1] == f"  - file {box.template}"


@pytest.mark.parametrize("verb", ["daemon-reload", "enable", "start"])
def test_what_systemd_refuses_is_told_and_undone(box: Box, verb: str) -> None:
    box.say("refuses", verb)
    with pytest.raises(vlanlink.ConflictError, match=f"systemctl {verb}.*Failed to {verb} unit"):
        box.enable(now=True)
    assert box.files() == set()
    assert box.told()[-1] == "daemon-reload"  # so that systemd forgets the unit


@pytest.mark.parametrize(
    ("verb", "words", "seconds", "hint"),
    [
        ("daemon-reload", "daemon-reload", 90, "once systemctl is-system-running answers"),
        ("is-enabled", f"is-enabled {UNIT}", 90, "once systemctl is-system-running answers"),
        ("show", f"show --property=MainPID --value {UNIT}", 90, "is-system-running answers"),
        ("start", f"start {UNIT}", 900, "systemctl list-jobs shows"),
    ],
)
def test_a_systemd_that_does_not_answer_is_told_and_undone(
    box: Box, monkeypatch: pytest.MonkeyPatch, verb: str, words: str, seconds: int, hint: str
) -> None:
    real = subprocess.run

    def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        if command[1] == verb:
            options["timeout"] /= 1000  # the others have all their time
        return real(command, **options)

    monkeypatch.setattr("subprocess.run", run)
    box.say("hangs", verb)
    with pytest.raises(vlanlink.ConflictError) as caught:
        box.enable(now=True)
    assert f"systemctl {words} did not end within {seconds} s\n  hint: " in str(caught.value)
    assert hint in str(caught.value)
    assert box.files() == set()


def test_an_update_that_is_refused_leaves_what_was_there(box: Box) -> None:
    box.enable()
    before = box.copy.read_text()
    box.topology = box.load(TEXT.replace("eth0", "eth1"))
    box.say("refuses", "start")
    with pytest.raises(vlanlink.ConflictError):
        box.enable(now=True)
    assert box.copy.read_text() == before
    assert box.files() == ENABLED_FILES


def test_where_systemd_is_not_the_init_nothing_is_reloaded(box: Box) -> None:
    box.say("state", "offline")
    box.enable()
    assert box.told() == [f"enable {UNIT}"]


def test_without_systemctl(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for verb in (box.enable, box.disable, need):
        with pytest.raises(vlanlink.ConflictError, match="systemctl not found"):
            verb()
    assert box.files() == set()


def test_what_can_not_be_written_to_is_for_root(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    for verb in (box.enable, box.disable):
        with pytest.raises(vlanlink.PrivilegeError, match="can't write to"):
            verb()


def test_what_has_no_file_or_can_be_no_name(box: Box) -> None:
    with pytest.raises(vlanlink.UsageError, match="built in code"):
        vlanlink.enable(vlanlink.Topology(name="office"), box.host)
    with pytest.raises(vlanlink.UsageError, match="is not a valid topology name"):
        vlanlink.disable("../office", box.host)


def test_the_json_form(box: Box) -> None:
    found = json.loads(json.dumps(vlanlink.enable(box.topology, box.host).to_dict()))
    assert (found["topology"], found["enabled"]) == ("office", True)
    assert found["changes"][3] == {
        "action": "create",
        "object": "unit",
        "name": UNIT,
        "summary": "at every boot",
    }
    assert vlanlink.disable("office", box.host).to_dict()["enabled"] is False


def test_the_unit_runs_this_program(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [line for line in unit.text().splitlines() if line.startswith("Exec")]
    program, turn, file = (
        f"{sys.executable} -P -m vlanlink",
        "--lock-timeout 180",
        "/etc/vlanlink/%i.toml",
    )
    assert commands == [
        f"ExecStart={program} up --replace --wait 60 {turn} {file}",
        f"ExecReload={program} up --replace {turn} {file}",
        f"ExecStop={program} down {turn} %i",
    ]
    monkeypatch.setattr(sys, "executable", "/opt/my 100%/python")
    assert 'ExecStop="/opt/my 100%%/python" -P' in unit.text()


def test_a_unit_whose_turn_comes_last_has_time_for_its_work() -> None:
    seconds = re.search(r"--wait (\d+) --lock-timeout (\d+)", unit.text())
    assert seconds
    assert sum(map(int, seconds.groups())) + 60 <= 5 * 60
    assert "TimeoutSec=5min" in unit.text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("drop_ins", [(), (unit.WATCH,), unit.DROP_INS])
def test_systemd_has_nothing_against_the_unit(tmp_path: Path, drop_ins: tuple[str, ...]) -> None:
    file = tmp_path / UNIT
    file.write_text(unit.text())
    directory = tmp_path / f"{UNIT}.d"
    directory.mkdir()
    for name in drop_ins:
        (directory / name).write_text(unit.text(name))
    verify = ["systemd-analyze", "verify", "--man=no", str(file)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_of_the_package_is_used(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = box.directory / "packaged@.service"
    monkeypatch.setattr(unit, "_PACKAGED", (Path(sys.prefix), packaged))
    packaged.touch()
    assert box.enable() == [
        f"  + file {box.copy} from {box.directory}/mine.toml",
        f"  + file {box.online}",
        f"  + unit {UNIT} at every boot",
    ]
    box.disable()
    packaged.unlink()
    assert f"  + file {box.template}" in box.enable()


# -- who can write the program -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "uid", "mode", "why"),
    [
        ("/opt/vlanlink/bin/python", 1000, 0o100755, "belongs to user 1000"),
        ("/opt/vlanlink", 1000, 0o40755, "belongs to user 1000"),
        ("/opt", 0, 0o40777, "has mode 0777"),
        ("/opt/vlanlink/bin", 0, 0o40775, "has mode 0775"),
        ("/opt", 0, 0o41777, None),  # sticky: others can't replace what is root's
        ("/opt/vlanlink/bin/python", 0, 0o120777, None),  # a link's mode means nothing
        ("/", 0, 0o40755, None),
    ],
)
def test_a_program_that_others_can_write_is_refused(
    path: str, uid: int, mode: int, why: str | None, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Path("/opt/vlanlink/bin/python")

    def lstat(self: Path) -> os.stat_result:
        found = (mode, uid) if str(self) == path else (0o40755, 0)
        return os.stat_result((found[0], 0, 0, 1, found[1], 0, 0, 0, 0, 0))

    monkeypatch.setattr(trust, "_program", lambda: [program])
    monkeypatch.setattr(Path, "exists", lambda self: self == program or os.path.exists(self))
    monkeypatch.setattr(Path, "lstat", lstat)
    if why is None:
        trust.refuse_untrusted_program()
        return
    with pytest.raises(vlanlink.PrivilegeError, match=f"{path} {why}") as caught:
        box.enable()
    assert "PIPX_HOME=/opt/pipx" in str(caught.value)
    assert box.files() == set()


def test_the_program_is_the_interpreter_and_all_modules() -> None:
    found = set(trust._program())
    package = Path(str(vlanlink.__file__)).parent
    assert {Path(sys.executable), package, package / "boot/trust.py", package / "cli"} <= found


@pytest.mark.parametrize("how", ["open to others", "a link to one that is"])
def test_nothing_is_written_where_others_can_swap_it(box: Box, how: str) -> None:
    elsewhere = box.directory / "elsewhere"
    (elsewhere if how.startswith("a link") else box.drop_in.parent).mkdir()
    if how.startswith("a link"):
        box.drop_in.parent.symlink_to(elsewhere)
    box.drop_in.parent.chmod(0o777)
    with pytest.raises(vlanlink.PrivilegeError, match="has mode 0777") as caught:
        box.enable(watch=True)
    assert caught.value.exit_code == 4
    assert str(box.drop_in) in caught.value.diagnostics[0].message
    assert not list(box.drop_in.parent.iterdir())
    assert not box.copy.exists()
    box.drop_in.parent.chmod(0o755)
    box.enable(watch=True)
    box.drop_in.parent.chmod(0o777)
    with pytest.raises(vlanlink.PrivilegeError, match="has mode 0777"):
        box.disable()
    assert box.drop_in.exists()


def test_a_pipe_in_the_place_of_a_file_stops_nothing(box: Box) -> None:
    """Opening one waits for a writer."""
    box.drop_in.parent.mkdir()
    os.mkfifo(box.drop_in)
    notes = vlanlink.enable(box.topology, box.host, watch=True).notes
    assert [note.message for note in notes] == [f"{box.drop_in} was edited; it is used as it is"]
