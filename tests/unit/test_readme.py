"""What README.md, docs/topology.md and docs/python.md claim is so."""

import re
import shlex
from pathlib import Path
from textwrap import indent

import pytest

import vlanlink
from tests.unit.golden import read_state
from vlanlink.cli.parser import parse
from vlanlink.desired.resolve import resolve
from vlanlink.planning.plan import plan

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAC = re.compile(r"mac [0-9a-f:]{17}")


def _blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [body for words, body in found if words == language]


SHOWN = {"office": 0, "trunk": 1}
"""The topologies shown, by position."""


@pytest.mark.parametrize("name", SHOWN)
def test_the_topology_shown_is_the_example(name: str) -> None:
    shown = vlanlink.load(f"{name}.toml", text=_blocks(README, "toml")[SHOWN[name]])
    assert shown == vlanlink.load(ROOT / f"examples/{name}.toml")


def test_the_first_topology_has_ten_lines() -> None:
    assert len(_blocks(README, "toml")[0].splitlines()) == 10


@pytest.mark.parametrize("name", SHOWN)
def test_the_plan_shown_is_the_plan(name: str) -> None:
    topology = vlanlink.load(ROOT / f"examples/{name}.toml")
    observed = read_state({"": {"links": {"eth0": {}}}})
    desired = resolve(topology, observed).desired
    text = str(plan(observed, desired, topology.name))
    assert MAC.sub("mac", text) in MAC.sub("mac", README)


def test_the_mistake_shown_is_reported_so() -> None:
    text = _blocks(README, "toml")[1].replace('"eth0.50"', '"eth0.5000"')
    with pytest.raises(vlanlink.TopologyError) as caught:
        vlanlink.load("trunk.toml", text=text[text.index("[topology]") :])
    said = str(caught.value.diagnostics[0])
    shown = next(block for block in _blocks(README, "") if block.startswith("trunk.toml:"))
    assert said.strip() == shown.strip()


def test_the_format_shown_is_a_topology() -> None:
    text = _blocks((ROOT / "docs/topology.md").read_text(), "toml")[0]
    topology = vlanlink.load("office.toml", text=text)
    assert set(topology.namespaces) == {"web", "lab"}


TOOLS = (
    "examples/lab.py",
    "examples/asynchronous.py",
    "tests/kernel/test_python.py",
    "docs/python.md",
)


def test_the_python_shown_is_the_tool() -> None:
    """Which is run by tests.kernel.test_python."""
    tool, more, test, page = ((ROOT / name).read_text() for name in TOOLS)
    (command,) = _blocks(page, "")
    assert command.strip().removeprefix("$ ") in tool
    shown = _blocks(page, "python")
    assert len(shown) == 7
    for block in shown:
        assert block in tool or block in more or indent(block, "    ") in test, block


def test_the_errors_are_in_the_page() -> None:
    page = (ROOT / "docs/python.md").read_text()
    for error in vlanlink.VlanlinkError.__subclasses__():
        assert f"| `{error.__name__}` | {error.exit_code} |" in page


def test_files_and_scripts_named_are_there() -> None:
    for name in re.findall(r"\]\(([^)#]+)\)|^(scripts/\w+)", README, re.MULTILINE):
        assert (ROOT / "".join(name)).exists(), name


# -- the commands shown ----------------------------------------------------------------------------

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _commands(page: Path) -> list[str]:
    """The vlanlink commands of a page, without comments."""
    text = "\n".join(_blocks(page.read_text(), ""))
    found = re.findall(r"^(?:\$ )?(?:sudo )?(vlanlink .*)$", text, re.MULTILINE)
    return [line.partition("  #")[0].strip() for line in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_shown_parses(page: Path) -> None:
    for line in _commands(page):
        if "[" in line or "|" in line or "…" in line:  # a usage
            continue
        assert parse(shlex.split(line)[1:]).verb in line
    assert page.stem != "README" or len(_commands(page)) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_local_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
