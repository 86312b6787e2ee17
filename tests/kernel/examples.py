"""The topologies of examples/, and what a kernel needs for each."""

from pathlib import Path

import pytest

import vlanlink
from vlanlink.kinds.vlan import implied_vlan

DIRECTORY = Path(__file__).parents[2] / "examples"
_APART = ("19-mistakes", "21-many", "22-dhcp")
"""One that no machine takes, one that takes long, one that needs a server: they have tests of
their own."""
FILES = sorted(path for path in DIRECTORY.glob("*.toml") if path.stem not in _APART)


def example(name: str, *changes: tuple[str, str]) -> vlanlink.Topology:
    """The example of that file name, each (old, new) replaced in its text."""
    path = DIRECTORY / f"{name}.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return vlanlink.load(path, text=text)


def needs(topology: vlanlink.Topology) -> set[str]:
    """The link kinds that a topology uses, by the names of tests.kernel.features."""
    links = [*topology.links.values()]
    links += [i for n in topology.namespaces.values() for i in n.interfaces.values()]
    kinds = {link.kind for link in links if link.kind}
    kinds |= {network.kind for network in topology.networks.values()}
    parents = {link.parent for link in links}
    parents |= {network.parent for network in topology.networks.values()}
    vlans = {"dummy"} if any(n.parent is None for n in topology.networks.values()) else set()
    vlans |= {"vlan" for parent in parents if parent and implied_vlan(parent)}
    return {str(kind) for kind in kinds} | vlans


def every_example() -> list[object]:
    """A pytest parameter for each file, marked with what it needs."""
    return [
        pytest.param(
            path.stem, marks=pytest.mark.needs(*sorted(needs(vlanlink.load(path)))), id=path.stem
        )
        for path in FILES
    ]
