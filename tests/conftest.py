"""How long property tests run: by default few fixed examples, in CI (CI is set) more of them.

With ``--long`` (or VLANLINK_LONG=1) they try many random examples; the seed is printed at the end,
and ``--hypothesis-seed=SEED`` repeats the run.
"""

import os
import random
import signal
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck

from tests import hanging

_SEED = pytest.StashKey[int]()
_SEED_VARIABLE = "VLANLINK_SEED"

_COMMON = hypothesis.settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
hypothesis.settings.register_profile("short", _COMMON, derandomize=True, max_examples=20)
hypothesis.settings.register_profile("ci", _COMMON, derandomize=True, max_examples=150)
hypothesis.settings.register_profile("long", _COMMON, print_blob=True, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--browser", help="a Chromium that renders pages in tests")
    parser.addoption("--long", action="store_true", help="property tests try many random examples")


def pytest_configure(config: pytest.Config) -> None:
    hanging.prepare(config)
    # A shell ignores SIGINT in its background jobs, and our children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not is_long(config):
        hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "short")
        return
    hypothesis.settings.load_profile("long")
    given = config.getoption("hypothesisseed", default=None) or os.environ.get(_SEED_VARIABLE)
    config.stash[_SEED] = int(given) if given else random.SystemRandom().getrandbits(32)
    os.environ[_SEED_VARIABLE] = str(config.stash[_SEED])  # xdist's workers have the same
    hypothesis.core.global_force_seed = config.stash[_SEED]  # type: ignore[assignment]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seed = terminalreporter.config.stash.get(_SEED, None)
    if seed is not None:
        terminalreporter.write_line(f"long property run: --hypothesis-seed={seed} repeats it")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    hanging.ends_within(item.config, bound(item))
    try:
        return (yield)
    finally:
        hanging.is_over()


def bound(item: pytest.Item) -> float:
    """Seconds within which a test ends, however slow the machine."""
    if is_long(item.config):
        return hanging.LONGEST_SECONDS
    tests = Path(__file__).parent
    short = not {tests / "unit", tests / "kernel"}.isdisjoint(item.path.parents)
    alone = item.get_closest_marker("alone") is not None
    return hanging.TEST_SECONDS if short and not alone else hanging.LONG_SECONDS


def is_long(config: pytest.Config) -> bool:
    """True for a long random run."""
    return bool(config.getoption("--long", default=False) or os.environ.get("VLANLINK_LONG"))


@pytest.fixture(scope="session")
def long_run(pytestconfig: pytest.Config) -> bool:
    """True for a long random run."""
    return is_long(pytestconfig)
