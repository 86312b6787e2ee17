"""``up --confirm``: what nobody confirms goes back, whatever becomes of who waits for it."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World, until
from vlanlink import lifeline
from vlanlink.cli.main import main
from vlanlink.confirming import revert_overdue

pytestmark = pytest.mark.needs("macvlan")

VLANLINK = str(Path(sys.executable).parent / "vlanlink")
FILE, NEW = "/run/office.toml", "/run/new.toml"
SOON, LATE = "2", "600"
PATIENCE = 60.0
ASKED = "put back in"


def _text(*names: str) -> str:
    """A topology whose endpoints leave their addresses out."""
    return "\n".join(
        [
            '[topology]\nname = "office"',
            '[networks.pub]\nkind = "macvlan"\nparent = "eth0"\nprobe = false',
            'subnets = [{ subnet = "172.16.86.0/24" }]',
            *(f'[namespaces.{name}.interfaces.eth0]\nnetwork = "pub"' for name in names),
        ]
    )


@pytest.fixture
def world(lan: Lan) -> World:
    Path(FILE).write_text(_text("one", "two"))
    Path(NEW).write_text(_text("two", "three"))
    return lan.world


@pytest.fixture(autouse=True)
def no_reverter_left(world: World) -> Iterator[None]:
    del world
    yield
    for pid in _reverters():
        os.kill(pid, signal.SIGKILL)


def _reverters() -> list[int]:
    """Those of this test: they are in its network namespace."""
    here, found = os.stat("/proc/self/ns/net").st_ino, []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            if b"vlanlink.reverter" in words and os.stat(entry / "ns/net").st_ino == here:
                found.append(int(entry.name))
    return found


def _waiting() -> list[Path]:
    return list(Path("/run/vlanlink").glob("*.pending"))


def _started(world: World, file: str, seconds: str) -> "subprocess.Popen[bytes]":
    """`vlanlink up FILE --confirm SECONDS`, once it waits."""
    process = world.start([VLANLINK, "up", file, "--replace", "--confirm", seconds])
    assert process.stderr is not None
    lines: list[str] = []
    while ASKED not in "".join(lines):
        line = process.stderr.readline().decode()
        assert line, lines
        lines.append(line)
    return process


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execv(words[0], words)
        self.shown = ""

    def shows(self, words: str) -> None:
        while words not in self.shown:
            assert select.select([self.master], [], [], PATIENCE)[0], self.shown
            self.shown += os.read(self.master, 4096).decode()

    def types(self, text: str) -> None:
        os.write(self.master, text.encode())

    def close(self) -> None:
        os.close(self.master)

    def code(self) -> int:
        """How it ended; what it shows meanwhile is read, for else it would wait."""
        with suppress(OSError):
            while more := os.read(self.master, 4096):
                self.shown += more.decode()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(world: World) -> Terminal:
    del world
    found = Terminal(VLANLINK, "up", FILE, "--confirm", LATE)
    found.shows(ASKED)
    return found


def _is_back(world: World, before: Any) -> None:
    until(lambda: not _waiting(), "no change waits", PATIENCE)
    same(world, before)
    until(lambda: not _reverters(), "the reverter ends")
    assert [p.name.split("@")[0] for p in Path("/run/vlanlink").iterdir()] == ["lock"]
    assert not list(Path("/var/lib/vlanlink").glob("*"))


# -- put back --------------------------------------------------------------------------------------


def test_after_the_time_it_is_down_again(world: World) -> None:
    before = dump(world)
    process = _started(world, FILE, SOON)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert b"error: office was not confirmed within 2 s; put back as it was" in err
    _is_back(world, before)


def test_what_was_up_before_is_up_again_with_the_same_addresses(world: World) -> None:
    vlanlink.up(vlanlink.load(FILE))
    before = dump(world, "one", "two")
    process = _started(world, NEW, SOON)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    same(world, before, "one", "two")
    assert vlanlink.plan(vlanlink.load(FILE)).operations == ()
    assert world.namespaces() == {"one", "two"}
    vlanlink.down("office")
    vlanlink.up(vlanlink.load(FILE))
    same(world, before, "one", "two")


def test_kill_9_of_who_waits(world: World) -> None:
    before = dump(world)
    process = _started(world, FILE, SOON)
    process.kill()
    _is_back(world, before)


def test_kill_9_in_the_middle_of_the_change(world: World) -> None:
    before = dump(world)
    script = f"""
import os, signal
from vlanlink.kernel.machine import Machine
from vlanlink.cli.main import main
run = Machine._run_batch
def last(machine, batch):
    run(machine, batch)
    os.kill(os.getpid(), signal.SIGKILL)
Machine._run_batch = last
main(["up", {FILE!r}, "--confirm", {SOON!r}])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert world.namespaces() != set()
    _is_back(world, before)


def test_a_terminal_that_goes_away(world: World) -> None:
    before = dump(world)
    found = Terminal(VLANLINK, "up", FILE, "--confirm", SOON)
    found.shows(ASKED)
    found.close()
    os.waitpid(found.pid, 0)
    _is_back(world, before)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_from_outside_changes_nothing_about_it(world: World, end: signal.Signals) -> None:
    before = dump(world)
    process = _started(world, FILE, LATE)
    process.send_signal(end)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"interrupted; office is put back in " in err
    assert b"vlanlink confirm office keeps it" in err
    assert vlanlink.status("office").state == "up"
    assert len(_reverters()) == 1
    assert main(["confirm", "--revert"]) == 0
    _is_back(world, before)


