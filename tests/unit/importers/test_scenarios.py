"""The table of docs/from-docker.md: what is imported gets the addresses that Docker gives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.unit.golden import read_state
from tests.unit.importers.table import ROOT, SOURCES, addresses_of, conversion, rows
from vlanlink.desired.resolve import resolve

EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.toml") if path.stem[:2] < "16")
COMPOSE = sorted((ROOT / "tests/cases/compose").glob("*.yml"))
HOST: dict[str, Any] = {"": {"links": {"eth0": {}, "eth1": {}}}}


def test_the_table_has_every_scenario_and_every_command() -> None:
    assert {path.name for path in COMPOSE} <= set(SOURCES)
    numbers = {path.stem[1:3] for path in COMPOSE}
    assert numbers == {f"{n:02d}" for n in range(1, 16)}


@pytest.mark.parametrize("source", SOURCES)
def test_the_addresses_are_dockers(source: str) -> None:
    found = conversion(source)
    state = resolve(found.topology, read_state(HOST)).desired
    assert addresses_of(state) == rows()[source]
    assert found.decisions == ()


# -- the commands of the examples and the README ------------------------------------------------

LEFT_OUT = {"08-two-hosts-2", "11-ipvlan-by-hand"}
"""Its command is not whole, or it has none."""


def scripts() -> Iterator[object]:
    for path in sorted((ROOT / "examples").glob("*.toml")):
        if path.stem not in LEFT_OUT and "docker network create" in head(path):
            yield pytest.param(path, id=path.stem)


def head(path: Path) -> str:
    """The docker commands in the comment at the top of an example."""
    lines = path.read_text().splitlines()
    comment = [line for line in lines[: lines.index("")] if line.startswith("#")]
    lines = [line.lstrip("# ") for line in comment]
    after = [False, *(line.endswith("\\") for line in lines)]
    wanted = [line.startswith("docker ") for line in lines]
    kept = zip(lines, wanted, after, strict=False)
    return "\n".join(line for line, here, continued in kept if here or continued)


@pytest.mark.parametrize("path", [*scripts()])
def test_the_commands_of_an_example_make_its_networks(path: Path) -> None:
    script = head(path)
    found = vlanlink.convert("head.sh", text=script).topology
    wanted = vlanlink.load(path)
    assert found.networks
    for name, network in found.networks.items():
        like = wanted.networks[name]
        same = ("kind", "parent", "internal", "options")
        assert [getattr(network, key) for key in same] == [getattr(like, key) for key in same]
        mine, theirs = network.subnets or (), like.subnets or ()
        for one in mine:
            other = next(each for each in theirs if each.subnet == one.subnet)
            assert one.ip_range == other.ip_range
            assert other.gateway in (one.gateway, None)


def fragments() -> list[str]:
    """The options of `docker network create` in the README's table."""
    cells = [line.split("|")[1] for line in readme() if line.startswith("| ")]
    spans = [part for cell in cells for part in cell.split("`")[1::2]]
    return [span for span in spans if span.startswith(("-d ", "--")) and "-o parent" in span]


def readme() -> list[str]:
    return (ROOT / "README.md").read_text().splitlines()


def test_the_options_of_the_readme_make_networks() -> None:
    assert len(fragments()) >= 1
    for options in fragments():
        found = vlanlink.convert(f"docker network create {options} net").topology
        assert str(found.networks["net"].parent).startswith("eth0")
        assert found.networks["net"].kind in options
