"""init: what it writes comes up, on the machine that it looked at."""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from vlanlink.cli.main import main

pytestmark = pytest.mark.needs("macvlan")


def test_the_first_topology_comes_up(
    lan: Lan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = lan.world
    world.ip("addr add 172.16.86.5/24 dev eth0")
    world.ip("route add default via 172.16.86.1")
    before = dump(world)
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    assert main(["validate"]) == 0
    assert main(["up"]) == 0
    assert main(["verify", "lan"]) in (0, 3)
    found = vlanlink.inspect("lan")
    assert found.summary.parent == "eth0"
    assert {link.role for link in found.host_links} == {"parent", "shim"}
    assert [end.namespace for end in found.endpoints] == ["web", "db"]
    assert all(end.addresses[0].startswith("172.16.86.") for end in found.endpoints)
    assert "vlanlink.toml written" in capsys.readouterr().out
    again = vlanlink.first_topology()
    assert 'name = "lan1"' in again
    assert "[namespaces.web1." in again
    assert main(["down", "lan"]) == 0
    same(world, before)


@pytest.mark.needs("dummy")
def test_for_a_machine_without_a_parent(lan: Lan) -> None:
    lan.world.ip("link del eth0")
    topology = vlanlink.load("lan.toml", text=vlanlink.first_topology())
    assert topology.networks["lan"].internal
    vlanlink.up(topology)
    assert vlanlink.verify("lan").ok
    vlanlink.down("lan")
