"""The lab's machines, provided by `scripts/lab test`; without it these tests are skipped."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.machine import Machine


@pytest.fixture(scope="session")
def machines() -> Iterator[dict[str, Machine]]:
    """The three machines, each with its own connection."""
    config = os.environ.get("VLANLINK_LAB_SSH")
    if config is None:
        pytest.skip("the lab is not up: scripts/lab up && scripts/lab test")
    sockets = Path(os.environ["VLANLINK_LAB_SOCKETS"])
    found = {name: Machine(name, config, sockets) for name in ("host1", "host2", "router")}
    yield found
    for machine in found.values():
        machine.disconnect()


@pytest.fixture(autouse=True, scope="module")
def _in_time() -> None:
    deadline = os.environ.get("VLANLINK_LAB_DEADLINE")
    if deadline and time.time() > float(deadline):
        pytest.skip("the time limit is near")


@pytest.fixture(scope="session")
def host1(machines: dict[str, Machine]) -> Machine:
    return machines["host1"]


@pytest.fixture(scope="session")
def host2(machines: dict[str, Machine]) -> Machine:
    return machines["host2"]


@pytest.fixture(scope="session")
def router(machines: dict[str, Machine]) -> Machine:
    return machines["router"]
