"""``up --confirm``: an unconfirmed change is rolled back, whatever happens to the waiter."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.confirming import (
    ASKED,
    FILE,
    LATE,
    LONG_ENOUGH,
    NEW,
    PATIENCE,
    SOON,
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
from tests.kernel.world import World, ended, until
from vlanlink.cli.main import main
from vlanlink.commit_confirm.commit import revert_overdue, roll_back
from vlanlink.reconcile.session import open_session
from vlanlink.store.pending import PendingFile

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture
def world(lan: Lan) -> Iterator[World]:
    with prepared(lan) as found:
        yield found


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


# -- rolled back -----------------------------------------------------------------------------------


def test_after_the_time_it_is_down_again(world: World) -> None:
    before = dump(world)
    done = world.run([VLANLINK, "up", FILE, "--confirm", SOON], check=False)
    assert done.returncode == 1
    assert "error: office was not confirmed within 2 s; rolled back" in done.stderr
    is_back(world, before)


def test_what_was_up_before_is_up_again_with_the_same_addresses(world: World) -> None:
    Path(FILE).write_text(text("zero", "one", "two"))
    vlanlink.up(vlanlink.load(FILE))
    Path(FILE).write_text(text("one", "two"))  # the lowest address is free now, and stays so
    vlanlink.up(vlanlink.load(FILE))
    Path(NEW).write_text(text("three"))
    before = dump(world, "one", "two")
    done = world.run([VLANLINK, "up", NEW, "--replace", "--confirm", SOON], check=False)
    assert done.returncode == 1
    same(world, before, "one", "two")
    assert world.namespaces() == {"one", "two"}
    assert vlanlink.up(vlanlink.load(FILE)).operations == ()  # from that very file
    vlanlink.down("office")
    vlanlink.up(vlanlink.load(FILE))
    same(world, before, "one", "two")


def test_the_lan_is_not_asked_whether_it_may_go_back(lan: Lan, world: World) -> None:
    Path(FILE).write_text(text("one", probe="{ count = 1, seconds = 0.1 }"))
    vlanlink.up(vlanlink.load(FILE))
    before = dump(world, "one")
    (address,) = world.addresses("eth0", "one")
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(NEW), replace_file=True, confirm=600, decide=gone)
    lan.station("taker", address)
    assert main(["confirm", "--revert"]) == 0
    same(world, before, "one")


def test_kill_9_of_who_waits(world: World) -> None:
    before = dump(world)
    process = started(world, FILE, LONG_ENOUGH)
    process.kill()
    is_back(world, before)


def test_kill_9_in_the_middle_of_the_change(world: World) -> None:
    before = dump(world)
    script = f"""
import os, pathlib, signal
from vlanlink.kernel.machine import Machine
from vlanlink.cli.main import main
run = Machine._run_batch
def last(machine, batch):
    run(machine, batch)
    pathlib.Path("/run/made").write_text(" ".join(os.listdir("/run/netns")))
    os.kill(os.getpid(), signal.SIGKILL)
Machine._run_batch = last
main(["up", {FILE!r}, "--confirm", {SOON!r}])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert Path("/run/made").read_text()  # the rollback may be over by now
    is_back(world, before)


def test_a_terminal_that_goes_away(world: World) -> None:
    before = dump(world)
    found = Terminal(VLANLINK, "up", FILE, "--confirm", LONG_ENOUGH)
    found.shows(ASKED)
    found.close()
    os.waitpid(found.pid, 0)
    is_back(world, before)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_from_outside_changes_nothing_about_it(world: World, end: signal.Signals) -> None:
    before = dump(world)
    ignored = signal.signal(end, signal.SIG_DFL)  # nohup(1) ignores SIGHUP, and what it starts too
    process = started(world, FILE, LATE)
    signal.signal(end, ignored)
    process.send_signal(end)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"interrupted; office will be rolled back in " in err
    assert b"vlanlink confirm office keeps it" in err
    assert vlanlink.status("office").state == "up"
    assert len(reverters()) == 1
    assert main(["confirm", "--revert"]) == 0
    is_back(world, before)


