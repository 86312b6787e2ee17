"""The record of how things were is lost: what is marked still goes, and what is not is told."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import until
from vlanlink.kernel.netns.identity import identify
from vlanlink.topology.load import heading

pytestmark = pytest.mark.needs("macvlan")

TOPOLOGY = small("lost", one="172.16.86.10")
SYSCTLS = TOPOLOGY + '[host]\nsysctls = { "net.ipv4.ip_forward" = 1 }\n'


def record() -> Path:
    return Path(f"/run/vlanlink/lost@{identify(None)}.json")


def load(text: str) -> vlanlink.Topology:
    return vlanlink.load("/run/lost.toml", text=text)


HOST_ONLY = '[topology]\nname = "lost"\n[host]\nsysctls = { "net.ipv4.ip_forward" = 1 }\n'
COMMAND = "sysctl -w net.ipv4.ip_forward=VALUE"

DAMAGES: dict[str, Callable[[str], str]] = {
    "torn": lambda text: text[:40],
    "empty": lambda _: "",
    "no-object": lambda _: "[1, 2]",
    "odd": lambda text: text.replace('"sysctls": {', '"sysctls": 7, "more": {'),
    "foreign": lambda text: text.replace('"topology": "lost"', '"topology": "office"'),
    "newer": lambda text: text.replace('"version": 1', '"version": 9'),
}


def damage(how: str) -> None:
    text = record().read_text()
    record().unlink()
    if how in DAMAGES:
        assert DAMAGES[how](text) != text
        record().write_text(DAMAGES[how](text))


def told(topology: vlanlink.Topology | str) -> tuple[str, ...]:
    """What `down` says that it did not put back."""
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.down(topology)
    assert caught.value.exit_code == 1
    return caught.value.not_undone


@pytest.mark.parametrize("how", ["gone", *DAMAGES])
def test_what_bears_the_mark_goes(lan: Lan, how: str) -> None:
    before = dump(lan.world)
    vlanlink.up(load(TOPOLOGY))
    damage(how)
    assert vlanlink.status(load(TOPOLOGY)).state == "up"
    assert vlanlink.up(load(TOPOLOGY)).operations == ()
    damage(how)
    vlanlink.down(load(TOPOLOGY))
    same(lan.world, before)
    assert list(record().parent.glob("*.json")) == []


@pytest.mark.parametrize("how", ["gone", *DAMAGES])
def test_what_the_file_set_on_the_host_is_told_with_the_command(lan: Lan, how: str) -> None:
    vlanlink.up(load(SYSCTLS))
    damage(how)
    assert told(load(SYSCTLS)) == (COMMAND,)
    assert lan.world.namespaces() == set()
    assert vlanlink.down(load(SYSCTLS)).operations == ()


@pytest.mark.parametrize(
    ("how", "why"),
    [("newer", "version 9 is from a newer vlanlink"), ("torn", "it is not JSON")],
)
def test_a_record_that_cannot_be_read_is_named(lan: Lan, how: str, why: str) -> None:
    vlanlink.up(load(SYSCTLS))
    damage(how)
    (note,) = (note for note in vlanlink.plan(load(SYSCTLS)).notes if "lost" in note.message)
    told = f"{record()} can't be used: {why}"
    assert note.message.startswith(f"the record of lost counts as lost: {told}")
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.down(load(SYSCTLS))
    assert told in (caught.value.diagnostics[0].hint or "")
    del lan


def test_our_own_values_are_no_prior_values(lan: Lan) -> None:
    """`up` after the loss reads what it wrote itself; the new record must not take it for more."""
    vlanlink.up(load(SYSCTLS))
    damage("gone")
    assert vlanlink.up(load(SYSCTLS)).operations == ()
    assert vlanlink.up(load(SYSCTLS)).operations == (), "nor is it known later"
    assert COMMAND in str(vlanlink.plan(load(TOPOLOGY)).notes[0]), "the sysctl leaves the file"
    assert told("lost") == (COMMAND,)
    assert lan.world.run("sysctl -n net.ipv4.ip_forward").stdout.strip() == "1"
    assert lan.world.namespaces() == set()


def test_a_value_that_differs_from_the_file_is_how_it_was(lan: Lan) -> None:
    vlanlink.up(load(SYSCTLS))
    damage("gone")
    lan.world.run("sysctl -w net.ipv4.ip_forward=0")
    vlanlink.up(load(SYSCTLS))
    vlanlink.down("lost")
    assert lan.world.run("sysctl -n net.ipv4.ip_forward").stdout.strip() == "0"


def test_what_bears_no_mark_is_known_by_the_file_that_was_torn(lan: Lan) -> None:
    vlanlink.up(load(HOST_ONLY))
    damage("torn")
    assert vlanlink.up(load(HOST_ONLY)).operations == ()
    assert told(load(HOST_ONLY)) == (COMMAND,)
    vlanlink.up(load(HOST_ONLY))
    damage("torn")
    assert told(load(HOST_ONLY)) == (COMMAND,)
    assert vlanlink.down(load(HOST_ONLY)).operations == ()
    del lan


def test_without_file_and_copy_it_is_said_to_be_unknown(lan: Lan) -> None:
    vlanlink.up(load(SYSCTLS))
    record().unlink()
    with pytest.raises(vlanlink.ApplyError, match="is unknown"):
        vlanlink.down("lost")
    assert lan.world.namespaces() == set()


@pytest.mark.usefixtures("lan")
def test_a_file_that_is_wrong_tells_nothing_of_it() -> None:
    vlanlink.up(load(SYSCTLS))
    record().unlink()
    with pytest.raises(vlanlink.ApplyError, match="is unknown"):
        vlanlink.down(heading("/run/lost.toml", text=SYSCTLS.encode() + b"[nonsense]\n"))


@pytest.mark.usefixtures("lan")
def test_a_heading_tells_what_the_file_set() -> None:
    vlanlink.up(load(SYSCTLS))
    record().unlink()
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.down(heading("/run/lost.toml", text=SYSCTLS.encode()))
    assert caught.value.not_undone == (COMMAND,)


@pytest.mark.usefixtures("lan")
def test_the_copy_for_the_boot_tells_what_was_set() -> None:
    host = vlanlink.Host(configuration_directory=Path("/run/etc"))
    Path("/run/etc").mkdir()
    Path("/run/etc/lost.toml").write_text(SYSCTLS)
    vlanlink.up(load(SYSCTLS), host)
    record().unlink()
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.down("lost", host)
    assert caught.value.not_undone == (COMMAND,)


# -- a parent that was down ------------------------------------------------------------------------


def is_up(lan: Lan) -> bool:
    return "UP" in lan.world.link("eth0")["flags"]


def doubts(plan: vlanlink.Plan) -> list[str]:
    """What is said of parents that may have been down."""
    return [note.hint or "" for note in plan.notes if "stays up" in note.message]


SET_DOWN = "ip link set eth0 down, if it was down before"


def test_a_parent_that_may_have_been_down_is_told(lan: Lan) -> None:
    lan.world.ip("link set eth0 down")
    vlanlink.up(load(TOPOLOGY))
    damage("gone")
    assert doubts(vlanlink.down(load(TOPOLOGY))) == [SET_DOWN]
    assert is_up(lan)
    assert vlanlink.down(load(TOPOLOGY)).notes == ()


def test_one_that_the_host_has_an_address_on_is_its_own(lan: Lan) -> None:
    lan.world.ip("address add 172.16.86.2/24 dev eth0")
    vlanlink.up(load(TOPOLOGY))
    damage("gone")
    assert vlanlink.down(load(TOPOLOGY)).notes == ()


def test_up_after_the_loss_does_not_take_it_for_one_that_was_up(lan: Lan) -> None:
    lan.world.ip("link set eth0 down")
    vlanlink.up(load(TOPOLOGY))
    damage("gone")
    for _ in range(2):
        assert vlanlink.up(load(TOPOLOGY)).operations == ()
    assert doubts(vlanlink.plan(load('[topology]\nname = "lost"\n'))) == [SET_DOWN]
    assert doubts(vlanlink.down("lost")) == [SET_DOWN]
    assert is_up(lan)


def test_a_parent_that_was_set_down_meanwhile_was_down(lan: Lan) -> None:
    lan.world.ip("link set eth0 down")
    before = dump(lan.world)
    vlanlink.up(load(TOPOLOGY))
    damage("gone")
    lan.world.ip("link set eth0 down")
    vlanlink.up(load(TOPOLOGY))
    vlanlink.down("lost")
    same(lan.world, before)


@pytest.mark.needs("vlan")
def test_what_a_vlan_of_ours_stands_on_is_told(lan: Lan) -> None:
    lan.world.ip("link set eth0 down")
    vlanlink.up(load(TOPOLOGY.replace('"eth0"', '"eth0.50"')))
    damage("gone")
    gone = vlanlink.down(load(TOPOLOGY.replace('"eth0"', '"eth0.50"')))
    assert doubts(gone) == [SET_DOWN]
    assert lan.world.names() == {"lo", "eth0"}


def test_who_else_uses_the_parent_puts_it_down(lan: Lan) -> None:
    """The other topology's record tells how it was."""
    lan.world.ip("link set eth0 down")
    before = dump(lan.world)
    other = TOPOLOGY.replace('"lost"', '"other"').replace("one", "two").replace("86.10", "86.11")
    vlanlink.up(load(TOPOLOGY))
    vlanlink.up(vlanlink.load("/run/other.toml", text=other))
    damage("gone")
    vlanlink.down(load(TOPOLOGY))
    vlanlink.down("other")
    same(lan.world, before)


