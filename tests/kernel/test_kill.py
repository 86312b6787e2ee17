"""SIGKILL at any instant: the next ``up`` completes, the next ``down`` removes, nothing stays.

Each try runs in a forked child of this process, which has all modules loaded. The child ends
itself before or after its n-th step (a send, a namespace made or removed, a sysctl or a record
written), or this process ends it at a random time.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

import vlanlink
from tests.kernel.bench import Bench
from tests.kernel.edit_judge import becomes, settled
from tests.kernel.lan import Lan
from tests.kernel.world import World
from vlanlink.kernel import procfs, syscalls
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.store.files import Store

pytestmark = pytest.mark.needs("macvlan")

TRIES, MANY_TRIES = 10, 100

Act = Callable[[], object]


@contextmanager
def steps(reached: Callable[[], None]) -> Iterator[None]:
    """Call ``reached`` before and after everything that changes the kernel or a file."""

    def between(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*words: Any, **more: Any) -> Any:
            reached()
            result = real(*words, **more)
            reached()
            return result

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Socket, "request", between(Socket.request))
        for place, name in (
            (syscalls, "unshare"),
            (syscalls, "mount"),
            (syscalls, "unmount"),
            (procfs, "write"),
            (Store, "write"),
            (Path, "unlink"),
            (Path, "replace"),
        ):
            patch.setattr(place, name, between(getattr(place, name)))
        yield


def how_many_steps(act: Act) -> int:
    """The steps of ``act``, which is carried out."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1

    with steps(count):
        act()
    return seen


def killed_at(step: int, act: Act) -> bool:
    """Carry out ``act`` in a child that is killed at a step; whether it came so far."""
    seen = 0

    def kill() -> None:
        nonlocal seen
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    return _killed(_forked(act, kill))


def killed_after(seconds: float, act: Act) -> bool:
    """The same at a time."""
    child = _forked(act, lambda: None)
    time.sleep(seconds)  # this is no wait for something: any instant will do
    os.kill(child, signal.SIGKILL)
    return _killed(child)


def _forked(act: Act, at_each_step: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        _run_and_exit(act, at_each_step)
    return child


def _run_and_exit(act: Act, at_each_step: Callable[[], None]) -> NoReturn:
    try:
        with steps(at_each_step):
            act()
    except BaseException as error:  # noqa: BLE001 - a child must not return into pytest
        os.write(2, f"the child failed: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def _killed(child: int) -> bool:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code != 0


class Trial:
    """A bench, the verbs with the number of their steps, and what the machine looks like."""

    def __init__(self, world: World) -> None:
        self.bench = Bench(world, "macvlan")
        self.before = self.bench.dump(sysctls=True)
        self.verbs: dict[str, Act] = {
            "up": self.bench.up,
            "edit": lambda: self.bench.up(edited=True),
            "down": self.down,
        }
        self.bench.up()
        self.down()
        self.is_as_before()  # else links still on their way out make for more steps
        self.steps = {name: how_many_steps(act) for name, act in self.verbs.items()}
        self.is_as_before()
        self.bench.up()
        self.up = self.bench.dump(sysctls=True)
        self.down()

    def recovers(self, name: str, kill: Callable[[Act], bool], *, by_up: bool) -> bool:
        """Kill a verb, and see that the next one copes; whether the kill came in time."""
        if name != "up":
            self.bench.up()
        killed = kill(self.verbs[name])
        if vlanlink.status(self.bench.topologies[0]).state == "down":
            assert self.bench.world.names() == set(self.before["host"]["link"])
        if by_up:
            self.bench.up()
            assert vlanlink.status("faults").state == "up"
            self.bench.same(self.up, numbers=False)  # nobody is left who knew them
        self.down()
        self.is_as_before()
        return killed

    def down(self) -> None:
        """By the file: a name of which nothing is left is unknown."""
        vlanlink.down(self.bench.topologies[0])

    def is_as_before(self) -> None:
        """As before the first `up`, and no file is left but the lock."""
        self.bench.same(self.before)
        left = [p.name for p in Path("/run/vlanlink").iterdir()]
        left += [p.name for p in Path("/run/netns").iterdir()]
        assert [name for name in left if not name.startswith("lock")] == []


@pytest.mark.parametrize("by_up", [True, False], ids=["then-up", "then-down"])
def test_killed_at_a_step(world: World, long_run: bool, by_up: bool) -> None:
    trial = Trial(world)
    every = [(name, step) for name, count in trial.steps.items() for step in range(count)]
    killed: list[bool] = []
    for name, step in every if long_run else random.Random(by_up).sample(every, TRIES):
        what = f"{name} killed at step {step} of {trial.steps[name]}"
        try:
            killed.append(trial.recovers(name, partial(killed_at, step), by_up=by_up))
        except (AssertionError, vlanlink.VlanlinkError) as error:
            raise AssertionError(f"{what}: {error}") from error
    assert killed.count(True) > len(killed) / 2, "how often something is tried again differs"


def test_killed_at_a_random_time(world: World, long_run: bool) -> None:
    trial = Trial(world)
    start = time.monotonic()
    trial.bench.up()
    usual = time.monotonic() - start
    trial.down()
    chance = random.Random(None if long_run else 6)
    for _ in range(MANY_TRIES if long_run else TRIES):
        name, seconds = chance.choice(list(trial.verbs)), chance.uniform(0, 1.5 * usual)
        try:
            trial.recovers(name, partial(killed_after, seconds), by_up=chance.random() < 0.5)
        except (AssertionError, vlanlink.VlanlinkError) as error:
            raise AssertionError(f"{name} killed after {seconds} s: {error}") from error


ADDRESSED = """
[topology]
name = "addressed"
[links.m0]
kind = "macvlan"
parent = "eth0"
probe = false
mac = "02:00:00:00:00:0%d"
addresses = [%s]
"""


def test_killed_while_a_sysctl_is_switched(lan: Lan) -> None:
    """promote_secondaries and addr_gen_mode have another value for a moment of this edit."""
    before = vlanlink.load("/run/a.toml", text=ADDRESSED % (1, '"10.1.0.1/24", "10.1.0.2/24"'))
    after = vlanlink.load("/run/a.toml", text=ADDRESSED % (2, '"10.1.0.2/24"'))
    edit = partial(vlanlink.up, after)
    vlanlink.up(before)
    count = how_many_steps(edit)
    goal = settled(lan.world, ())
    for step in range(count):
        vlanlink.down("addressed")
        vlanlink.up(before)
        killed_at(step, edit)
        edit()
        assert becomes(lan.world, (), goal)[1] == [], f"killed at step {step} of {count}"
