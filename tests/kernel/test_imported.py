"""What is imported comes up with the addresses of docs/from-docker.md, and goes."""

from collections.abc import Iterator

import pytest

import vlanlink
from tests.kernel.examples import needs
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.unit.importers.table import SOURCES, conversion, rows


def sources() -> Iterator[object]:
    for source in SOURCES:
        topology = conversion(source).topology
        marks = pytest.mark.needs(*sorted(needs(topology)))
        yield pytest.param(source, marks=marks, id=source[:40])


@pytest.mark.parametrize("source", [*sources()])
def test_it_comes_up_with_dockers_addresses(lan: Lan, source: str) -> None:
    before = dump(lan.world)
    topology = conversion(source).topology
    vlanlink.up(topology)
    for (namespace, interface), addresses in rows()[source].items():
        found = {one.partition("/")[0] for one in lan.world.addresses(interface, namespace)}
        assert found == addresses
    assert vlanlink.up(topology).changes == ()
    vlanlink.down("moved")
    same(lan.world, before)
