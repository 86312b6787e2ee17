"""Each operation refused once: all is as it was before, and the error names it."""

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

import vlanlink
from tests.conftest import is_long
from tests.kernel.bench import Bench, ExampleBench, down
from tests.kernel.examples import every_example
from tests.kernel.faults import ERRNOS, Fault, lost_answer, refusal
from tests.kernel.lan import Lan
from tests.kernel.pairs import FILE, KINDS
from tests.kernel.world import World
from vlanlink.kernel.machine import Machine

Injected = Callable[[int, int], AbstractContextManager[Fault]]


def each_refused(
    bench: Bench, act: Callable[[], None], fault: Injected, shift: int, *, at_line: bool
) -> int:
    """Refuse the first operation of ``act``, then the second, …; returns how many it has."""
    whole, files = bench.dump(sysctls=True), bench.files()
    before = {key: value for key, value in whole.items() if key != "sysctls"}
    number = 0
    while True:
        with fault(number, shift) as one:
            try:
                act()
            except (vlanlink.ApplyError, vlanlink.PrivilegeError) as error:
                judge_error(error, one, at_line=at_line)
            else:
                assert not one.refused, f"{one.refused} was refused, but no error was raised"
                return number
        try:
            bench.same(before)
            assert bench.files() == files
        except AssertionError as error:
            raise AssertionError(f"after {one.refused} (number {number}): {error}") from None
        number += 1


def judge_error(error: vlanlink.VlanlinkError, one: Fault, *, at_line: bool) -> None:
    not_undone = getattr(error, "not_undone", ())
    assert not_undone == (), (one.refused, not_undone)
    expected = vlanlink.PrivilegeError if one.errno == errno.EPERM else vlanlink.ApplyError
    assert type(error) is expected, (one.refused, error)
    first = error.diagnostics[0]
    assert errno.errorcode[one.errno] in first.message, (one.refused, str(error))
    assert "can't " in first.message, str(error)
    if at_line and not (one.takes_away and first.line == 1):
        assert first.file == FILE, (one.refused, str(error))
        assert first.line is not None, (one.refused, str(error))
        assert first.line > 1, (one.refused, str(error))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [refusal, lost_answer])
def test_each_operation_refused(world: World, kind: str, fault: Injected, long_run: bool) -> None:
    """``--long``: each operation with each error."""
    bench = Bench(world, kind)
    fresh = bench.dump(sysctls=True)
    edit = lambda: bench.up(edited=True)  # noqa: E731
    least = 3 if fault is refusal else 1  # of messages, or of sends with many of them
    for shift in range(len(ERRNOS) if long_run else 1):
        assert each_refused(bench, bench.up, fault, shift, at_line=True) >= least
        assert each_refused(bench, edit, fault, shift, at_line=True) >= least
        assert each_refused(bench, down, fault, shift, at_line=False) > 0
        bench.same(fresh)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``--long``: every example; otherwise the first."""
    if "example_name" in metafunc.fixturenames:
        every = every_example()
        metafunc.parametrize("example_name", every if is_long(metafunc.config) else every[:1])


def test_each_operation_of_an_example_refused(
    lan: Lan, example_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "probe_lan", lambda *_, **__: {})  # probing takes time
    bench = ExampleBench(lan, example_name)
    fresh = bench.dump()
    assert each_refused(bench, bench.up, refusal, 0, at_line=False) >= 3
    assert each_refused(bench, bench.down, refusal, 0, at_line=False) > 0
    bench.same(fresh)
