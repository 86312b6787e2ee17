"""What vlanlink does while a host lives: each verb before, during or after an event."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import vlanlink
from tests.kernel.judge import differences
from tests.kernel.living import WEB4, WEB6, Event, LivingHost
from tests.kernel.watching import watching
from tests.kernel.world import until
from vlanlink.watcher import Policy

VERBS = ("before", "first", "meanwhile", "again", "watch")
"""`up` before the event, only while it lasts, both, before and after it; `watch` throughout."""
SOON = Policy(address_seconds=0.1)


@contextmanager
def _going_on(verb: str, host: LivingHost, event: Event) -> Iterator[None]:
    """The event, with ``verb`` before, in the middle of, or throughout it."""
    topology = host.topology(event.parent)
    if verb == "watch":
        with watching(topology, SOON) as events:
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


def keeps_what_it_has(host: LivingHost, event: Event, verb: str) -> None:
    """The host keeps its network, and reaches its endpoints; `down` takes nothing from it."""
    world, topology = host.world, host.topology(event.parent)
    if verb in ("first", "meanwhile") and not event.nic_stays:
        event.begins(host)
        with pytest.raises(vlanlink.ConflictError, match="eth0 does not exist"):
            vlanlink.up(topology)
        return
    with _going_on(verb, host, event):
        host.is_whole()
        if verb in ("again", "watch") or (verb == "before" and event.same_address):
            host.joins_its_endpoints()
        elif verb != "before" and event.away:  # as it was when the host had no address
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
