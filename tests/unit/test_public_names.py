"""One table of public names; type checkers see the same; what public calls return is public."""

import ast
import dataclasses
import inspect
import json
import os
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vlanlink

HOME = Path(str(vlanlink.__file__)).parent
ALL: list[str] = vars(vlanlink)["__all__"]
VERBS = sorted(name for name in ALL if inspect.isfunction(getattr(vlanlink, name)))
OPAQUE = {"Operation", "Pair", "Source"}
"""Handed out, but what they are made of is ours."""
CLASSES = [name for name in ALL if isinstance(getattr(vlanlink, name), type)]


def imports() -> dict[str, str]:
    """Name to module, as type checkers read them."""
    tree = ast.parse((HOME / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, "only `import X as X` exports X"
            found[alias.name] = str(node.module)
    return found


def test_type_checkers_see_what_the_table_says() -> None:
    assert imports() == {name: f"vlanlink.{home}" for name, home in vlanlink._HOMES.items()}


def test_each_name_is_there_and_listed() -> None:
    assert set(ALL) == {"__version__", *vlanlink._HOMES}
    assert set(ALL) <= set(dir(vlanlink))
    for name in ALL:
        assert getattr(vlanlink, name) is not None


def test_all_of_them_by_a_star() -> None:
    space: dict[str, object] = {}
    exec("from vlanlink import *", space)
    assert set(ALL) <= space.keys()


def test_no_other_name_is_made_up() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        vlanlink.nope  # type: ignore[attr-defined]  # noqa: B018


def test_the_name_of_a_verb_stays_the_verb() -> None:
    """A module with the name of a public function would replace it once imported."""
    modules = {path.stem for path in HOME.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules.isdisjoint(ALL)


# -- what they return --------------------------------------------------------------------------


def inside(hint: object) -> Iterator[type]:
    """The classes of ours in a type."""
    if isinstance(hint, type) and hint.__module__.startswith("vlanlink"):
        yield hint
    for part in typing.get_args(hint):
        yield from inside(part)


def hints(owner: Any) -> dict[str, Any]:
    """Type hints, also where a name is imported for type checkers only."""
    names: dict[str, Any] = {name: getattr(vlanlink, name) for name in ALL}
    names |= {"CompletedProcess": subprocess.CompletedProcess, "Popen": subprocess.Popen}
    return typing.get_type_hints(owner, localns=names)


def returned(name: str) -> set[type]:
    """What a public function takes and returns, or a public class holds."""
    thing = getattr(vlanlink, name)
    owners = [thing]
    if isinstance(thing, type):
        members = [m for key, m in vars(thing).items() if not key.startswith("_")]
        owners += [getattr(m, "fget", getattr(m, "func", m)) for m in members]
        owners += [vars(thing)["__init__"]] if "__init__" in vars(thing) else []
    found = [hints(owner) for owner in owners if isinstance(owner, type | types.FunctionType)]
    return {one for each in found for hint in each.values() for one in inside(hint)}


@pytest.mark.parametrize("name", [*VERBS, *(name for name in CLASSES if name not in OPAQUE)])
def test_what_is_public_speaks_of_public_names_only(name: str) -> None:
    public = {getattr(vlanlink, one) for one in ALL if not one.startswith("__")}
    assert {one.__qualname__ for one in returned(name) - public} == set()


def test_errors_are_public() -> None:
    def below(error: type[Exception]) -> set[str]:
        found = {error.__name__} if error.__module__ == "vlanlink.errors" else set()
        return found.union(*map(below, error.__subclasses__()))

    assert below(vlanlink.VlanlinkError) <= set(ALL)


# -- who may do what ----------------------------------------------------------------------------


def modules() -> list[Path]:
    return sorted(HOME.rglob("*.py"))


def names_of(path: Path) -> Iterator[str]:
    """`print` and `sys.stdout`, `sys.stderr`, wherever a file names them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


PRINTING = {"print", "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
PROGRAMS = {"__main__.py", "lease_keeper.py", "reverter.py"}
"""Programs of their own: one flushes what `cli` printed, the others answer who starts them."""


def test_only_the_command_line_prints() -> None:
    found = {str(p.relative_to(HOME)) for p in modules() if PRINTING & set(names_of(p))}
    assert {name for name in found if not name.startswith("cli/")} <= PROGRAMS
    assert "cli/output.py" in found


def test_the_command_line_imports_public_names_only() -> None:
    found = set()
    for path in (HOME / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                found.add(str(node.module))
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
    ours = {name for name in found if name.split(".")[0] == "vlanlink"}
    assert {n for n in ours if not n.startswith("vlanlink.cli")} == {"vlanlink"}


# -- type checkers ------------------------------------------------------------------------------

TYPOS = """
import vlanlink
topology: vlanlink.Topology = vlanlink.load("office.toml")
done: vlanlink.Plan = vlanlink.up(topology, vlanlink.Host(state_directory="/tmp/state"))
vlanlink.laod("office.toml")
vlanlink.up(topology, wiat=3)
vlanlink.status("office").stat
"""


def test_mypy_finds_typos_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "tool.py"
    file.write_text(TYPOS)
    command = [sys.executable, "-m", "mypy", "--strict", str(file)]  # our settings: our cache
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HOME.parent)
    lines = [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line]
    assert lines == ["5", "6", "7"], done.stdout


# -- Host ---------------------------------------------------------------------------------------


def test_a_host_takes_str_and_pathlike_everywhere() -> None:
    text = vlanlink.Host("/n", "/a", "/b", "/c", "m", "/d", "/e")
    path = vlanlink.Host(Path("/n"), Path("/a"), Path("/b"), Path("/c"), "m", Path("/d"))
    path = dataclasses.replace(path, unit_directory=Path("/e"))
    assert text == path
    assert text.network_namespace == "/n"
    assert isinstance(text.state_directory, Path)
    assert isinstance(text.unit_directory, Path)
    assert vlanlink.Host().run_directory == Path("/run/vlanlink")
    assert hash(text) == hash(path)


def test_pyright_finds_the_same_typos(tmp_path: Path) -> None:
    """And nothing in the examples."""
    file = tmp_path / "tool.py"
    file.write_text(TYPOS)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    examples = [str(path) for path in (HOME.parent / "examples").glob("*.py")]
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--project", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(HOME.parent)}
    done = subprocess.run(
        [*command, str(file), *examples],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = [one for one in found if one["severity"] == "error"]
    assert {Path(one["file"]).name for one in errors} == {"tool.py"}, errors
    assert [one["range"]["start"]["line"] + 1 for one in errors] == [5, 6, 7], errors