# -- the rest of what a record holds ---------------------------------------------------------------


def test_a_namespace_that_only_its_process_tells_of_is_found_by_the_file(lan: Lan) -> None:
    world = lan.world
    sleeper = world.start("unshare -n sleep 1000")
    own = os.stat("/proc/self/ns/net").st_ino
    until(lambda: os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino != own, "a namespace of its own")
    before = dump(world)
    guest = f"[namespaces.one]\npid = {sleeper.pid}\n[namespaces.one.interfaces.m0]"
    text = TOPOLOGY.replace("[namespaces.one.interfaces.eth0]", guest)
    vlanlink.up(load(text))
    damage("gone")
    vlanlink.down(load(text))
    assert "m0" not in world.run(f"nsenter -n -t {sleeper.pid} ip -br link").stdout
    same(world, before)


def test_a_route_on_a_link_of_nobodys_is_told_where_it_may_be_anothers(lan: Lan) -> None:
    world = lan.world
    world.ip("address add 172.16.86.2/24 dev eth0")
    routes = '[host]\nroutes = [{ to = "10.7.0.0/16", dev = "eth0", via = "172.16.86.1" }]\n'
    vlanlink.up(load(TOPOLOGY + routes))
    other = TOPOLOGY.replace('"lost"', '"other"').replace("one", "two").replace("86.10", "86.11")
    vlanlink.up(vlanlink.load("/run/other.toml", text=other))
    damage("gone")
    (command,) = told(load(TOPOLOGY + routes))
    assert "10.7.0.0/16" in world.ip("route")
    world.run(command)
    assert "10.7.0.0/16" not in world.ip("route")
    vlanlink.down("other")
