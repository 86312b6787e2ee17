"""`watch` beside a tenant that stands in the way of its repair: it mends everybody else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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


def move_away(lan: Lan, *commands: str, of: str = "one") -> int:
    """The process in there."""
    sleeper = lan.world.start("unshare -n sleep 1000")
    own = os.stat("/proc/self/ns/net").st_ino
    until(lambda: os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino != own, "its own namespace")
    lan.world.ip(f"link set eth0 netns {sleeper.pid}", of)
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


NEW_MAC = "ip link set eth0 address 02:00:00:00:00:01"


def test_a_moved_link_is_known_by_its_ifindex(lan: Lan) -> None:
    """Its MAC and mark were changed. `up` makes another one, and says where the first may be."""
    vlanlink.up(load())
    process = move_away(lan, UNMARKED, NEW_MAC)
    where = f"a namespace without a name (pid {process} (sleep 1000))"
    told = f"one/eth0 was probably moved into {where}: "
    told += "macvlan eth0 there has its ifindex and its parent eth0"
    assert [note.message for note in vlanlink.down("office", dry_run=True).notes] == [told]
    (note,) = vlanlink.up(load()).notes
    assert note.message == told
    assert vlanlink.status("office").state == "up"
    command, _, _ = (note.hint or "").partition(" removes it")
    lan.world.run(command)
    lan.world.reaches("one", "172.16.86.11")
    assert vlanlink.down("office").notes == ()


def test_a_watch_says_where_a_moved_link_probably_is(up: Lan) -> None:
    with watched() as watch:
        watch.told("up")
        process = move_away(up, UNMARKED, NEW_MAC)
        event = watch.told("repaired")
        assert [f"(pid {process} (sleep 1000))" in one.message for one in event.diagnostics] == [
            True
        ]


def test_what_nothing_tells_from_others_is_counted(lan: Lan) -> None:
    """Its ifindex was changed, too. Containers of others are on the parent, some by chance."""
    vlanlink.up(load())
    lan.world.ip("link add m0 link eth0 type macvlan mode bridge")
    stranger = lan.world.start("unshare -n sleep 1000")
    until(lambda: lan.world.run(f"readlink /proc/{stranger.pid}/ns/net").stdout != own_link(lan))
    lan.world.ip(f"link set m0 netns {stranger.pid}")
    process = move_away(lan, UNMARKED, NEW_MAC)
    renumber(lan, process)
    (note,) = vlanlink.down("office").notes
    assert note.message.startswith("one/eth0 is gone: deleted, or moved and changed since; ")
    assert "2 macvlan links of others" in note.message
    assert f"(pid {process} (sleep 1000))" in note.message


def own_link(lan: Lan) -> str:
    return lan.world.run("readlink /proc/self/ns/net").stdout


def renumber(lan: Lan, process: int) -> None:
    """Move it on to a namespace where its ifindex is taken, and back."""
    taken = "ip link add name d0 index 10000 type bridge"
    lan.world.ip("netns add between")
    lan.world.run(taken.split(), "between")
    lan.world.run(f"nsenter -n -t {process} ip link set eth0 netns between")
    lan.world.run(f"ip -n between link set eth0 netns {process}")
    lan.world.run(f"nsenter -n -t {process} ip link set eth0 up")
    lan.world.ip("netns delete between")


@pytest.mark.parametrize("name", ["den", "d;\x1b[31m\n'$(id)"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["named", "mounted elsewhere"])
def test_a_link_in_a_namespace_of_any_name_is_named(lan: Lan, name: str, elsewhere: bool) -> None:
    vlanlink.up(load())
    lan.world.run(["ip", "netns", "add", name])
    lan.world.run(["ip", "link", "set", "eth0", "netns", name], "one")
    lan.world.run(UNMARKED.split(), name)
    if elsewhere:
        place = Path("/run") / f"place-{name}"
        place.touch()
        lan.world.run(["mount", "--bind", f"/run/netns/{name}", str(place)])
        lan.world.run(["ip", "netns", "delete", name])
        lan.world.places[name] = str(place)
    (note,) = vlanlink.down("office").notes
    assert note.message.startswith("eth0 stays: it was moved into ")
    assert vlanlink.printable(name) in note.message
    assert note.message.isprintable()
    lan.world.run(["bash", "-c", (note.hint or "").partition(" removes it")[0]])
    assert lan.world.names(name) == {"lo"}
    if elsewhere:
        lan.world.run(["umount", "--lazy", str(place)])


def test_a_link_that_was_deleted_or_renamed_was_not_moved(lan: Lan) -> None:
    vlanlink.up(load())
    lan.world.ip("link del eth0", "one")
    lan.world.ip("link set eth0 down name mine", "two")
    assert vlanlink.down("office").notes == ()


@pytest.mark.needs("ipvlan")
def test_a_moved_ipvlan_link_is_known_by_its_ifindex(lan: Lan) -> None:
    """Its MAC is its parent's, which others' links have, too."""
    before = dump(lan.world)
    vlanlink.up(load(OFFICE.replace('"macvlan"', '"ipvlan"')))
    lan.world.ip("netns add den")
    lan.world.ip("link add link eth0 name i0 netns den type ipvlan mode l2")
    process = move_away(lan, UNMARKED)
    (note,) = vlanlink.down("office").notes
    where = f"a namespace without a name (pid {process} (sleep 1000))"
    assert note.message.startswith(f"one/eth0 was probably moved into {where}: ipvlan eth0 there")
    lan.world.run((note.hint or "").partition(" removes it")[0])
    lan.world.ip("netns delete den")
    same(lan.world, before)
