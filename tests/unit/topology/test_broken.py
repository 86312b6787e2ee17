"""Every rule has a file that breaks it, and what is said of it stands beside the file."""

from pathlib import Path

import pytest

from tests.unit.topology.mending import is_valid, mended
from vlanlink.errors import TopologyError
from vlanlink.topology import Source, load
from vlanlink.topology.load import analyse, diagnostics
from vlanlink.topology.problems import FORMS, InvalidEntry
from vlanlink.topology.rules import RULES, WARNINGS

CASES = Path(__file__).parents[2] / "cases" / "broken"
CODES = [*FORMS, *RULES, *WARNINGS]
FILES = sorted(file for file in CASES.glob("*.toml") if not file.stem.endswith(".mended"))


def found(file: Path) -> tuple[Source, list[InvalidEntry]]:
    source = Source(file.read_text(encoding="utf-8"), file.name)
    return source, analyse(source)[1]


@pytest.mark.parametrize("code", CODES)
def test_each_rule_has_a_file_that_breaks_it(code: str) -> None:
    assert code in {one.code for one in found(CASES / f"{code}.toml")[1]}


def test_no_two_rules_have_one_name() -> None:
    assert len(CODES) == len(set(CODES))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_what_is_said_of_a_broken_file(file: Path) -> None:
    source, findings = found(file)
    errors = [one for one in findings if not one.warning]
    said = "\n".join(str(one) for one in diagnostics(errors or findings, source))
    assert f"{said}\n" == file.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_each_broken_file_is_refused(file: Path) -> None:
    _, findings = found(file)
    errors = [one for one in findings if not one.warning]
    if not errors:
        assert load(file).warnings
        return
    with pytest.raises(TopologyError) as caught:
        load(file)
    assert len(caught.value.diagnostics) == len({(one.problem, one.span) for one in errors})
    for one in caught.value.diagnostics:
        assert one.file == str(file)
        assert one.line
        assert one.column
        assert one.severity == "error"
    places = [(one.line, one.column) for one in caught.value.diagnostics]
    assert places == sorted(places)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_hints_of_a_broken_file_mend_it(file: Path) -> None:
    text = file.with_suffix(".mended.toml").read_text(encoding="utf-8")
    assert is_valid(text)
    found = mended(file.read_text(encoding="utf-8"), limit=15)
    assert found is None or found == text, "a hint that leaves no choice says something else"
