"""``down``: what a topology made goes, and what it changed is put back."""

from functools import partial

from vlanlink.dataclass import replace
from vlanlink.desired.lost_record import is_lost, lost_routes
from vlanlink.desired.sysctls import lost_sysctls
from vlanlink.errors import ApplyError, Diagnostic, TopologyError, UsageError
from vlanlink.host import is_topology_name
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.apply import Transaction
from vlanlink.reconcile.checks import checked, refuse_untrusted
from vlanlink.reconcile.dhcp_change import keeper_paused
from vlanlink.reconcile.failures import translated
from vlanlink.reconcile.lookup import enabled, need_known, unknown
from vlanlink.reconcile.moved import moved_away
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.records import close_down, namespaces_out_of_reach, put_back
from vlanlink.reconcile.session import Session
from vlanlink.topology import Topology, empty
from vlanlink.topology.load import Heading


def take_down(
    session: Session,
    topology: str | Topology | Heading,
    *,
    dry_run: bool = False,
    forget: bool = False,
) -> Plan:
    """Take a topology down, as ``api.down`` describes it, under the session's lock."""
    name = topology if isinstance(topology, str) else topology.name
    if not is_topology_name(name):
        raise UsageError(unknown(name, session.survey().topologies))
    refuse_untrusted(session.store.contents(), name)
    recorded = session.records(name).own is not None
    before = None if recorded else _as_written(session, topology)
    seen = session.observe(empty(name), before)
    if isinstance(topology, str):
        need_known(session, seen)
    todo = checked(seen, before)
    if not dry_run:
        if stop_services(session, name):  # their processes hold the namespaces
            seen = session.observe(empty(name), before)
            todo = checked(seen, before)
        _apply(session, seen, forget=forget)
        if forget:
            _forget(session, name)
        _report_lost(seen, before)
    return replace(todo, notes=(*todo.notes, *moved_away(seen, doubtful=True)))


def stop_services(session: Session, topology: str) -> tuple[str, ...]:
    """Stop the services that live in a topology's namespaces; those that ran."""
    if not session.host.has_services():
        return ()
    from vlanlink.boot import services

    return services.stop(topology, session.host)


def _as_written(session: Session, topology: str | Topology | Heading) -> Topology | None:
    """The topology by the copy for the boot; None where that, or the file, is wrong."""
    if isinstance(topology, Topology):
        return topology
    if isinstance(topology, Heading):
        return topology.whole()
    try:
        return enabled(session, topology)
    except TopologyError:
        return None


def _apply(session: Session, seen: Observation, *, forget: bool) -> None:
    session.check_lock()
    now = seen.observed
    with keeper_paused(session, seen):
        if forget:
            _release(session, seen)
        if seen.todo.operations:
            restore = partial(put_back, session, seen)
            transaction = Transaction(seen.topology.name, seen.observed, session.machine, restore)
            with translated(seen.topology), transaction, transaction:
                now = transaction.step(seen.todo, seen.resolution.desired, session.on_progress)
                session.complete(len(seen.todo.operations))
    close_down(session, seen, now)


def _release(session: Session, seen: Observation) -> None:
    """Give the DHCP leases back to their servers."""
    if session.store.dhcp_leases(seen.topology.name).held:
        from vlanlink.reconcile.dhcp_acquire import release

        release(session, seen)


def _forget(session: Session, topology: str) -> None:
    try:
        session.store.forget(topology)
        session.store.forget_dhcp(topology)
    except OSError as error:
        message = f"{topology} is down, but its leases can't be removed: {error.strerror}"
        raise ApplyError(Diagnostic(message, hint=f"remove {error.filename} by hand")) from None


def _report_lost(seen: Observation, before: Topology | None) -> None:
    """Raise ApplyError if something that only the record knew of is not put back.

    All that bears the mark is gone by now. ``before`` is what was up, where that is known.
    """
    name, hint = seen.topology.name, "the record of how things were before is lost"
    hint += f" ({seen.records.unreadable})" if seen.records.unreadable else ""
    lines = seen.resolution.restore_commands
    if is_lost(name, seen.observed, seen.records):
        if before is None:
            message = f"{name} is down; what it changed on things that are not its own is unknown"
            raise ApplyError(Diagnostic(message, hint=f"{hint}, and so is the topology's copy"))
        lines = (
            *lost_sysctls(before, seen.observed),
            *lost_routes(before, seen.resolution.desired, seen.records),
        )
    hidden = namespaces_out_of_reach(seen)
    if hidden:
        lines = (*lines, *(f"namespace {one}: {seen.observed.unread[one]}" for one in hidden))
        hint = f"once that has ended or is unmounted, vlanlink down {name} removes the rest"
    if lines:
        message = f"{name} is down, but not all is as it was before"
        raise ApplyError(Diagnostic(message, hint=hint), not_undone=lines)