def test_the_next_command_does_it_when_the_reverter_is_gone_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(world)
    process = _started(world, FILE, SOON)
    (reverter,) = _reverters()
    os.kill(reverter, signal.SIGKILL)
    process.kill()
    process.communicate()

    def told() -> bool:
        assert main(["ls"]) == 0
        return "office was not confirmed within 2 s: put back now" in capsys.readouterr().err

    until(told, "ls says that it put it back")
    _is_back(world, before)
    assert main(["ls"]) == 0
    assert capsys.readouterr().err == ""


def test_a_record_that_is_lost_is_no_confirmation(world: World) -> None:
    process = _started(world, FILE, SOON)
    _waiting()[0].unlink()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    until(lambda: not world.namespaces(), "the reverter has it in hand")


def test_ctrl_c_puts_it_back_now(world: World, terminal: Terminal) -> None:
    terminal.types("\x03")
    assert terminal.code() == 130
    assert "interrupted; put back as it was" in terminal.shown
    assert world.namespaces() == set()
    assert _waiting() == []


# -- kept ------------------------------------------------------------------------------------------


def test_confirmed_from_another_shell(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    process = _started(world, FILE, LATE)
    assert main(["confirm"]) == 0
    assert capsys.readouterr().out == "office is confirmed.\n"
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out.decode().endswith("office is confirmed.\n")
    until(lambda: not _reverters(), "the reverter ends")
    assert vlanlink.status("office").state == "up"
    assert _waiting() == []
    assert main(["confirm"]) == 2
    assert "nothing waits for confirmation" in capsys.readouterr().err


def test_enter_on_the_terminal(world: World, terminal: Terminal) -> None:
    terminal.types("no!\n")  # is no yes
    terminal.shows("no!")
    assert len(_waiting()) == 1
    terminal.types("\n")
    assert terminal.code() == 0
    until(lambda: not _reverters(), "the reverter ends")
    assert world.namespaces() == {"one", "two"}


def test_what_changes_nothing_needs_no_confirmation(world: World) -> None:
    vlanlink.up(vlanlink.load(FILE))
    assert main(["up", FILE, "--confirm", LATE]) == 0
    assert (_waiting(), _reverters()) == ([], [])
    del world


def test_in_the_library(world: World) -> None:
    asked: list[float] = []

    def decide(done: vlanlink.Plan, left: float) -> bool | None:
        assert done.changes
        asked.append(left)
        return True if len(asked) == 3 else None

    vlanlink.up(vlanlink.load(FILE), confirm=600, decide=decide)
    assert 500 < asked[-1] <= asked[0] <= 600
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(NEW), replace_file=True, confirm=600, decide=lambda *_: False)
    assert world.namespaces() == {"one", "two"}
    assert revert_overdue() == ()


# -- not at all ------------------------------------------------------------------------------------


def test_meanwhile_only_others_can_be_changed(world: World) -> None:
    process = _started(world, FILE, LATE)
    for words in (f"up {FILE}", "down office"):
        assert main(words.split()) == 1
    other = _text("other").replace("office", "lab")
    vlanlink.up(vlanlink.load("/run/lab.toml", text=other))
    assert main(["confirm", "lab"]) == 2
    assert main(["confirm", FILE]) == 0
    process.communicate(timeout=PATIENCE)
    assert main(["down", "office"]) == 0
    assert world.namespaces() == {"other"}


def test_two_that_wait_are_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    Path(NEW).write_text(_text("other").replace("office", "lab"))
    for file in (FILE, NEW):
        _started(world, file, LATE)
    assert main(["confirm"]) == 2
    assert "hint: name one: lab, office" in capsys.readouterr().err
    assert main(["confirm", "lab"]) == 0
    assert main(["confirm", "--json"]) == 0
    assert '"confirmed": true' in capsys.readouterr().out


def test_what_fails_leaves_nothing_armed(world: World) -> None:
    world.ip("netns add one")
    world.ip("link add eth0 type veth peer name other", "one")
    before = dump(world)
    assert main(["up", FILE, "--confirm", LATE]) == 1
    until(lambda: not _reverters(), "the reverter ends")
    assert _waiting() == []
    same(world, before)


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/program"])
def test_a_way_back_that_can_not_be_armed(
    world: World,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lifeline, "_PROGRAM", (program,))
    before = dump(world)
    assert main(["up", FILE, "--confirm", LATE]) == 4
    err = capsys.readouterr().err
    assert "error: the way back can't be armed: " in err
    assert program in err
    same(world, before)
    assert _waiting() == []


def test_a_state_before_that_is_not_known_can_not_be_gone_back_to(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    vlanlink.up(vlanlink.load(FILE))
    for path in Path("/run/vlanlink").glob("*.json"):
        path.unlink()
    before = dump(world, "one")
    assert main(["up", NEW, "--confirm", LATE]) == 4
    assert "what office is now is not known" in capsys.readouterr().err
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
    monkeypatch.setattr(lifeline, "systemd_runs_here", lambda _: True)
    before = dump(world)

    def gone(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(FILE), confirm=1, decide=gone)
    assert world.namespaces() == {"one", "two"}
    options, command = (tmp_path / "told").read_text().split("--\n")
    assert "--on-active=1s\n" in options
    subprocess.run(command.splitlines(), env={}, cwd="/", check=True)
    _is_back(world, before)


def test_a_timer_that_systemd_refuses(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "systemd-run"
    fake.write_text("#!/bin/sh\necho Failed to start transient timer unit. >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(lifeline, "systemd_runs_here", lambda _: True)
    before = dump(world)
    with pytest.raises(vlanlink.PrivilegeError, match="Failed to start transient timer unit"):
        vlanlink.up(vlanlink.load(FILE), confirm=600)
    assert _waiting() == []
    same(world, before)
