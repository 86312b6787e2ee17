"""The reference of keys: complete, explained, and what the documentation shows.

``VLANLINK_GOLDEN_UPDATE=1`` writes it there.
"""

import os
from pathlib import Path

import pytest

from tests.key_tables import as_markdown, noun, reference
from vlanlink.errors import TopologyError
from vlanlink.topology import parse

FILE = Path(__file__).parents[3] / "docs/topology.md"
PAGE = FILE.read_text(encoding="utf-8")


def test_every_key_says_what_it_means_and_takes() -> None:
    for table in reference():
        for row in table.rows:
            assert row.help, f"{table.header} {row.name}"
            assert noun(row.form)


def test_the_documentation_shows_it() -> None:
    if os.environ.get("VLANLINK_GOLDEN_UPDATE"):
        FILE.write_text(PAGE.partition("### ")[0] + as_markdown(), encoding="utf-8")
    assert FILE.read_text(encoding="utf-8").endswith(as_markdown())


def test_the_error_that_the_documentation_shows_is_reported_so() -> None:
    with pytest.raises(TopologyError) as caught:
        parse("[networks.lan]\nkind = macvlan\n", "office.toml")
    assert str(caught.value.diagnostics[0]) in PAGE
