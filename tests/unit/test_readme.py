"""What README.md, docs/topology.md and docs/python.md claim is so."""

import re
from pathlib import Path

import pytest

import vlanlink
from tests.unit.golden import read_state
from vlanlink.desired.resolve import resolve
from vlanlink.planning.plan import plan

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAC = re.compile(r"mac [0-9a-f:]{17}")


def _blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [body for words, body in found if words == language]


def test_the_topology_shown_is_the_example() -> None:
    shown = vlanlink.load("shown.toml", text=_blocks(README, "toml")[0])
    assert shown == vlanlink.load(ROOT / "examples/trunk.toml")


def test_the_plan_shown_is_the_plan() -> None:
    topology = vlanlink.load(ROOT / "examples/trunk.toml")
    observed = read_state({"": {"links": {"eth0": {}}}})
    desired = resolve(topology, observed).desired
    text = str(plan(observed, desired, topology.name))
    assert MAC.sub("mac", text) in MAC.sub("mac", README)


def test_the_mistake_shown_is_reported_so() -> None:
    text = _blocks(README, "toml")[0].replace('"eth0.50"', '"eth0.5000"')
    with pytest.raises(vlanlink.TopologyError) as caught:
        vlanlink.load("trunk.toml", text=text[text.index("[topology]") :])
    said = str(caught.value.diagnostics[0])
    shown = next(block for block in _blocks(README, "") if block.startswith("trunk.toml:"))
    assert said.strip() == shown.strip()


def test_the_format_shown_is_a_topology() -> None:
    text = _blocks((ROOT / "docs/topology.md").read_text(), "toml")[0]
    topology = vlanlink.load("office.toml", text=text)
    assert set(topology.namespaces) == {"web", "lab"}


def test_the_python_shown_is_the_tool() -> None:
    """Which is run by tests.kernel.test_python."""
    tool, page = ((ROOT / name).read_text() for name in ("examples/lab.py", "docs/python.md"))
    (command,) = _blocks(page, "")
    assert command.strip().removeprefix("$ ") in tool
    shown = _blocks(page, "python")
    assert len(shown) == 5
    for block in shown:
        assert block in tool, block


def test_the_errors_are_in_the_page() -> None:
    page = (ROOT / "docs/python.md").read_text()
    for error in vlanlink.VlanlinkError.__subclasses__():
        assert f"| `{error.__name__}` | {error.exit_code} |" in page


def test_files_and_scripts_named_are_there() -> None:
    for name in re.findall(r"\]\(([^)#]+)\)|^(scripts/\w+)", README, re.MULTILINE):
        assert (ROOT / "".join(name)).exists(), name
