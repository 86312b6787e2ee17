"""Seconds by phase: phases nest, and share what they do together."""

import pytest

from vlanlink.kernel.timings import PHASES, Timings
from vlanlink.reconcile.apply import Unfinished


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that it is, and it is what a test says."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


def test_an_inner_phase_is_not_the_outer_ones(clock: list[float]) -> None:
    timings = Timings()
    with timings.taking("plan"):
        clock[0] += 1
        with timings.taking("read"):
            clock[0] += 10
            with timings.taking("verify"):
                clock[0] += 100
        clock[0] += 1000
        with timings.taking("read"):
            clock[0] += 10000
    spent = {phase: seconds for phase, seconds in timings.seconds.items() if seconds}
    assert spent == {"plan": 1001, "read": 10010, "verify": 100}
    assert tuple(timings.seconds) == PHASES


def test_what_is_sent_together_shares_its_time(clock: list[float]) -> None:
    timings = Timings()
    with timings.taking("links", "addresses", "addresses", "routes"):
        clock[0] += 4
    assert timings.seconds["addresses"] == 2
    assert timings.seconds["links"] == timings.seconds["routes"] == 1


def test_a_phase_that_fails_is_counted(clock: list[float]) -> None:
    timings = Timings()

    def fail() -> None:
        with timings.taking("links"):
            clock[0] += 1
            raise Unfinished("no")  # it is frozen

    with pytest.raises(Unfinished):
        fail()
    assert timings.seconds["links"] == 1
