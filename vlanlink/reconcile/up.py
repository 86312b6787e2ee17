"""``up``: observe, resolve, plan; create parents, probe the LAN, apply the rest; or none of it.

Most topologies take one step. Probes are sent from the parents, so where addresses are new on a
LAN, missing parents are created in a step of their own.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Final

from vlanlink.dataclass import replace
from vlanlink.errors import ApplyError, Diagnostic
from vlanlink.model import State
from vlanlink.planning.plan import Plan, plan
from vlanlink.reconcile.apply import Transaction, Unfinished
from vlanlink.reconcile.checks import (
    checked,
    need_privilege,
    need_visible_names,
    refuse_other_file,
    refuse_untrusted,
)
from vlanlink.reconcile.dhcp_change import forget_leases, keeper_paused
from vlanlink.reconcile.dhcp_plan import (
    disturbs_keeper,
    for_kernel,
    keeps_others,
    to_acquire,
    without_leases,
)
from vlanlink.reconcile.failures import translated
from vlanlink.reconcile.lan import announce, create_parents, probe
from vlanlink.reconcile.moved import moved_away
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.progress import phases_of_up
from vlanlink.reconcile.records import close, keep, put_back, write_before, write_between
from vlanlink.reconcile.session import Session
from vlanlink.topology import Topology

Guard = Callable[[Observation], AbstractContextManager[None]]
"""What surrounds the change itself."""
_TRIES: Final = 3
"""How often a change is tried while the host's network moves."""


def bring_up(
    session: Session,
    topology: Topology,
    *,
    replace_file: bool = False,
    probe_lan: bool = True,
    guard: Guard | None = None,
) -> Plan:
    """Bring a topology up, as ``api.up`` describes it, under the session's lock.

    ``guard`` is entered if anything is to change. A topology that was up a moment ago need not
    ``probe_lan`` for its addresses.
    """
    timings = session.machine.timings
    with timings.taking("plan"):
        refuse_untrusted(session.store.contents(), topology.name)
        has_services = any(one.units for one in topology.namespaces.values())
        if has_services:
            from vlanlink.boot import file_trust, services

            file_trust.refuse_untrusted_units(topology)
        observe = partial(_observe, session, topology, probe_lan=probe_lan)
        seen = observe()
        refuse_other_file(topology, seen.records.own, replace_file=replace_file)
        with guard(seen) if guard and seen.todo.operations else nullcontext():
            done = _while_host_moves(session, seen, observe)
    if has_services:
        done = replace(done, notes=(*done.notes, *services.untied(topology, session.host)))
    return replace(done, timings=timings.seconds)


def _observe(session: Session, topology: Topology, *, probe_lan: bool) -> Observation:
    seen = session.observe(topology)
    return seen if probe_lan else seen.without_probes()


def _while_host_moves(
    session: Session, seen: Observation, observe: Callable[[], Observation]
) -> Plan:
    """Reconcile, again if it fails on a host whose own network has changed since it was read.

    A manager that drops a lease takes the source address of a route that is about to be added.
    """
    why: tuple[Diagnostic, ...] = ()
    for _ in range(_TRIES):
        try:
            return reconcile(session, seen, lost_leases=True)
        except ApplyError as error:
            if error.not_undone:
                raise
            now, why = observe(), error.diagnostics
            if _host(now) == _host(seen):
                raise
            seen = now
    message = f"the host's own addresses or routes changed meanwhile, {_TRIES} times in a row"
    hint = "ip monitor address route shows the changes; run up again when they are over"
    raise ApplyError(*why, Diagnostic(message, hint=hint))


def _host(seen: Observation) -> object:
    """The host's own addresses and routes."""
    host = seen.observed.host
    links = [link for link in host.links.values() if link.owner != seen.topology.name]
    addresses = {(link.key, link.index, a) for link in links for a in link.addresses}
    routes = {route for route in host.routes if not route.ours}
    return {one for one in addresses if not one[2].link_local}, routes


