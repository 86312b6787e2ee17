"""`up --confirm` with systemd: a transient timer rolls back."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.kernel.world import until
from tests.lab.machine import COMMAND_SECONDS, POLL_SECONDS, Machine

if TYPE_CHECKING:
    import subprocess

TEXT = Path(__file__).with_name("office.toml").read_text().replace("@", "1")
FILE, PID = "/root/lab.toml", "/run/lab.pid"
SECONDS = 60
"""An emulated machine needs a third of that for `up`."""


def waiting(host: Machine, seconds: float) -> "subprocess.Popen[str]":
    """`vlanlink up FILE --confirm SECONDS`, waiting for confirmation."""
    host.write(FILE, TEXT)
    command = f"vlanlink up {FILE} --confirm {seconds:g} 2>&1"
    process = host.start(f"echo $$ >{PID}; exec {command}")
    assert process.stdout is not None
    shown = ""
    while "rolled back in" not in shown:
        line = process.stdout.readline()
        assert line, shown
        shown += line
    return process


def timers(host: Machine) -> list[str]:
    """vlanlink's rollback timers."""
    units = "systemctl list-units --all --plain --no-legend 'vlanlink-revert-*.timer'"
    return [line.split()[0] for line in host.run(units).stdout.splitlines()]


def test_the_timer_puts_it_back_though_who_waits_was_killed(host1: Machine) -> None:
    before = host1.dump()
    process = waiting(host1, SECONDS)
    (timer,) = timers(host1)
    assert timer.startswith("vlanlink-revert-office-")
    assert {"web", "db"} <= {row["name"] for row in host1.ip("netns list")}
    host1.run(f"kill -9 $(cat {PID})")
    process.wait(COMMAND_SECONDS)

    gone = lambda: not host1.run("ls /run/vlanlink/*.pending", check=False).stdout  # noqa: E731
    until(gone, "no change is pending", COMMAND_SECONDS, POLL_SECONDS)
    until(lambda: not timers(host1), "the timer is gone", COMMAND_SECONDS, POLL_SECONDS)
    host1.run(f"rm {FILE} {PID}; vlanlink down --forget office", check=False)
    host1.is_as(before)


def test_what_is_confirmed_stays_and_has_no_timer(host1: Machine) -> None:
    before = host1.dump()
    process = waiting(host1, 10 * SECONDS)
    host1.run("vlanlink confirm office")
    assert process.wait(COMMAND_SECONDS) == 0
    host1.run("vlanlink status office")
    until(lambda: not timers(host1), "the timer is gone", COMMAND_SECONDS, POLL_SECONDS)
    host1.run(f"vlanlink down --forget {FILE}; rm {FILE} {PID}")
    host1.is_as(before)
