"""vlanlink inside other tools: what docs/python.md says, and the tool that it shows."""

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
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


# -- cancelling --------------------------------------------------------------------------------

ASYNCHRONOUS = Path(__file__).parents[2] / "examples/asynchronous.py"
MANY = """
[topology]
name = "many"
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{{ subnet = "192.0.2.0/24" }}]
{probe}
[namespaces]
"""


def _many(file: Path, probe: str = "") -> vlanlink.Topology:
    rows = "".join(f'n{n}.interfaces.eth0 = {{ network = "pub" }}\n' for n in range(40))
    file.write_text(MANY.format(probe=probe) + rows)
    return vlanlink.load(file)


WAIT = """
[networks.n]
kind = "macvlan"
parent = "nope0"
[namespaces.web.interfaces.eth0]
network = "n"
"""


@pytest.mark.parametrize("verb", ["up", "down", "restart"])
def test_an_event_cancels(verb: str, lan: Lan, tmp_path: Path) -> None:
    topology = _many(tmp_path / "many.toml", "probe = false")
    if verb != "up":
        vlanlink.up(topology)
    spaces = sorted(lan.world.namespaces())
    state = vlanlink.status(topology).state
    cancel = threading.Event()

    def halfway(done: int, total: int, _: str) -> None:
        if done * 2 > total:
            cancel.set()

    with pytest.raises(vlanlink.Interrupted):
        getattr(vlanlink, verb)(topology, on_progress=halfway, cancel=cancel)
    assert sorted(lan.world.namespaces()) == spaces
    assert vlanlink.status(topology).state == state


def test_a_wait_is_cancelled(lan: Lan) -> None:
    del lan
    cancel = threading.Event()
    topology = vlanlink.load("wait.toml", text=WAIT)
    with pytest.raises(vlanlink.Interrupted, match="while waiting for nope0"):
        vlanlink.up(topology, wait=600, on_wait=lambda _: cancel.set(), cancel=cancel)


def test_a_cancelled_task_rolls_back(lan: Lan, tmp_path: Path) -> None:
    file = tmp_path / "many.toml"
    _many(file, "probe = { count = 2, seconds = 60.0 }")
    before = dump(lan.world)
    command = [sys.executable, str(ASYNCHRONOUS), str(file), "2"]
    done = lan.world.run(command, check=False)
    assert (done.returncode, done.stdout) == (1, "not up within 2 s: down\n"), done.stderr
    assert done.stderr == ""
    same(lan.world, before)
    _many(file, "probe = false")
    done = lan.world.run([*command[:-1], "600"], check=False)
    assert done.stdout.startswith("Plan: 120 to create")
    vlanlink.down("many")


def test_the_events_of_a_watch(
    lan: Lan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topology = _many(tmp_path / "many.toml", "probe = false")
    with closing(vlanlink.events(topology)) as found:
        for event in found:
            print(event.event, *event.what)
            if event.event == "up":
                lan.world.ip("link del eth0", "n7")
            if event.event == "repaired":
                break
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words[0] == "up"
    assert words[-2:] == ["drift", "repaired"]
    assert not [one for one in threading.enumerate() if one.name.startswith("vlanlink-watch")]
    assert vlanlink.status("many").state == "up"
