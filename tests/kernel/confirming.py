"""What the tests of ``up --confirm`` share: a topology, who waits, who puts it back."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.kernel.command_line import VLANLINK
from tests.kernel.judge import same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import World, next_line, until

if TYPE_CHECKING:
    import subprocess

FILE, NEW = "/run/office.toml", "/run/new.toml"
SOON, LATE = "2", "600"
LONG_ENOUGH = "6"
"""For `up` to be done and to ask before it is rolled back, however busy the machine is."""
PATIENCE = 120.0
ASKED = "rolled back in"


def text(*names: str, probe: str = "false") -> str:
    """A topology whose endpoints leave their addresses out."""
    return small("office", keys=f"probe = {probe}", **dict.fromkeys(names, ""))


@contextmanager
def prepared(lan: Lan) -> Iterator[World]:
    """The files are there; at the end no process of a test that failed stays."""
    Path(FILE).write_text(text("one", "two"))
    Path(NEW).write_text(text("two", "three"))
    yield lan.world
    for pid in reverters():
        os.kill(pid, signal.SIGKILL)


def reverters() -> list[int]:
    """Those of this test: they are in its network namespace."""
    here, found = os.stat("/proc/self/ns/net").st_ino, []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            if b"vlanlink.reverter" in words and os.stat(entry / "ns/net").st_ino == here:
                found.append(int(entry.name))
    return found


def waiting() -> list[Path]:
    return list(Path("/run/vlanlink").glob("*.pending"))


def started(world: World, file: str, seconds: str) -> "subprocess.Popen[bytes]":
    """`vlanlink up FILE --confirm SECONDS`, once it waits."""
    process = world.start([VLANLINK, "up", file, "--replace", "--confirm", seconds])
    lines: list[str] = []
    while ASKED not in "".join(lines):
        line = next_line(process, "stderr")
        assert line, lines
        lines.append(line)
    return process


def is_back(world: World, before: Any) -> None:
    until(lambda: not waiting(), "no change waits", PATIENCE)
    same(world, before)
    until(lambda: not reverters(), "the reverter ends", PATIENCE)
    assert [p.name.split("@")[0] for p in Path("/run/vlanlink").iterdir()] == ["lock"]
    assert not list(Path("/var/lib/vlanlink").glob("*"))


def gone(*_: object) -> None:
    """Who waits is gone: what ``vlanlink.up`` asks whether the change shall stay."""
    raise KeyboardInterrupt
