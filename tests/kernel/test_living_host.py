"""The host's own network is sacred: what happens to its NIC, times what vlanlink does meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import vlanlink
from tests.kernel.judge import differences, dump, same
from tests.kernel.lan import Lan
from tests.kernel.living import EVENTS, WEB4, WEB6, Event, LivingHost
from tests.kernel.world import until
from vlanlink.kernel.monitor import Events
from vlanlink.watcher import Policy
from vlanlink.watcher.loop import WatchLoop

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture
def host(lan: Lan) -> LivingHost:
    """A host that its own manager has configured."""
    return LivingHost(lan)


SOON = Policy(address_seconds=0.1)


@contextmanager
def _watching(
    topology: vlanlink.Topology, policy: Policy | None = None
) -> Iterator[list[vlanlink.Event]]:
    events: list[vlanlink.Event] = []
    watch = vlanlink.Watch(topology, on_event=events.append, policy=policy or SOON)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        until(lambda: events, "the watch has begun")
        yield events
    finally:
        watch.stop()
        thread.join()


@contextmanager
def _going_on(verb: str, host: LivingHost, event: Event) -> Iterator[None]:
    """The event, with ``verb`` before, in the middle of, or throughout it."""
    topology = host.topology()
    if verb == "watch":
        with _watching(topology) as events:
            event.begins(host)
            until(
                lambda: vlanlink.status(topology).state == "up" or events[-1].event == "blocked",
                f"repaired, or known to be impossible: {events}",
            )
            event.ends(host)
            until(lambda: vlanlink.status(topology).state == "up", f"in sync: {events}")
            yield
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


VERBS = ("before", "first", "meanwhile", "again", "watch")
"""`up` before the event, only while it lasts, both, before and after it; `watch` throughout."""


NEEDS = {"firewall of Docker": pytest.mark.needs("nat")}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", [pytest.param(n, marks=NEEDS.get(n, ())) for n in EVENTS])
def test_the_host_keeps_what_it_has(host: LivingHost, name: str, verb: str) -> None:
    world, event, topology = host.world, EVENTS[name], host.topology()
    if verb in ("first", "meanwhile") and not event.nic_stays:
        event.begins(host)
        with pytest.raises(vlanlink.ConflictError, match="eth0 does not exist"):
            vlanlink.up(topology)
        return
    with _going_on(verb, host, event):
        host.is_whole()
        if verb in ("again", "watch") or (verb == "before" and event.same_address):
            host.joins_its_endpoints()
        elif verb != "before":  # as it was when the host had no address
            world.reaches("", WEB4)
            world.reaches("", WEB6)
        before = host.network()
    in_sync = verb in ("again", "watch") or (verb == "before" and event.same_address)
    in_sync |= event.address_stays
    assert vlanlink.status(topology).state == ("up" if in_sync else "drifted") or verb == "first"
    vlanlink.up(topology)
    host.joins_its_endpoints()
    assert vlanlink.up(topology).operations == ()
    vlanlink.down("home")
    host.is_whole()
    assert differences(before, host.network()) == []


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


def test_watch_does_not_flap_when_the_address_is_away_for_a_moment(
    host: LivingHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[float | None] = []
    step = WatchLoop.step

    def counted(self: WatchLoop, events: Events) -> float | None:
        steps.append(step(self, events))
        return steps[-1]

    monkeypatch.setattr(WatchLoop, "step", counted)
    with _watching(host.topology(), Policy(address_seconds=600)) as events:
        for _ in range(3):
            host.lose_lease()
            until(lambda: steps and (steps[-1] or 0) > 1, "the watch waits for the address")
            assert vlanlink.status("home").state == "drifted"
            host.configure()
            until(lambda: steps and steps[-1] is None, "the watch has seen it come back")
        host.joins_its_endpoints()
        assert [event.event for event in events] == ["up"]
