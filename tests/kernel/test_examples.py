"""What every example must do, whatever it shows: come up, stay, and go without a trace."""

import pytest

import vlanlink
from tests.kernel.examples import FILES, every_example, example
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World


@pytest.mark.parametrize("name", every_example())
def test_up_twice_and_down(lan: Lan, name: str) -> None:
    """``up`` twice changes nothing the second time; ``down`` leaves what was there before."""
    before = dump(lan.world)
    topology = example(name)
    planned = str(vlanlink.plan(topology))
    done = vlanlink.up(topology)
    assert str(done) == planned.replace(", if free on the LAN", "")
    assert done.changes
    again = vlanlink.up(topology)
    assert again.operations == ()
    assert again.changes == ()
    assert vlanlink.status(topology.name).state == "up"
    assert lan.world.namespaces() == set(topology.namespaces)
    vlanlink.down(topology.name)
    same(lan.world, before)


def test_each_has_a_name_of_its_own(world: World) -> None:
    """So all of them can be tried on one machine."""
    del world
    names = [vlanlink.load(path).name for path in FILES]
    assert len(set(names)) == len(names) >= 14
