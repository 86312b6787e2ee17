"""What is said where there is nothing to create or delete, or something stays."""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK, Cli
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")

FILE = "/run/office.toml"
EMPTY = """
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "172.16.86.0/24" }]
"""
ONE = EMPTY + '[namespaces.one.interfaces.eth0]\nnetwork = "pub"\n'
SHARED = '[topology]\nname = "{}"\n[host]\nsysctls = {{ "net.ipv4.ip_forward" = 1 }}\n'


def test_a_network_without_endpoints(lan: Lan, cli: Cli) -> None:
    del lan
    Path(FILE).write_text(EMPTY)
    assert cli.run(f"up {FILE}").splitlines() == ["office is up: nothing to create."]
    assert cli.run("status office").splitlines()[0] == "office: up"
    assert cli.run(f"up {FILE}").splitlines() == ["office is already up."]
    assert cli.run("down office").splitlines() == ["office is down."]
    assert cli.run(f"down {FILE}").splitlines() == ["office is not up: nothing to do."]


def test_a_topology_that_shares_all_it_has(lan: Lan, cli: Cli) -> None:
    lan.world.run("sysctl -qw net.ipv4.ip_forward=0")
    for name in ("shop", "office"):
        Path(f"/run/{name}.toml").write_text(SHARED.format(name))
        cli.run(f"up /run/{name}.toml")
    assert cli.run("status office").splitlines()[0] == "office: up"
    assert cli.run("down office").splitlines() == ["office is down."]
    assert lan.world.run("sysctl -n net.ipv4.ip_forward").stdout.strip() == "1"
    assert "office is not up" in cli.run("down /run/office.toml")


def test_a_namespace_with_a_second_name_stays(lan: Lan, cli: Cli) -> None:
    Path(FILE).write_text(ONE)
    cli.run(f"up {FILE}")
    Path("/run/netns/second").touch()
    lan.world.run("mount --bind /run/netns/one /run/netns/second")
    vlanlink.down("office")
    assert vlanlink.status("office").state == "down"
    assert cli.run("status", code=3).splitlines()[1].split() == ["office", "down", "-"]
    lan.world.unmount("/run/netns/second")
    Path("/run/netns/second").unlink()
    assert "1 deleted" in cli.run("down office")
    assert cli.run("status") == "No topology is up.\n"


def test_a_namespace_in_use_stays(lan: Lan) -> None:
    Path(FILE).write_text(ONE)
    vlanlink.up(vlanlink.load(FILE))
    lan.world.start("sleep 1000", "one")
    vlanlink.down("office")
    assert vlanlink.status("office").state == "down"


@pytest.mark.parametrize("files", [8, 12, 20, 40])
def test_too_few_open_files(lan: Lan, files: int) -> None:
    """Nothing is begun that could not be undone."""
    Path(FILE).write_text(ONE)
    shell = ["sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', VLANLINK, "up", FILE]
    done = lan.world.run(shell, check=False)
    assert done.returncode == 1
    assert f"error: vlanlink needs 48 open files at a time; the limit is {files}" in done.stderr
    assert "hint: raise the limit: ulimit -n 1024" in done.stderr
    assert list(Path("/run/vlanlink").glob("*.json")) == []
    assert vlanlink.status() == ()
    assert lan.world.namespaces() == set()
