"""Kernel tests: each in network and mount namespaces of its own, with a /run of its own.

``VLANLINK_KERNEL_TESTS=here`` runs those that this kernel can run and writes the rest, one a line,
to the file that ``VLANLINK_LEFT_FILE`` names; ``all`` (the default) runs every one, and one whose
needs are not met is skipped by name, or fails where CI is set.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hanging
from tests.conftest import bound
from tests.kernel.command_line import Cli
from tests.kernel.features import missing
from tests.kernel.lan import Lan
from tests.kernel.world import World, own_world


def _needs(item: pytest.Item) -> tuple[str, ...]:
    return tuple(str(f) for mark in item.iter_markers("needs") for f in mark.args)


@pytest.hookimpl(trylast=True)  # after -k has had its say
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("VLANLINK_KERNEL_TESTS") != "here":
        return
    here = Path(__file__).parent
    left = [item for item in items if here in item.path.parents and missing(_needs(item))]
    if left:
        file = os.environ.get("VLANLINK_LEFT_FILE")
        if file:
            Path(file).write_text("".join(f"{item.nodeid}\n" for item in left))
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(autouse=True)
def turn(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """One that keeps the kernel busy with thousands of links runs while no other does."""
    alone = request.node.get_closest_marker("alone") is not None
    shared = tmp_path_factory.getbasetemp().parent  # by all workers of a run
    with (shared / "turn").open("w") as file:
        hanging.ends_within(request.config, max(hanging.TURN_SECONDS, bound(request.node)))
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        hanging.ends_within(request.config, bound(request.node))  # its own time begins
        yield


@pytest.fixture(autouse=True)
def world(request: pytest.FixtureRequest, turn: None) -> Iterator[World]:  # noqa: ARG001
    """The test's own machine: nothing but lo, an empty /run, and nothing left behind after it."""
    lacks = missing(_needs(request.node))
    if lacks:
        reason = f"this kernel or user lacks: {', '.join(lacks)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with own_world() as here:
        yield here
        here.assert_nothing_left()


@pytest.fixture
def lan(world: World) -> Lan:
    """A simulated LAN: the host's eth0 on a switch."""
    return Lan(world)


@pytest.fixture
def trunk(world: World) -> Lan:
    """A simulated LAN whose switch has VLANs: the host's eth0 is on a trunk. Needs "trunk"."""
    return Lan(world, vlans=(50, 60, 100, 218))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, in this process."""
    return Cli(capsys, monkeypatch)
