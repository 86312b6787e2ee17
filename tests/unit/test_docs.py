"""Pages that people read: their tables are whole, and list what the code has."""

import re
import tomllib
from itertools import groupby
from pathlib import Path
from typing import get_args

import pytest

from vlanlink.reachability.case import Cause
from vlanlink.watcher.event import Word

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_table_has_its_header(page: Path) -> None:
    """A blank line between two rows ends a table."""
    lines = FENCED.sub("", page.read_text()).splitlines()
    for is_table, found in groupby(lines, lambda line: line.startswith("|")):
        rows = list(found)
        assert not is_table or re.fullmatch(r"\|(---\|)+", rows[1]), rows[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_heading_linked_is_there(page: Path) -> None:
    for file, anchor in re.findall(r"\]\(([\w./-]*)#([^)]+)\)", page.read_text()):
        target = page.parent / file if file else page
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        assert anchor in {
            re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings
        }


def test_all_causes_are_in_the_page() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs/verify.md").read_text(), re.MULTILINE
    )
    listed = [cause for row in rows for cause in row.split(", ")]
    assert sorted(listed) == sorted(["cause", *(each.value for each in Cause)])


def test_all_events_of_a_watch_are_in_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/watch.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(get_args(Word))


def test_the_packages_and_layers_are_those_that_are_checked() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert "\n".join(contracts["contracts"][0]["layers"]) in page
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", page))
    have = {file.name for file in (ROOT / "vlanlink").glob("[a-z]*.py")}
    have |= {f"{file.parent.name}/" for file in (ROOT / "vlanlink").glob("*/__init__.py")}
    assert have <= named
