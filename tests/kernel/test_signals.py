"""SIGINT and SIGTERM at any instant: one line and 130, and the exit code tells the state.

The command runs with a profiler that counts calls and returns, in whatever module, once the program
has set its handlers (about 1 ms after its first line), and sends the signal at a given count.
"""

import json
import random
import signal
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import World

pytestmark = pytest.mark.needs("macvlan")

TRIES, MANY_TRIES = 12, 300
FILE = Path("/run/signals.toml")
TEXT = small("signals", a="", b="")
COUNTING = """
import os, signal, sys
at, number = (int(word) for word in os.environ["SIGNAL_AT"].split())
seen = started = 0
def note(frame, event, arg):
    global seen, started
    started = started or (frame.f_code.co_name == "run" and "vlanlink" in frame.f_code.co_filename)
    seen += bool(started)
    if started and seen == at:
        os.kill(os.getpid(), number)
def leave(code, leave=os._exit):
    sys.setprofile(None)
    open("/run/counted", "w").write(str(seen))
    leave(code)
os._exit = leave
sys.setprofile(note)
"""


def command(world: World, words: str, at: int = 0, number: int = signal.SIGINT) -> tuple[int, str]:
    """Exit code and stderr of `vlanlink WORDS` with a signal at a count; 0: none."""
    directory = Path("/run/counting")
    directory.mkdir(exist_ok=True)
    (directory / "sitecustomize.py").write_text(COUNTING)
    environment = [f"PYTHONPATH={directory}", f"SIGNAL_AT={at} {int(number)}"]
    done = world.run(["env", *environment, VLANLINK, *words.split()], check=False)
    return done.returncode, done.stderr


def counted(world: World, words: str) -> int:
    """How many instants a whole run has."""
    code, stderr = command(world, words)
    assert code == 0, stderr
    return int(Path("/run/counted").read_text())


def instants(total: int, seed: int | None, many: int) -> list[int]:
    """Some of them: the first and the last ones, and random ones."""
    chance = random.Random(seed)
    edges = [*range(1, 4), *range(total - 3, total)]
    return edges + [chance.randint(1, total) for _ in range(many)]


def is_one_line(stderr: str, *, code: int) -> bool:
    lines = stderr.splitlines()
    if code == 0:
        return not lines
    return len(lines) == 1 and lines[0].startswith("error: interrupted")


@pytest.mark.parametrize(("verb", "other"), [("up", "down"), ("down", "up")])
def test_a_signal_at_any_instant(lan: Lan, long_run: bool, verb: str, other: str) -> None:
    FILE.write_text(TEXT)
    world, was, becomes = lan.world, *(("down", "up") if verb == "up" else ("up", "down"))
    if verb == "down":
        command(world, f"up {FILE}")
    total = counted(world, f"{verb} {FILE}")
    command(world, f"{other} {FILE}")
    codes = set()
    many = MANY_TRIES if long_run else TRIES
    for at in instants(total, None if long_run else len(verb), many):
        number = signal.SIGINT if at % 2 else signal.SIGTERM
        code, stderr = command(world, f"{verb} {FILE}", at, number)
        state = vlanlink.status(vlanlink.load(str(FILE))).state
        what = f"{number.name} at {at} of {total}: exit {code}, {state}\n{stderr}"
        assert (code, state) in ((130, was), (0, becomes)), what
        assert is_one_line(stderr, code=code), what
        codes.add(code)
        if state == becomes:
            assert command(world, f"{other} {FILE}")[0] == 0
    assert 130 in codes


@pytest.mark.parametrize("words", ["ls --json", "plan --json"])
def test_a_signal_in_a_verb_that_reads(
    lan: Lan, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --json the error is the one object on stdout, also while modules are imported."""
    monkeypatch.chdir("/run")
    FILE.write_text(TEXT)
    Path("vlanlink.toml").write_text(TEXT)
    total = counted(lan.world, words)
    expected = vlanlink.Interrupted(vlanlink.Diagnostic("interrupted")).to_dict()
    for at in (1, 2, 3, total // 3):
        done = lan.world.run(
            ["env", "PYTHONPATH=/run/counting", f"SIGNAL_AT={at} 2", VLANLINK, *words.split()],
            check=False,
        )
        assert (done.returncode, done.stderr) == (130, ""), done
        assert json.loads(done.stdout) == expected
