"""Every vlanlink command that README.md shows is run, in order; what it shows is printed."""

import re
import signal
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.lan import Lan
from tests.kernel.world import World, next_line, until

pytestmark = pytest.mark.needs("macvlan")

ROOT = Path(__file__).parents[2]
EXITS = {"doctor": (0, 3), "verify": (0,), "status": (0,)}
ELSEWHERE = {"enable": "tests/unit/test_boot.py", "help": "tests/unit/test_command_line.py"}
"""Commands that need systemd or no machine."""
VARYING = re.compile(r"mac [0-9a-f:]{17}|time=[\d.]+ ms")
Shown = list[tuple[list[str], list[str]]]


def block(heading: str) -> Shown:
    """The commands of the first block below a heading, each with the lines shown below it."""
    text = (ROOT / "README.md").read_text()
    lines = text.split(f"\n## {heading}\n")[1].split("```")[1].strip().splitlines()
    found: Shown = []
    for line in lines:
        command = re.match(r"(?:\$ )?(?:sudo )?vlanlink (.*)", line)
        if command:
            found.append((command[1].partition("  #")[0].split(), []))
        elif line:
            found[-1][1].append(line)
    return found


@pytest.fixture
def office(lan: Lan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The reader's machine: a LAN with a router, and the first topology as office.toml."""
    lan.router("192.168.1.1/24")
    first = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert first
    monkeypatch.chdir(tmp_path)
    Path("office.toml").write_text(first[1])
    return lan.world


def run(world: World, words: list[str]) -> str:
    done = world.run([VLANLINK, *words], check=False)
    assert done.returncode in EXITS.get(words[0], (0,)), (words, done.stdout, done.stderr)
    return done.stdout


def test_the_commands_of_up_print_what_is_shown(office: World) -> None:
    for words, shown in block("Up"):
        printed = VARYING.sub("", run(office, words))
        for line in shown:
            assert VARYING.sub("", line) in printed, (words, line)
    assert vlanlink.active() == ()


def test_the_commands_of_next_work(office: World) -> None:
    seen = set()
    for words, _ in block("Next"):
        seen.add(words[0])
        if words[0] in ELSEWHERE:
            assert words[0] in (ROOT / ELSEWHERE[words[0]]).read_text()
        elif "--confirm" in words:
            waits = office.start([VLANLINK, *words])
            until(lambda: any(one.waiting for one in vlanlink.status()), "the change waits")
            run(office, ["confirm"])
            assert waits.wait() == 0
        elif words[0] == "watch":
            watch = office.start([VLANLINK, *words])
            assert next_line(watch, "stdout") == "office is up.\n"
            watch.send_signal(signal.SIGINT)
            assert watch.wait() == 130
        else:
            run(office, words)
    assert seen >= {"up", "doctor", "watch", "ls", "leases", "restart"}