def reconcile(
    session: Session, seen: Observation, *, lost_leases: bool = False, by_keeper: bool = False
) -> Plan:
    """Make the machine what was resolved. Returns what was done, with its warnings.

    A lease that was lost is left to the keeper, unless ``lost_leases`` are to be waited for. Nor
    is it ended or started where it is the one who asks (``by_keeper``).
    Raises ConflictError where the machine stands in the way or an address is taken, ApplyError,
    PrivilegeError and Interrupted, all of them after undoing.
    """
    checked(seen)
    need_visible_names(session.machine, seen)
    if seen.resolution.probes:
        need_privilege("asking the LAN whether an address is taken", "CAP_NET_RAW")
    session.check_lock()
    kept = keep(session, seen)
    restore = partial(put_back, session, seen, kept=kept)
    transaction = Transaction(seen.topology.name, seen.observed, session.machine, restore)
    aside = by_keeper or not seen.keeper_matters
    disturbs = not aside and (
        disturbs_keeper(seen.todo.operations, lost=lost_leases) or keeps_others(seen)
    )
    paused = keeper_paused(session, seen) if disturbs else nullcontext()
    with paused, translated(seen.topology), transaction:
        write_before(session, seen, kept)
        with _kernel_asked():
            final, now, warnings = _apply(session, seen, transaction, lost_leases=lost_leases)
        if not aside:
            _settle_keeper(session, final, now)
        close(session, final, now)
        session.complete(phases_of_up(None, seen).total)
    kept.discard()
    if not final.narrowed:
        forget_leases(session, final)
    done = checked(final)
    return replace(done, notes=(*done.notes, *warnings, *moved_away(seen)))


@contextmanager
def _kernel_asked() -> Iterator[None]:
    """Raise what the kernel refuses to tell between two steps as Unfinished."""
    try:
        yield
    except OSError as error:
        raise Unfinished(f"the kernel could not be asked: {error}") from None


def _apply(
    session: Session, seen: Observation, transaction: Transaction, *, lost_leases: bool
) -> tuple[Observation, State, tuple[Diagnostic, ...]]:
    """Parents, probes, the rest, leases, announcements.

    Returns what was resolved in the end, what is there then, and warnings.
    """
    phases = phases_of_up(session.on_progress, seen)
    now = create_parents(session, seen, transaction, phases.of("parents"))
    final, probed, unprobed = probe(session, seen, now, phases.of("probe"))
    if _recorded(final) != _recorded(seen):
        write_between(session, final)
    todo, desired, name = final.todo, final.resolution.desired, seen.topology.name
    if now is not seen.observed:
        todo = plan(now, desired, name)
    wanted = to_acquire(final.todo.operations, lost=lost_leases)
    first = for_kernel(plan(now, without_leases(desired), name)) if wanted else for_kernel(todo)
    if first.operations:
        now = transaction.step(first, without_leases(desired), phases.of("apply"))
    if wanted:
        from vlanlink.reconcile.dhcp_acquire import acquire  # other topologies do without

        with session.machine.timings.taking("dhcp"):
            leased = acquire(session, final, now, wanted, phases.of("dhcp"))
        final = session.replan(final, leased=leased)
        desired = without_leases(final.resolution.desired)
        now = transaction.step(plan(now, desired, name), desired)
    warnings = announce(session, final, now, probed, phases.of("announce"))
    return final, now, (*unprobed, *warnings)


def _settle_keeper(session: Session, final: Observation, now: State) -> None:
    asks = any(link.dhcp for link in final.resolution.desired.links())
    if final.narrowed:
        from vlanlink.reconcile import keeper_process

        keeper_process.settle_part(session, final, now)
    elif asks or session.store.keeper_file(final.topology.name).exists():
        from vlanlink.reconcile import keeper_process

        keeper_process.settle(session, final.topology.name, final.resolution.desired, now)


def _recorded(seen: Observation) -> tuple[object, object]:
    return seen.resolution.record, seen.resolution.leases
