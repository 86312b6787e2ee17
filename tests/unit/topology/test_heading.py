"""What `down FILE` needs of a file: its name, whatever else is wrong with it."""

from pathlib import Path

import pytest

import vlanlink
from vlanlink.topology.load import heading

ALL_WRONG = '[topology]\nname = "office"\n[networks.pub]\nkind = "no such kind"\nsubnets = 3\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lab.toml"


def test_the_name_is_told_whatever_else_is_wrong(file: Path) -> None:
    file.write_text(ALL_WRONG)
    found = heading(file)
    assert (found.name, found.file, found.text) == ("office", str(file), ALL_WRONG)
    assert found.whole() is None


@pytest.mark.parametrize("text", ["", "[topology]\n", '\ufeff[networks.x]\nkind = "dummy"\n'])
def test_a_file_that_gives_none_is_the_name(file: Path, text: str) -> None:
    file.write_text(text)
    assert heading(file).name == "lab"


def test_the_whole_is_what_load_makes_of_it(file: Path) -> None:
    file.write_text('[topology]\nname = "office"\n[links.d0]\nkind = "dummy"\n')
    whole = heading(file).whole()
    assert whole is not None
    assert whole == vlanlink.load(file)


@pytest.mark.parametrize(
    "text",
    [
        '[topology]\nname = "a b"\n',
        "[topology]\nname = 5\n",
        "topology = 5\n",
        '[topology]\nname = "office"\n[networks\n',
    ],
    ids=["no-name", "a-number", "no-table", "no-toml"],
)
def test_where_there_is_no_telling_all_that_is_wrong_is_said(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(vlanlink.TopologyError) as of_heading:
        heading(file)
    with pytest.raises(vlanlink.TopologyError) as of_load:
        vlanlink.load(file)
    assert of_heading.value.diagnostics == of_load.value.diagnostics


def test_text_from_elsewhere_may_be_bytes() -> None:
    assert heading("-", text=b'[topology]\nname = "piped"\n').name == "piped"
    with pytest.raises(vlanlink.TopologyError, match="UTF-8"):
        heading("-", text=b"\xff")
