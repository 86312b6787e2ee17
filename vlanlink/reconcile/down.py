"""The changes themselves, made while the lock is held: a topology brought up, or taken away."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from vlanlink.errors import TopologyError, UsageError
from vlanlink.host import Host
from vlanlink.model import NAMELESS
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.lookup import enabled, known_topologies, need_known, unknown
from vlanlink.reconcile.session import (
    Observation,
    checked,
    observe,
    open_machine,
    refuse_other_file,
    take_down,
    tell_what_is_lost,
)
from vlanlink.store.files import Store
from vlanlink.topology import Topology, empty
from vlanlink.topology.heading import Heading

Guard = Callable[[Observation], AbstractContextManager[None]]
"""What stands around the change itself."""


def make(
    topology: Topology,
    host: Host,
    store: Store,
    on_progress: Progress | None = None,
    *,
    replace_file: bool = False,
    ask_lan: bool = True,
    guard: Guard | None = None,
) -> Plan:
    """Bring a topology up, as ``api.up`` says it; ``guard`` is entered if something is to change.

    A topology that was up a moment ago need not ``ask_lan`` whether its addresses are free.
    """
    from vlanlink.reconcile.up import bring_up  # `down` does without, and without what it needs

    with open_machine(host, topology) as machine:
        with machine.timings.taking("plan"):
            look = observe(machine, topology, store)
            refuse_other_file(topology, look.records.own, replace_file=replace_file)
            if not ask_lan:
                look = replace(look, resolution=replace(look.resolution, probes=()))
            with guard(look) if guard and look.todo.operations else nullcontext():
                done = bring_up(machine, look, store, on_progress)
        return replace(done, timings=machine.timings.seconds)


def take(
    topology: str | Topology | Heading,
    host: Host,
    store: Store,
    on_progress: Progress | None = None,
    *,
    dry_run: bool = False,
    forget: bool = False,
) -> Plan:
    """Take a topology away, as ``api.down`` says it."""
    name = topology if isinstance(topology, str) else topology.name
    if name.startswith(NAMELESS):
        raise UsageError(unknown(name, known_topologies(host)))
    nothing, records = empty(name), store.records()
    recorded = any(record.topology == name for record in records)
    written = None if recorded else _as_written(topology, host)
    with open_machine(host, nothing, records, written) as machine:
        look = observe(machine, nothing, store)
        if isinstance(topology, str):
            need_known(look, store, host)
        todo = checked(look, written)
        if not dry_run:
            take_down(machine, look, store, on_progress)
            if forget:
                store.forget(name)
            tell_what_is_lost(look, written)
        return todo


def _as_written(topology: str | Topology | Heading, host: Host) -> Topology | None:
    """The topology of a name by the copy for the boot; None where that, or the file, is wrong."""
    if isinstance(topology, Topology):
        return topology
    if isinstance(topology, Heading):
        return topology.whole()
    try:
        return enabled(topology, host)
    except TopologyError:
        return None
