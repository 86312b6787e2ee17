"""The JSON schema, judged by check-jsonschema and taplo: what is valid passes, mistakes don't."""

import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.key_tables import reference
from vlanlink.cli import main as command
from vlanlink.topology.json_schema import DIRECTIVE, FILE_NAME

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
MISTAKES = ROOT / "examples/19-mistakes.toml"
GOOD = [path for path in sorted((ROOT / "examples").glob("*.toml")) if path != MISTAKES]
PLANS = sorted((ROOT / "tests/cases/plans").glob("*/topology.toml"))
HAS_TAPLO = platform.machine() == "x86_64"  # PyPI has no other build


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schema in a file."""
    path = tmp_path_factory.mktemp("schema") / FILE_NAME
    path.write_text(json.dumps(vlanlink.schema()))
    return path


def check(schema: Path, files: Iterable[Path]) -> tuple[int, str]:
    words = [PROGRAMS / "check-jsonschema", "--schemafile", schema, *files]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def taplo(files: Iterable[Path], *options: str) -> tuple[int, str]:
    words = [str(PROGRAMS / "taplo"), "lint", *options, *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_it_is_a_schema_of_its_draft(file: Path) -> None:
    words = [str(PROGRAMS / "check-jsonschema"), "--check-metaschema", str(file)]
    subprocess.run(words, check=True, capture_output=True)


def test_every_example_and_golden_topology_passes(file: Path) -> None:
    assert len(GOOD) > 20
    assert len(PLANS) > 50
    code, said = check(file, [*GOOD, *PLANS])
    assert code == 0, said


def test_the_format_of_the_documentation_passes(file: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs/topology.md").read_text()
    shown = re.search(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert shown is not None
    (tmp_path / "shown.toml").write_text(shown[1])
    code, said = check(file, [tmp_path / "shown.toml"])
    assert code == 0, said


def test_the_mistakes_of_one_value_are_found(file: Path) -> None:
    code, said = check(file, [MISTAKES])
    assert code != 0
    for where in ("$.links.none.id", "$.links.all", "$.networks.prefix.subnets[0].gateway"):
        assert where in said


WRONG = {
    "unknown key": '[networks.pub]\nkind = "macvlan"\nparents = "eth0"\n',
    "an option of another kind": '[networks.pub]\nkind = "ipvlan"\nmode = "vepa"\n',
    "a network of no kind that networks have": '[networks.pub]\nkind = "vlan"\n',
    "an endpoint with a kind": '[namespaces.a.interfaces.b]\nnetwork = "c"\nkind = "macvlan"\n',
    "a link without a kind": '[links.a]\nparent = "eth0"\n',
    "a vlan without an id": '[links.a]\nkind = "vlan"\nparent = "eth0"\n',
    "a peer of no pair": '[links.a]\nkind = "dummy"\npeer = { name = "b" }\n',
    "a group MAC": '[links.a]\nkind = "dummy"\nmac = "01:00:5e:00:00:01"\n',
    "a type": '[links.a]\nkind = "dummy"\nmtu = "1500"\n',
}


@pytest.mark.parametrize("what", WRONG)
def test_what_validate_refuses_it_refuses(what: str, tmp_path: Path, file: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(WRONG[what])
    with pytest.raises(vlanlink.TopologyError):
        vlanlink.load(wrong)
    assert check(file, [wrong])[0] != 0
    if HAS_TAPLO:
        code, said = taplo([wrong], "--schema", file.as_uri())
        assert code != 0
        assert "\nerror: " in said


@pytest.mark.skipif(not HAS_TAPLO, reason="PyPI has taplo for x86_64 only")
def test_editors_find_it_by_the_first_line(tmp_path: Path, file: Path) -> None:
    (tmp_path / FILE_NAME).write_text(file.read_text())
    for path in (*GOOD, MISTAKES):
        (tmp_path / path.name).write_text(f"{DIRECTIVE}\n{path.read_text()}")
    code, said = taplo([tmp_path / path.name for path in GOOD])
    assert code == 0, said
    code, said = taplo([tmp_path / MISTAKES.name])
    assert code != 0
    assert "\nerror: " in said


# -- complete ------------------------------------------------------------------------------------


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of a schema that describes a table."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema["properties"]
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_every_key_is_there_with_its_help_and_default() -> None:
    found = list(objects(vlanlink.schema()))
    for table in reference():
        for row in table.rows:
            homes = [one[row.name] for one in found if row.name in one]
            plain = isinstance(row.default, bool | int | str)
            assert any(
                one["description"] == row.help and (not plain or one["default"] == row.default)
                for one in homes
            ), f"{table.header}: {row.name}"


def test_networks_and_links_have_a_branch_a_kind() -> None:
    known = vlanlink.schema()["definitions"]
    assert [one["title"] for one in known["network"]["oneOf"]] == ["macvlan", "ipvlan"]
    kinds = ["vlan", "macvlan", "ipvlan", "dummy", "veth"]
    assert [one["title"] for one in known["link"]["oneOf"]] == kinds
    endpoint = "endpoint of a network"
    assert [one["title"] for one in known["interface"]["oneOf"]] == [endpoint, *kinds]


def test_the_verb_prints_it_or_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_prepare", lambda: None)
    assert command.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == vlanlink.schema()
    written = tmp_path / FILE_NAME
    assert command.main(["schema", "-o", str(written)]) == 0
    assert json.loads(written.read_text()) == vlanlink.schema()
    assert command.main(["schema", "-o", str(tmp_path / "none/x")]) == 1
    assert capsys.readouterr().err.endswith("none/x: No such file or directory\n")
