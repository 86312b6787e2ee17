"""The record of how things were is lost: what is marked still goes, and what is not is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from vlanlink.kernel.identity import identify

pytestmark = pytest.mark.needs("macvlan")

TOPOLOGY = """
[topology]
name = "lost"
[networks.pub]
kind = "macvlan"
probe = false
parent = "eth0"
subnets = [{ subnet = "172.16.86.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.86.10"]
"""
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


def test_the_copy_for_the_boot_tells_what_was_set(lan: Lan) -> None:
    host = vlanlink.Host(configuration_directory=Path("/run/etc"))
    Path("/run/etc").mkdir()
    Path("/run/etc/lost.toml").write_text(SYSCTLS)
    vlanlink.up(load(SYSCTLS), host)
    record().unlink()
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.down("lost", host)
    assert caught.value.not_undone == (COMMAND,)
    del lan
