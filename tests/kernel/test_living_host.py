"""The host's own network is sacred: what happens to its NIC, times what vlanlink does meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.living import EVENTS, TEXT, WEB4, Event, LivingHost
from tests.kernel.test_watch import Watched, watched
from tests.kernel.world import until

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture
def host(lan: Lan) -> LivingHost:
    """A host that its own manager has configured."""
    return LivingHost(lan)


@contextmanager
def _going_on(verb: str, host: LivingHost, event: Event) -> Iterator[None]:
    """The event, with ``verb`` before, in the middle of, or throughout it."""
    topology = host.topology()
    if verb == "watch":
        with watched(TEXT) as watch:
            watch.told("up")
            event.begins(host)
            _is_in_sync(watch, topology)
            event.ends(host)
            yield
            _is_in_sync(watch, topology)
        return
    if verb != "first":
        vlanlink.up(topology)
    event.begins(host)
    if verb in ("first", "meanwhile"):
        vlanlink.up(topology)
    event.ends(host)
    if verb == "again":
        vlanlink.up(topology)
    yield


def _is_in_sync(watch: Watched, topology: vlanlink.Topology) -> None:
    until(lambda: vlanlink.status(topology).state == "up", f"in sync after {watch.events}")


VERBS = ("before", "first", "meanwhile", "again", "watch")
"""`up` before the event, only while it lasts, both, before and after it; `watch` throughout."""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", EVENTS)
def test_the_host_keeps_what_it_has(host: LivingHost, name: str, verb: str) -> None:
    world, event = host.world, EVENTS[name]
    with _going_on(verb, host, event):
        host.is_whole()
        world.reaches("station", WEB4)
        before = host.network()
    vlanlink.down("home")
    host.is_whole()
    assert host.network() == before


def test_a_nic_that_was_down_and_is_not_used_goes_down_again(host: LivingHost) -> None:
    host.world.ip("addr flush dev eth0")
    host.set_down()
    before = dump(host.world)
    vlanlink.up(host.topology())
    host.world.reaches("station", WEB4)
    assert vlanlink.down("home").notes == ()
    same(host.world, before)


def test_a_nic_that_stays_up_is_named_with_its_users(host: LivingHost) -> None:
    host.set_down()
    vlanlink.up(host.topology())
    host.set_up()
    (note,) = vlanlink.down("home").notes
    assert note.severity == "warning"
    assert "eth0 was down before and stays up: it is in use (192.168.77.5/24" in note.message
    assert "default via 192.168.77.1 dev eth0" in note.message


def test_a_nic_in_use_stays_up_when_up_is_rolled_back(host: LivingHost) -> None:
    """The NIC comes up, a DHCP client configures it, and then something fails."""
    host.world.ip("addr flush dev eth0")
    host.set_down()

    def cancels(done: int, total: int, text: str) -> bool:
        del total, text
        if done:
            host.set_up()
        return not done

    with pytest.raises(vlanlink.Interrupted) as caught:
        vlanlink.up(host.topology(), on_progress=cancels)
    assert host.world.namespaces() == set()
    host.is_whole()
    (left,) = caught.value.not_undone
    assert "eth0" in left
    assert "in use" in left
