"""The command keeps the privileges that it needs, says what it lacks, and hands all on to exec."""

import os
import shlex
import sys
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.access import AS_USER, let_everyone_in
from tests.kernel.confirming import FILE, LATE, prepared, reverters, started
from tests.kernel.lan import Lan
from tests.kernel.world import World, next_line

pytestmark = pytest.mark.needs("macvlan")

VLANLINK = [sys.executable, "-m", "vlanlink"]
TOPOLOGY = """
[topology]
name = "least"
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = { count = 1, seconds = 0.05 }
subnets = [{ subnet = "10.9.0.0/24" }]
[namespaces.one]
sysctls = { "net.ipv4.ip_forward" = 1 }
[namespaces.one.interfaces.eth0]
network = "pub"
"""
NEEDED = {"dac_read_search": 2, "net_admin": 12, "net_raw": 13, "sys_ptrace": 19, "sys_admin": 21}
ALLOWED = sum(1 << number for number in NEEDED.values())


def capabilities(status: str) -> dict[str, int]:
    """The sets of a /proc/PID/status."""
    rows = [line.split() for line in status.splitlines() if line.startswith("Cap")]
    return {name.rstrip(":"): int(digits, 16) for name, digits in rows}


@pytest.fixture
def file(world: World) -> str:
    """A topology in a home that only its owner can read."""
    home = Path("/run/home")
    home.mkdir(mode=0o700)
    path = home / "least.toml"
    path.write_text(TOPOLOGY)
    path.chmod(0o600)
    os.chown(path, 1000, 1000)
    os.chown(home, 1000, 1000)
    del world
    return str(path)


def test_only_what_is_needed_is_kept_while_working(world: World, file: str) -> None:
    process = world.start([*VLANLINK, "up", "--wait", "60", file])
    assert process.stderr
    assert "waiting for eth0" in next_line(process, "stderr")
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        sets = capabilities((task / "status").read_text())
        assert sets["CapEff"] == sets["CapPrm"] == ALLOWED, task
    world.ip("link add eth0 type veth peer name far0")
    world.ip("link set far0 up")
    assert process.wait(30) == 0, process.stderr.read()
    assert vlanlink.status("least").state == "up"
    asleep = world.start("sleep 1000", "one")
    said = world.run([*VLANLINK, "down", "least"])
    assert f"pid {asleep.pid}" in said.stderr, "it sees who is in a namespace"


def test_what_puts_a_change_back_keeps_no_more(lan: Lan) -> None:
    with prepared(lan) as world:
        started(world, FILE, LATE)
        (reverter,) = reverters()
        for task in Path(f"/proc/{reverter}/task").iterdir():
            sets = capabilities((task / "status").read_text())
            assert sets["CapEff"] == sets["CapPrm"] == ALLOWED, task
        assert world.run([*VLANLINK, "confirm", "--revert"]).returncode == 0
        assert world.namespaces() == set()


def test_exec_hands_all_of_roots_privileges_on(lan: Lan, file: str) -> None:
    lan.world.run([*VLANLINK, "up", file])
    words = ["exec", "one", "--", "grep", "Cap", "/proc/self/status"]
    there = capabilities(lan.world.run([*VLANLINK, *words]).stdout)
    here = capabilities(lan.world.run("grep Cap /proc/self/status").stdout)
    assert there == here
    for code in ("exit 7", "kill -TERM $$"):
        result = lan.world.run([*VLANLINK, "exec", "one", "--", "sh", "-c", code], check=False)
        assert result.returncode == (7 if "exit" in code else -15)


def in_user_namespace(world: World, options: str, *commands: str) -> str:
    """What commands print in a user namespace, where root is root of nothing else."""
    script = "; ".join(("exec 2>&1", "ip link add eth0 type veth peer name far0", *commands))
    return world.run(["unshare", options, "sh", "-c", script], check=False).stdout


def test_in_a_user_namespace_with_mounts_of_its_own_all_works(world: World, file: str) -> None:
    del file
    command = shlex.join(VLANLINK)
    out = in_user_namespace(
        world,
        "-Urnm",
        "mount -t tmpfs tmpfs /run",
        "mount -t tmpfs tmpfs /var/lib",
        f"printf %s {shlex.quote(TOPOLOGY)} | {command} up -",
        "ip -n one -br addr show eth0",
        f"{command} down least",
    )
    assert "least is up" in out, out
    assert "10.9.0.1/24" in out
    assert "least is down" in out


def test_in_a_user_namespace_without_it_says_what_it_lacks(world: World, file: str) -> None:
    del file
    command = shlex.join(VLANLINK)
    out = in_user_namespace(
        world, "-Urn", f"printf %s {shlex.quote(TOPOLOGY)} | {command} up -; echo exit $?"
    )
    assert "can't make namespace one: EPERM" in out, out
    assert "unshare -Urnm" in out
    assert "exit 4" in out


def test_without_any_privilege(world: World, file: str) -> None:
    del file
    let_everyone_in()
    result = world.run([*AS_USER, *VLANLINK, "down", "least"], check=False)
    assert result.returncode == 4, result.stderr
    assert "takes CAP_NET_ADMIN and CAP_SYS_ADMIN" in result.stderr


@pytest.mark.parametrize("words", ["ls", "inspect pub", "status", "status least", "attachments"])
def test_an_ordinary_user_is_not_told_that_nothing_is_up(words: str, lan: Lan, file: str) -> None:
    lan.world.run([*VLANLINK, "up", file])
    let_everyone_in()
    done = lan.world.run([*AS_USER, *VLANLINK, *words.split()], check=False)
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert "takes CAP_NET_ADMIN" in done.stderr
    assert "warning" not in done.stderr
