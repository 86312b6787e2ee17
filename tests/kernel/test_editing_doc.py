"""docs/editing.md: each row of its table is what `plan` says."""

import re
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.lan import Lan

PAGE = (Path(__file__).parents[2] / "docs/editing.md").read_text()
TEXT = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
ROWS = [
    (old, new, re.findall(r"`(.*?)`", plan))
    for old, new, plan in re.findall(r"^\| `(.*?)` \| `(.*?)` \|(.*)\|$", PAGE, re.MULTILINE)
]


def test_the_table_has_rows() -> None:
    assert len(ROWS) == 7


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize(("old", "new", "lines"), ROWS, ids=[new for _, new, _ in ROWS])
def test_an_edit_is_planned_as_the_page_says(
    lan: Lan, old: str, new: str, lines: list[str]
) -> None:
    assert lan.world.link("eth0")["ifname"] == "eth0"
    vlanlink.up(vlanlink.load("office.toml", text=TEXT))
    edited = TEXT.replace(old, new.replace(", ", "\n"))
    if old.startswith("networks."):
        edited = edited.replace('network = "lan"', 'network = "pub"')
    assert edited != TEXT
    plan = vlanlink.plan(vlanlink.load("office.toml", text=edited))
    assert [line.strip() for line in plan.lines if line.startswith("  ")] == lines
    vlanlink.up(vlanlink.load("office.toml", text=edited))
    assert vlanlink.status("office").state == "up"
