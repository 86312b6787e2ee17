"""docs/security.md: each promise names a test that exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (`[^|]+`) \|$", PAGE, re.MULTILINE)


@cache
def known() -> set[str]:
    """The names of all tests, and of the files that they are in."""
    found: set[str] = set()
    for path in (*TESTS.glob("unit/test_*.py"), *TESTS.glob("kernel/test_*.py")):
        tree = ast.parse(path.read_text())
        found |= {path.name, *(f.name for f in tree.body if isinstance(f, ast.FunctionDef))}
    return found


def test_every_row_names_a_test() -> None:
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| (?!test \|)[^|]+ \|$", PAGE, re.MULTILINE)
    assert len(ROWS) == len(rows) > 20


@pytest.mark.parametrize(("what", "promise", "tests"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_a_promise_has_its_tests(what: str, promise: str, tests: str) -> None:
    assert what
    assert promise
    assert set(re.findall(r"`(.+?)`", tests)) <= known()
