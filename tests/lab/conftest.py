"""The lab's machines, as `scripts/lab test` hands them over; without it these tests are skipped."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.machine import Machine


@pytest.fixture(scope="session")
def machines() -> Iterator[dict[str, Machine]]:
    """All three, each with a connection of its own."""
    config = os.environ.get("VLANLINK_LAB_SSH")
    if config is None:
        pytest.skip("the lab is not there: scripts/lab up && scripts/lab test")
    sockets = Path(os.environ["VLANLINK_LAB_SOCKETS"])
    found = {name: Machine(name, config, sockets) for name in ("host1", "host2", "router")}
    yield found
    for machine in found.values():
        machine.disconnect()


@pytest.fixture(autouse=True, scope="module")
def _in_time() -> None:
    deadline = os.environ.get("VLANLINK_LAB_DEADLINE")
    if deadline and time.time() > float(deadline):
        pytest.skip("no time is left for it")


@pytest.fixture(scope="session")
def host1(machines: dict[str, Machine]) -> Machine:
    return machines["host1"]


@pytest.fixture(scope="session")
def host2(machines: dict[str, Machine]) -> Machine:
    return machines["host2"]


@pytest.fixture(scope="session")
def router(machines: dict[str, Machine]) -> Machine:
    return machines["router"]
