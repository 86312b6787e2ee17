"""docs/living-host.md: each row of its table names a test that holds it."""

import re
from pathlib import Path

import pytest

from tests.kernel.living import EVENTS
from tests.kernel.recorded import RECORDINGS, Recording

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/living-host.md").read_text()
ROWS = re.findall(r"^\| (.*?) \| (.*?) \| `(test_\w+)`(.*?) \|$", PAGE, re.MULTILINE)
DEFINED = {
    name
    for file in TESTS.rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
}
MATRIX = "test_the_host_keeps_what_it_has"
MANAGERS = "test_beside_a_real_manager"


def test_every_line_of_the_table_is_read() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and "`test_" in line]
    assert len(ROWS) == len(lines) > 10


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_has_its_test(row: tuple[str, str, str, str]) -> None:
    _, _, test, event = row
    assert test in DEFINED
    assert bool(event) == (test in (MATRIX, MANAGERS))


def test_the_page_has_all_events_of_the_matrix() -> None:
    assert {event.strip().lower() for *_, test, event in ROWS if test == MATRIX} == {
        name.lower() for name in EVENTS
    }


def test_the_page_has_all_days_that_are_recorded() -> None:
    titles = {Recording.read(file).title for file in RECORDINGS.glob("*.txt")}
    assert {event.strip() for *_, test, event in ROWS if test == MANAGERS} == titles
