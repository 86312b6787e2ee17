"""`watch` beside a tenant that stands in the way of its repair: it mends everybody else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.test_tenant_marks import (
    FORGERIES,
    OFFICE,
    Replace,
    by_a_pair,
    by_an_altname,
    group,
    lo_renamed,
    load,
    mark,
    tamper,
    up,
)
from tests.kernel.watching import Watched
from tests.kernel.watching import watched as watch_text
from tests.kernel.world import until

__all__ = ["up"]
pytestmark = pytest.mark.needs("macvlan")


@contextmanager
def watched(**options: Any) -> Iterator[Watched]:
    """A watch of what is up."""
    with watch_text(OFFICE, replace_file=True, **options) as watch:
        yield watch


def moved_away(lan: Lan) -> None:
    """Into a namespace without a name, where it stays up, with its MAC."""
    move_away(lan)


def move_away(lan: Lan, *commands: str) -> int:
    """The process in there."""
    sleeper = lan.world.start("unshare -n sleep 1000")
    own = os.stat("/proc/self/ns/net").st_ino
    until(lambda: os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino != own, "its own namespace")
    lan.world.ip(f"link set eth0 netns {sleeper.pid}", "one")
    for words in (*commands, "ip link set eth0 up"):
        lan.world.run(f"nsenter -n -t {sleeper.pid} {words}")
    return sleeper.pid


@pytest.mark.parametrize("deed", [by_a_pair, by_an_altname, lo_renamed, moved_away])
def test_watch_mends_everybody_else_and_says_whom_it_cannot(up: Lan, deed: Replace) -> None:
    world = up.world
    with watched() as watch:
        watch.told("up")
        deed(up)
        event = watch.told("failed" if deed is moved_away else "blocked")
        assert "one" in event.diagnostics[0].message
        for _ in range(2):
            world.ip("addr flush dev eth0", "two")
            mended = lambda: world.addresses("eth0", "two") == ["172.16.86.11/24"]  # noqa: E731
            until(mended, "two is mended", seconds=90)  # beside the processes of parallel tests
        world.run(["ip", *mark("other").split()], "two")
        marked = lambda: world.link("lo", "two").get("ifalias") == "vlanlink:office"  # noqa: E731
        until(marked, "and its mark", seconds=90)


def test_watch_mends_a_forged_mark(up: Lan) -> None:
    with watched() as watch:
        watch.told("up")
        for how in FORGERIES:
            tamper(up, how)
            link = "eth0" if how.startswith("eth0") else "lo"
            until(lambda: vlanlink.status("office").state == "up", how)
            found = up.world.link(link, "one")
            assert (found["ifalias"], found["group"]) == ("vlanlink:office", str(group("office")))


def test_watch_goes_on_when_the_obstacle_is_gone(up: Lan) -> None:
    world = up.world
    with watched() as watch:
        watch.told("up")
        by_a_pair(up)
        watch.told("blocked")
        world.ip("link del eth0", "one")
        until(lambda: vlanlink.status("office").state == "up", "one is mended")
        assert world.addresses("eth0", "one") == ["172.16.86.10/24"]


def test_a_watch_that_starts_beside_an_obstacle_mends_the_rest(up: Lan) -> None:
    by_a_pair(up)
    up.world.ip("addr flush dev eth0", "two")
    with watched() as watch:
        until(lambda: up.world.addresses("eth0", "two") == ["172.16.86.11/24"], "two is mended")
        watch.told("blocked")
        vlanlink.down("office")
        watch.told("down")


UNMARKED = "ip link set eth0 group 0 alias mine"


@pytest.mark.parametrize(
    ("forged", "name"),
    [
        pytest.param((), "eth0", id="as it was"),
        pytest.param((UNMARKED,), "eth0", id="unmarked"),
        pytest.param((), "help", id="a word of ip"),
        pytest.param((UNMARKED,), "-r;\x1b[31m'", id="more than a name"),
    ],
)
def test_down_names_what_was_moved_away(lan: Lan, forged: tuple[str, ...], name: str) -> None:
    """It is in somebody else's namespace, so it stays; the command that is told removes it."""
    before = dump(lan.world)
    vlanlink.up(load())
    process = move_away(lan, *forged)
    inside = ["nsenter", "-n", "-t", str(process), "ip"]
    if name != "eth0":
        lan.world.run([*inside, "link", "set", "dev", "eth0", "down"])
        lan.world.run([*inside, "link", "set", "dev", "eth0", "name", name])
    assert len(vlanlink.down("office", dry_run=True).notes) == 1
    done = vlanlink.down("office")
    (note,) = done.notes
    assert note.severity == "warning"
    where = f"into a namespace without a name (pid {process} (sleep 1000))"
    assert note.message == f"{vlanlink.printable(name)} stays: it was moved {where}"
    assert lan.world.namespaces() == set()
    lan.world.run([*inside, "link", "show", "dev", name])
    command, _, rest = (note.hint or "").partition(" removes it")
    assert rest == ""
    lan.world.run(["bash", "-c", command])
    same(lan.world, before)
    vlanlink.up(load())
    assert vlanlink.status("office").state == "up"
    assert vlanlink.down("office").notes == ()


def test_a_failed_up_does_not_forget_what_was_moved_away(lan: Lan) -> None:
    vlanlink.up(load())
    process = move_away(lan)
    with pytest.raises(vlanlink.ApplyError):
        vlanlink.up(load())
    (note,) = vlanlink.down("office").notes
    assert f"(pid {process} (sleep 1000))" in note.message
