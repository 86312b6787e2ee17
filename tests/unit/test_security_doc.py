"""docs/security.md: each promise names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text()
ROWS = re.findall(r"^\| (.*?) \| (.*?) \| `(\w+(?:\.py)?)` \|$", PAGE, re.MULTILINE)


def known() -> set[str]:
    """The names of all tests, and of the files that they are in."""
    found: set[str] = set()
    for path in (*TESTS.glob("unit/test_*.py"), *TESTS.glob("kernel/test_*.py")):
        tree = ast.parse(path.read_text())
        found |= {path.name, *(f.name for f in tree.body if isinstance(f, ast.FunctionDef))}
    return found


def test_the_tables_have_rows() -> None:
    assert len(ROWS) == 22
    table_lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    assert len(table_lines) == 22 + 2 + 1 + 5, "every row of the two tables names its test"


@pytest.mark.parametrize(("what", "promise", "test"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_a_promise_has_its_test(what: str, promise: str, test: str) -> None:
    assert what
    assert promise
    assert test in known()