def _over(path: Path) -> None:
    """A pending change is overdue."""
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"deadline": 0.0}))


def test_the_next_command_does_it_when_the_reverter_is_gone_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(world)
    process = started(world, FILE, LATE)
    (reverter,) = reverters()
    os.kill(reverter, signal.SIGKILL)
    process.kill()
    ended(process)
    until(lambda: not reverters(), "the reverter is gone")
    assert main(["ls"]) == 0
    assert capsys.readouterr().err == ""
    _over(waiting()[0])
    assert main(["ls"]) == 0
    told = "warning: office was not confirmed within 600 s; rolled back\n"
    assert capsys.readouterr().err == told
    is_back(world, before)
    assert main(["ls"]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_is_lost_is_no_confirmation(world: World) -> None:
    before = dump(world)
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(FILE), confirm=600, decide=gone)
    with PendingFile(waiting()[0]) as file:  # as the reverter has it
        file.path.unlink()
        assert main(["confirm"]) == 2
        with open_session(file.pending.host) as session:
            assert roll_back(session, file)
    is_back(world, before)


def test_a_revert_that_fails_waits_on_and_is_told(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    vlanlink.up(vlanlink.load(FILE))
    Path(NEW).write_text('[topology]\nname = "office"\n[namespaces.four]\n')
    with pytest.raises(vlanlink.Interrupted):
        vlanlink.up(vlanlink.load(NEW), replace_file=True, confirm=600, decide=gone)
    world.ip("link del eth0")
    assert main(["confirm", "--revert"]) == 1
    assert "parent eth0 does not exist" in capsys.readouterr().err
    _over(waiting()[0])
    assert main(["ls"]) == 0  # it could not be rolled back, and goes on
    assert "parent eth0 does not exist" in capsys.readouterr().err
    assert world.namespaces() == {"four"}
    world.ip("link add eth0 type veth peer name other")
    assert main(["ls"]) == 0
    assert "; rolled back" in capsys.readouterr().err
    assert world.namespaces() == {"one", "two"}


def test_who_waits_does_it_when_only_the_reverter_is_gone(world: World) -> None:
    before = dump(world)

    def kill(*_: object) -> None:
        for pid in reverters():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(vlanlink.ApplyError, match="was not confirmed within 1 s"):
        vlanlink.up(vlanlink.load(FILE), confirm=1, decide=kill)
    is_back(world, before)


def test_ctrl_c_puts_it_back_now(world: World, terminal: Terminal) -> None:
    terminal.types("\x03")
    assert terminal.code() == 130
    assert "interrupted; rolled back" in terminal.shown
    assert world.namespaces() == set()
    assert waiting() == []


# -- kept ------------------------------------------------------------------------------------------


def test_confirmed_from_another_shell(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    process = started(world, FILE, LATE)
    assert main(["confirm"]) == 0
    assert capsys.readouterr().out == "office confirmed.\n"
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out.decode().endswith("office confirmed.\n")
    until(lambda: not reverters(), "the reverter ends", PATIENCE)
    assert vlanlink.status("office").state == "up"
    assert waiting() == []
    assert main(["confirm"]) == 2
    assert "no change waits for confirmation" in capsys.readouterr().err


def test_enter_on_the_terminal(world: World, terminal: Terminal) -> None:
    terminal.types("no!\n")  # is no yes
    terminal.shows("no!")
    assert len(waiting()) == 1
    terminal.types("\n")
    assert terminal.code() == 0
    until(lambda: not reverters(), "the reverter ends", PATIENCE)
    assert world.namespaces() == {"one", "two"}


def test_what_changes_nothing_needs_no_confirmation(world: World) -> None:
    vlanlink.up(vlanlink.load(FILE))
    assert main(["up", FILE, "--confirm", LATE]) == 0
    assert (waiting(), reverters()) == ([], [])
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
