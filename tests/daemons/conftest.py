"""Days with real daemons run by `scripts/test --daemons`, which makes the Debian they come from."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons.system import System
from tests.kernel.conftest import lan, turn, world
from tests.kernel.recorded import RECORDINGS
from tests.kernel.world import World

__all__ = ["lan", "turn", "world"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write tests/kernel/recordings")


@pytest.fixture
def recordings(pytestconfig: pytest.Config) -> Path | None:
    """Where recordings are written, if they are."""
    return RECORDINGS if pytestconfig.getoption("--record") else None


@pytest.fixture
def system(world: World) -> Iterator[System]:
    """The Debian that VLANLINK_DAEMONS names, entered from the test's machine."""
    root = os.environ.get("VLANLINK_DAEMONS")
    if not root:
        pytest.skip("days with real daemons run by scripts/test --daemons")
    yield System(world, Path(root))
    for log in sorted(Path("/run").glob("*.log")):  # shown with a failure
        print(f"== {log.name}\n{log.read_text(errors='replace')}")
