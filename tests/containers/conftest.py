"""Tests with real container engines, as kernel tests are; `scripts/test --containers` runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engines import Engines
from tests.kernel.conftest import lan, turn, world  # noqa: F401 - fixtures
from tests.kernel.lan import Lan


@pytest.fixture
def engines(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engines]:  # noqa: F811
    """The engines of a Debian of their own, in the test's namespaces; the LAN is there, too."""
    root = os.environ.get("VLANLINK_ENGINES")
    if not root:
        pytest.skip("needs container engines: scripts/test --containers")
    found = Engines(lan.world, Path(root))
    monkeypatch.setenv("PATH", f"{found.commands}:{os.environ['PATH']}")
    try:
        yield found
    finally:
        found.end()
