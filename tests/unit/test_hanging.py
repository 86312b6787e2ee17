"""A test that hangs is told of by name, with its stacks, and the others run on."""

import subprocess
import sys
from pathlib import Path

HANGS = """
import threading
import pytest
from tests import hanging


@pytest.fixture(autouse=True)
def soon(request):
    hanging.ends_within(request.config, 0.2)
    yield
    if request.node.name == "test_fails":
        in_its_teardown()


def in_its_teardown():
    waiting = threading.Thread(target=threading.Event().wait, daemon=True)
    waiting.start()
    waiting.join()


def test_fails():
    assert False


def test_another():
    pass
"""


def test_a_test_that_hangs_fails_and_the_others_run(tmp_path: Path) -> None:
    checkout = Path(__file__).parents[2]
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_hangs.py").write_text(HANGS)
    words = [sys.executable, "-m", "pytest", "-c", str(checkout / "pyproject.toml"), "-n1", "-q"]
    words += ["-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    done = subprocess.run(
        words, cwd=checkout, capture_output=True, text=True, check=False, timeout=120
    )
    said = done.stdout + done.stderr
    assert "crashed while running 'test_hangs.py::test_fails'" in said, said
    assert "in in_its_teardown" in said
    assert "1 passed" in said
    assert done.returncode == 1
