"""Property tests: a short fixed run, or with ``--long`` (or VLANLINK_LONG=1) a long random one.

The seed of a long run is printed at its end; ``--hypothesis-seed=SEED`` repeats it.
"""

import os
import random
import signal

import hypothesis
import pytest
from hypothesis import HealthCheck

_SEED = pytest.StashKey[int]()
_SEED_VARIABLE = "VLANLINK_SEED"

_COMMON = hypothesis.settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
hypothesis.settings.register_profile("short", _COMMON, derandomize=True)
hypothesis.settings.register_profile("long", _COMMON, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="property tests: many random examples")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what it runs in the background deaf to SIGINT, and so are our children then.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not is_long(config):
        hypothesis.settings.load_profile("short")
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


def is_long(config: pytest.Config) -> bool:
    """Whether the long random run was asked for."""
    return bool(config.getoption("--long", default=False) or os.environ.get("VLANLINK_LONG"))


@pytest.fixture(scope="session")
def long_run(pytestconfig: pytest.Config) -> bool:
    """The same, for tests."""
    return is_long(pytestconfig)
