"""vlanlink inside other tools: what docs/python.md says, and the tool that it shows."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World

pytestmark = pytest.mark.needs("macvlan")

TOOL = Path(__file__).parents[2] / "examples/lab.py"


def _tool(world: World, *words: str) -> tuple[int, str, str]:
    done = world.run([sys.executable, str(TOOL), *words], check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_tool_of_the_page(lan: Lan) -> None:
    lan.router("192.0.2.1/24")
    before = dump(lan.world)
    code, out, err = _tool(lan.world, "eth0", "192.0.2.0/24", "2", "ip", "-brief", "address")
    assert code == 0, err
    assert out.startswith(
        "namespace lab1\n  + namespace lab1\n  + link eth0 macvlan bridge on eth0"
    )
    assert "Plan: 6 to create, 0 to change, 0 to delete.\n" in out
    assert "probes, as expected\n" in out
    assert len(set(re.findall(r"192\.0\.2\.\d+/24 *$", out, re.MULTILINE))) == 2
    assert re.search(r"^(\d+)/\1 ", err, re.MULTILINE)
    same(lan.world, before)


def test_it_ends_as_the_command_and_leaves_nothing(lan: Lan) -> None:
    before = dump(lan.world)
    code, _, _ = _tool(lan.world, "eth0", "192.0.2.0/24", "1", "sh", "-c", "exit 7")
    assert code == 7
    same(lan.world, before)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("eth9", "192.0.2.0/24"), 1, "networks.lan.parent: parent eth9 does not exist"),
        (
            ("eth0", "192.0.2.0/33"),
            2,
            'networks.lan.subnets.0.subnet: "192.0.2.0/33" is not a valid IP',
        ),
    ],
)
def test_what_is_wrong_is_told(lan: Lan, words: tuple[str, str], code: int, said: str) -> None:
    before = dump(lan.world)
    found, _, err = _tool(lan.world, *words, "1", "true")
    assert found == code
    assert f"error: {said}" in err
    assert "  hint: " in err
    assert "Traceback" not in err
    same(lan.world, before)


def _sharing(number: int) -> vlanlink.Topology:
    """One that shares its parent, which it sets up, a namespace and a sysctl with its like."""
    name = f"lab{number}"
    endpoint = {"network": "lan", "addresses": [f"192.0.2.{10 + number}"]}
    lan = {"kind": "macvlan", "parent": "eth0", "probe": False}
    return vlanlink.load(
        {
            "topology": {"name": name},
            "networks": {"lan": {**lan, "subnets": [{"subnet": "192.0.2.0/24"}]}},
            "namespaces": {"all": {"interfaces": {name: endpoint}}},
            "host": {"sysctls": {"net.ipv4.ip_forward": 1}},
        }
    )


def test_threads_take_turns(lan: Lan) -> None:
    """Those of one process too, and none is in another namespace than before."""
    lan.world.ip("link set eth0 down")
    before = dump(lan.world)
    home = os.readlink("/proc/thread-self/ns/net")

    def lives(number: int) -> list[str]:
        found: list[str] = []
        topology = _sharing(number)
        for _ in range(5):
            vlanlink.up(topology)
            found.append(vlanlink.status(topology).state)
            vlanlink.down(topology)
            assert os.readlink("/proc/thread-self/ns/net") == home
        return found

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lives, range(4)))
    assert found == [["up"] * 5] * 4
    same(lan.world, before)


# -- commands in namespaces ------------------------------------------------------------------------


def test_run_and_popen_leave_this_process_where_it_is(lan: Lan) -> None:
    lan.world.ip("netns add web")
    own = [os.readlink(f"/proc/thread-self/ns/{kind}") for kind in ("net", "mnt")]
    script = "readlink /proc/self/ns/net; ls /sys/class/net; cat"
    done = vlanlink.run(
        "web", ["sh", "-c", f"{script}; exit 7"], input="in\n", capture_output=True, text=True
    )
    inside = f"net:[{os.stat('/run/netns/web').st_ino}]"
    assert (done.returncode, done.stdout, done.stderr) == (7, f"{inside}\nlo\nin\n", "")
    with vlanlink.popen("web", ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.communicate(b"x") == (b"x", None)
    assert [os.readlink(f"/proc/thread-self/ns/{kind}") for kind in ("net", "mnt")] == own


def test_run_raises_as_subprocess_does(lan: Lan) -> None:
    lan.world.ip("netns add web")
    with pytest.raises(subprocess.CalledProcessError):
        vlanlink.run("web", ["false"], check=True)
    with pytest.raises(subprocess.TimeoutExpired):
        vlanlink.run("web", ["sleep", "1000"], timeout=0.1)
    with pytest.raises(FileNotFoundError):
        vlanlink.run("web", ["no-such-command"])
    with pytest.raises(vlanlink.UsageError, match=r"unknown namespace: wbe\n.*did you mean web\?"):
        vlanlink.run("wbe", ["true"])
