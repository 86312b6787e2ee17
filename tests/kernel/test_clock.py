"""The wall clock jumps an hour, on and back, while something waits: nothing is led astray.

Only in a guest, whose clock is nobody else's.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.confirming import (
    FILE,
    LATE,
    PATIENCE,
    is_back,
    prepared,
    reverters,
    started,
    text,
    waiting,
)
from tests.kernel.judge import dump
from tests.kernel.lan import Lan
from tests.kernel.watching import watched
from tests.kernel.world import World, until
from vlanlink.cli.main import main
from vlanlink.kernel.netns.identity import identify
from vlanlink.store.lock import locked

pytestmark = pytest.mark.needs("macvlan", "guest")

HOUR = 3600.0
JUMPS = (HOUR, -2 * HOUR, HOUR)
"""On, back beyond what it was, and on again: in the end the clock is right."""


@pytest.fixture
def world(lan: Lan) -> Iterator[World]:
    with prepared(lan) as found:
        yield found


def jump(seconds: float) -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)


def goes_round(pid: int) -> None:
    """A process that sleeps and looks again does so some times."""

    def rounds() -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = rounds()
    until(lambda: rounds() >= before + 2, "it looks again", PATIENCE)


def test_a_change_waits_on_for_as_long_as_was_said(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(world)
    process = started(world, FILE, LATE)
    (reverter,) = reverters()
    for seconds in JUMPS:
        jump(seconds)
        for pid in (process.pid, reverter):
            goes_round(pid)
        assert main(["ls"]) == 0
        assert capsys.readouterr().err == ""
        (change,) = waiting()
        found = vlanlink.status("office").waiting
        assert found is not None
        assert 0 < found.seconds_left <= float(LATE)
        assert change.exists()
    assert main(["confirm", "--revert"]) == 0
    is_back(world, before)


def test_a_change_is_rolled_back_though_the_clock_went_back(world: World) -> None:
    before = dump(world)
    process = started(world, FILE, "5")
    jump(-HOUR)
    _, err = process.communicate(timeout=PATIENCE)
    jump(HOUR)
    assert b"office was not confirmed within 5 s; rolled back" in err
    is_back(world, before)


def test_a_lock_is_waited_for_as_long_as_was_said(world: World) -> None:
    lock = Path(f"/run/vlanlink/lock@{identify(None)}")
    lock.parent.mkdir()
    with locked(lock, 0):
        process = world.start([VLANLINK, "up", FILE, "--lock-timeout", LATE])
        until(lambda: _has_open(process.pid, lock), "it waits", PATIENCE)
        for seconds in JUMPS:
            jump(seconds)
            goes_round(process.pid)
            assert process.poll() is None
        hasty = world.start([VLANLINK, "up", FILE, "--lock-timeout", "2"])
        until(lambda: _has_open(hasty.pid, lock), "it waits", PATIENCE)
        jump(-HOUR)
        assert hasty.wait(PATIENCE) == 1
        jump(HOUR)
    assert process.wait(PATIENCE) == 0
    assert world.namespaces() == {"one", "two"}


def _has_open(pid: int, path: Path) -> bool:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed between the listing and the look
            if link.readlink() == path:
                return True
    return False


def test_a_watch_goes_on(world: World) -> None:
    """More mendings than are made at once: the pauses are none of the wall clock's either."""
    with watched(text("one", "two")) as watch:
        watch.told("up")
        for seconds in (*JUMPS, *JUMPS):
            jump(seconds)
            world.ip("-n one link set eth0 down")
            watch.told("repaired")
        assert "UP" in world.link("eth0", "one")["flags"]
