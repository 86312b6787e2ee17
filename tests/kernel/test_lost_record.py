"""The record of how things were is lost: what is marked still goes, and what is not is told."""

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


@pytest.mark.parametrize("damage", ["gone", "torn", "empty", "newer"])
def test_what_bears_the_mark_goes(lan: Lan, damage: str) -> None:
    before = dump(lan.world)
    vlanlink.up(load(TOPOLOGY))
    text = record().read_text()
    damaged = {
        "torn": text[:40],
        "empty": "",
        "newer": text.replace('"version": 1', '"version": 9'),
    }
    record().unlink()
    if damage in damaged:
        record().write_text(damaged[damage])
    assert vlanlink.status(load(TOPOLOGY)).state == "up"
    assert vlanlink.up(load(TOPOLOGY)).operations == ()
    record().unlink()
    vlanlink.down(load(TOPOLOGY))
    same(lan.world, before)


def test_what_the_file_set_on_the_host_is_told_with_the_command(lan: Lan) -> None:
    vlanlink.up(load(SYSCTLS))
    record().unlink()
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.down(load(SYSCTLS))
    assert caught.value.exit_code == 1
    assert caught.value.not_undone == ("sysctl -w net.ipv4.ip_forward=VALUE",)
    assert lan.world.namespaces() == set()
    assert vlanlink.down(load(SYSCTLS)).operations == ()


def test_without_file_and_copy_it_is_said_to_be_unknown(lan: Lan) -> None:
    vlanlink.up(load(SYSCTLS))
    record().unlink()
    with pytest.raises(vlanlink.ApplyError, match="is unknown"):
        vlanlink.down("lost")
    assert lan.world.namespaces() == set()
