"""No room for a file: whichever write fails, nothing is lost, and what is said is true.

vlanlink's directories and the names of namespaces are on one small file system. It is filled until
so many inodes, or bytes, are left; with each number more of a run gets through.
"""

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from vlanlink import Host

pytestmark = pytest.mark.needs("macvlan")

DISK = Path("/run/small")
HOST = Host(
    run_directory=DISK / "run", state_directory=DISK / "state", netns_directory=Path("/run/netns")
)
INODES, KIBIBYTES = range(9), range(0, 36, 4)


def load(*names: str) -> vlanlink.Topology:
    text = small("office", subnet="10.9.0.0/24", **dict.fromkeys(names, ""))
    return vlanlink.load("/run/office.toml", text=text)


BEFORE = load("a", "b", "c")
AFTER = load("b", "c", "d", "e")
"""An edit that takes a lease away and adds two: without the old leases, they would change."""


@pytest.fixture
def disk(lan: Lan) -> Lan:
    DISK.mkdir()
    Path("/run/netns").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=40", "x", DISK], check=True)
    names = DISK / "netns"
    for directory in (names, HOST.run_directory, HOST.state_directory):
        directory.mkdir(mode=0o700)
    subprocess.run(["mount", "--bind", names, "/run/netns"], check=True)
    (names / "lan").mkdir()
    return lan


def leave_inodes(count: int) -> None:
    number = 0
    with suppress(OSError):
        while True:
            (DISK / f"ballast{number}").touch()
            number += 1
    for one in range(number - count, number):
        (DISK / f"ballast{one}").unlink(missing_ok=True)


def leave_kibibytes(count: int) -> None:
    with suppress(OSError), (DISK / "ballast").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    size = (DISK / "ballast").stat().st_size
    with (DISK / "ballast").open("rb+") as file:
        file.truncate(size - count * 1024)


def clear() -> None:
    for ballast in DISK.glob("ballast*"):
        ballast.unlink()


WAYS = [(leave_inodes, n) for n in INODES] + [(leave_kibibytes, n) for n in KIBIBYTES]
ways = pytest.mark.parametrize(("leave", "left"), WAYS, ids=lambda v: getattr(v, "__name__", v))


def leases() -> dict[str, str]:
    return {one.endpoint: one.address for one in vlanlink.leases(host=HOST)}


def files() -> dict[str, Any]:
    """What the directories hold, but for the lock."""
    found = [*HOST.run_directory.iterdir(), *HOST.state_directory.iterdir()]
    return {
        path.name: json.loads(path.read_text())
        for path in found
        if not path.name.startswith("lock")
    }


def refused(topology: vlanlink.Topology) -> bool:
    """Whether it can't come up for want of room, and then it says so."""
    try:
        vlanlink.up(topology, HOST)
    except vlanlink.VlanlinkError as error:
        found: vlanlink.VlanlinkError = error
    else:
        return False
    assert "No space left" in str(found)
    assert found.not_undone == ()
    return True


@ways
def test_up_without_room(disk: Lan, leave: Callable[[int], None], left: int) -> None:
    before = dump(disk.world)
    leave(left)
    if refused(BEFORE):
        same(disk.world, before)
        clear()
        assert files() == {}
    clear()
    vlanlink.up(BEFORE, HOST)
    assert leases() == {"a/eth0": "10.9.0.1", "b/eth0": "10.9.0.2", "c/eth0": "10.9.0.3"}
    vlanlink.down("office", HOST)
    same(disk.world, before)


@ways
def test_an_edit_without_room(disk: Lan, leave: Callable[[int], None], left: int) -> None:
    spaces = ("a", "b", "c")
    vlanlink.up(BEFORE, HOST)
    before, kept = dump(disk.world, *spaces), files()
    leave(left)
    if refused(AFTER):
        same(disk.world, before, *spaces)
        assert files() == kept
        assert vlanlink.status("office", HOST).state == "up"
        clear()
        vlanlink.up(AFTER, HOST)
    given = {"b/eth0": "10.9.0.2", "c/eth0": "10.9.0.3", "d/eth0": "10.9.0.1", "e/eth0": "10.9.0.4"}
    assert leases() == given
    assert {p.name.split("@")[0] for p in HOST.run_directory.iterdir()} == {"office", "lock"}


@ways
def test_down_and_again_without_room(disk: Lan, leave: Callable[[int], None], left: int) -> None:
    before = dump(disk.world)
    vlanlink.up(BEFORE, HOST)
    given = leases()
    leave(left)
    assert vlanlink.up(BEFORE, HOST).changes == (), "nothing to do needs no room"
    vlanlink.down("office", HOST)
    clear()
    same(disk.world, before)
    assert leases() == given
