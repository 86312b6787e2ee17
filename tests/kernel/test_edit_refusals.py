"""Edits that can't be carried out are refused at their line, before anything happens."""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import Cli
from tests.kernel.edit_judge import Ear
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")

FILE = "/run/edited.toml"
PAIR = '[links.v0]\nkind = "veth"\naddresses = ["10.9.0.1/24"]\npeer = { name = "v1" }\n'
MACVLAN = '[links.v0]\nkind = "macvlan"\nparent = "eth0"\naddresses = ["10.9.0.1/24"]\n'
INSIDE = """
[namespaces.t.interfaces.eth0]
{entry}
addresses = ["10.9.0.2{length}"]
"""
ON_NETWORK = """
[networks.n]
kind = "macvlan"
parent = "v0"
subnets = [{ subnet = "10.9.0.0/24" }]
""" + INSIDE.format(entry='network = "n"', length="")
STAYS = [
    pytest.param(PAIR, ON_NETWORK, "parent", id="network"),
    pytest.param(
        PAIR,
        INSIDE.format(entry='kind = "macvlan"\nparent = "v0"', length="/24"),
        "parent",
        id="interface",
    ),
    pytest.param(PAIR, '[links.m0]\nkind = "macvlan"\nparent = "v0"\n', "parent", id="link"),
    pytest.param(
        PAIR.replace("v0", "v2").replace("v1", "v0"),
        '[links.m0]\nkind = "macvlan"\nparent = "v0"\n',
        "parent",
        id="a-peer",
    ),
    pytest.param(
        MACVLAN,
        '[[host.routes]]\nto = "192.0.2.0/24"\nvia = "10.9.0.9"\ndev = "v0"\n',
        "dev",
        id="route",
    ),
    pytest.param(
        MACVLAN,
        '[host.sysctls]\n"net.ipv4.conf.v0.rp_filter" = 2\n',
        "net.ipv4.conf.v0",
        id="sysctl",
    ),
]


def written(text: str) -> vlanlink.Topology:
    Path(FILE).write_text(text)
    return vlanlink.load(FILE)


@pytest.mark.parametrize("probe", [True, False])
@pytest.mark.parametrize(("goes", "stays", "key"), STAYS)
def test_what_is_still_named_does_not_leave(
    lan: Lan, goes: str, stays: str, key: str, *, probe: bool
) -> None:
    """At the line that names it."""
    world = lan.world
    quiet = "" if probe else "\nprobe = false"
    goes, stays = (part.replace('"macvlan"', f'"macvlan"{quiet}') for part in (goes, stays))
    vlanlink.up(written(goes + stays))
    spaces = [*world.namespaces(), ""]
    before = dump(world, *world.namespaces())
    ears = [Ear(world, space) for space in spaces]
    after = written(stays)
    place = next(n for n, line in enumerate(stays.splitlines(), 1) if key in line)
    for verb in (vlanlink.plan, vlanlink.up):
        with pytest.raises(vlanlink.ConflictError) as caught:
            verb(after)
        assert [one.line for one in caught.value.diagnostics] == [place]
        assert "v0" in str(caught.value)
    same(world, before, *world.namespaces())
    for ear in ears:
        assert ear.news() == []
        ear.close()
    vlanlink.down("edited")


NETWORK = """
[networks.n]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{ subnet = "10.9.0.0/24" }]
[namespaces.a.interfaces.eth0]
network = "n"
[namespaces.b.interfaces.eth0]
network = "n"
"""


@pytest.mark.parametrize("text", ["", "\n", "# all of it is gone\n"])
def test_an_emptied_file_is_refused(lan: Lan, cli: Cli, text: str) -> None:
    world = lan.world
    vlanlink.up(written(NETWORK))
    before = dump(world, "a", "b")
    Path(FILE).write_text(text)
    for words in (f"plan {FILE}", f"up {FILE}", f"validate {FILE}"):
        (error,) = cli.errors(words, code=2)
        assert error["file"] == FILE
        assert "vlanlink down edited" in error["hint"]
    same(world, before, "a", "b")


def test_a_topology_that_is_meant_to_be_empty_says_how_much_goes(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    vlanlink.up(written(NETWORK))
    after = written('[topology]\nname = "edited"\n')
    for verb in (vlanlink.plan, vlanlink.up):
        done = verb(after)
        (note,) = done.notes
        assert (note.severity, note.line) == ("warning", 1)
        assert "2 namespaces" in note.message, note.message
    same(world, before)


def test_a_topology_that_is_renamed_in_its_file_names_the_old_one(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(written(NETWORK))
    before = dump(world, "a", "b")
    after = written('[topology]\nname = "new"\n' + NETWORK)
    for verb in (vlanlink.plan, vlanlink.up):
        with pytest.raises(vlanlink.ConflictError) as caught:
            verb(after)
        assert any("vlanlink down edited" in (d.hint or "") for d in caught.value.diagnostics)
    same(world, before, "a", "b")


def test_a_pid_does_not_come_up_at_every_boot(lan: Lan, tmp_path: Path) -> None:
    process = lan.world.start("sleep 1000")
    text = NETWORK + f"[namespaces.c]\npid = {process.pid}\n"
    host = vlanlink.Host(configuration_directory=tmp_path / "etc", unit_directory=tmp_path)
    with pytest.raises(vlanlink.VlanlinkError) as caught:
        vlanlink.enable(written(text), host)
    assert "pid" in str(caught.value)
    assert "systemd" not in str(caught.value)
    assert [one.line for one in caught.value.diagnostics] == [
        text.splitlines().index(f"pid = {process.pid}") + 1
    ]
    assert list(tmp_path.iterdir()) == []
