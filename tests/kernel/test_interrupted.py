"""Each batch interrupted once, before or while it is sent: all is as it was before."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

import vlanlink
from tests.kernel.bench import Bench, down
from tests.kernel.world import World
from vlanlink.kernel import machine
from vlanlink.kernel.machine import Machine
from vlanlink.planning.plan import plan
from vlanlink.reconcile import apply

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture(autouse=True)
def every_batch_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report progress at every batch, however quick, so that a run can be stopped at each."""
    monkeypatch.setattr(machine, "REPORT_SECONDS", 0.0)


Stop = Callable[[Callable[..., None], int], bool]


def by_callback(act: Callable[..., None], number: int) -> bool:
    """Ctrl-C in the caller's thread, before batch ``number``; False if there are fewer."""
    calls = 0

    def progress(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls - 1 == number:
            raise KeyboardInterrupt

    return _interrupted(lambda: act(on_progress=progress)) or calls > number


def while_sending(act: Callable[..., None], number: int) -> bool:
    """Ctrl-C while the kernel thread is at batch ``number``; False if there are fewer."""
    batches, begun = 0, 0
    run_batch = Machine._run_batch

    def interrupted_batch(self: Machine, batch: Any) -> None:
        nonlocal batches
        batches += 1
        if batches - 1 == number:
            self.interrupt()
        run_batch(self, batch)

    def progress(*_: object) -> None:
        nonlocal begun
        begun += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "_run_batch", interrupted_batch)
        stopped = _interrupted(lambda: act(on_progress=progress))
    # More reports: two of parents that are read back, one of the probe, one of the undone rest.
    assert not stopped or begun <= number + 5, "batches go on"
    return stopped


def _interrupted(act: Callable[[], None]) -> bool:
    try:
        act()
    except vlanlink.Interrupted as error:
        if error.not_undone:
            raise AssertionError(error.not_undone) from None
        return True
    return False


def each_interrupted(bench: Bench, act: Callable[..., None], stop: Stop) -> int:
    before, files = bench.dump(), bench.files()
    number = 0
    while stop(act, number):
        try:
            bench.same(before)
            assert bench.files() == files
        except AssertionError as error:
            raise AssertionError(f"interrupted at {number}: {error}") from None
        number += 1
    return number


@pytest.mark.parametrize("kind", ["macvlan", "asked"])
@pytest.mark.parametrize("stop", [by_callback, while_sending])
def test_interrupted_at_each_batch(world: World, stop: Stop, kind: str) -> None:
    bench = Bench(world, kind)
    fresh = bench.dump(sysctls=True)
    assert each_interrupted(bench, bench.up, stop) > 4
    edit = lambda on_progress=None: bench.up(edited=True, on_progress=on_progress)  # noqa: E731
    assert each_interrupted(bench, edit, stop) > 3
    assert each_interrupted(bench, down, stop) > 1
    bench.same(fresh)


def test_a_second_interrupt_does_not_cut_undo_short(world: World) -> None:
    """The user presses Ctrl-C again while undo plans."""
    bench = Bench(world, "macvlan")
    before = bench.dump()
    seen = [0]

    def first(done: int, total: int, _what: str) -> None:
        if done * 2 > total:
            seen[0] = 1
            raise KeyboardInterrupt

    def second(*args: Any) -> Any:
        if seen[0] == 1:
            seen[0] = 2
            signal.raise_signal(signal.SIGINT)
        return plan(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "plan", second)
        try:
            with pytest.raises(vlanlink.Interrupted):
                bench.up(on_progress=first)
        except KeyboardInterrupt:
            pytest.fail("the second Ctrl-C ended undo")
    assert seen == [2]
    bench.same(before)
