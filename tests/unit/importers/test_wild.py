"""Compose files as people write them, one trap each: what comes of them, and what is said.

``tests/cases/compose/wild/NAME.txt`` is the exit code, the topology and the warnings; written again
where ``VLANLINK_GOLDEN_UPDATE`` is set.
"""

import os
from pathlib import Path

import pytest

import vlanlink
from vlanlink.cli import main as command

FOLDER = Path(__file__).parents[2] / "cases/compose/wild"
FILES = sorted(FOLDER.glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_comes_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(command, "_prepare", lambda: None)
    code = command.main(["import", path.name])
    said = capsys.readouterr()
    text = f"exit {code}\n{said.out}----\n{said.err}"
    golden = path.with_suffix(".txt")
    if os.environ.get("VLANLINK_GOLDEN_UPDATE"):
        golden.write_text(text)
    assert text == golden.read_text()
    found = vlanlink.load("result.toml", text=said.out)
    assert vlanlink.load(vlanlink.as_mapping(found)) == found


def test_there_are_twenty() -> None:
    assert len(FILES) >= 20
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in FILES}
