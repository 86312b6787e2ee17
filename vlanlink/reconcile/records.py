"""The record and the leases around a change: written before it, restored or closed after it."""

from contextlib import suppress
from dataclasses import replace

from vlanlink.errors import ApplyError, ConflictError, Diagnostic
from vlanlink.planning.operations import RemoveNamespace
from vlanlink.reconcile.apply import Unfinished
from vlanlink.reconcile.checks import absolute
from vlanlink.reconcile.session import Observation, Session
from vlanlink.store.record import Record, in_transition


def write_before(session: Session, seen: Observation) -> None:
    """Write the record and the leases before the first change. Raises ConflictError."""
    try:
        _write(session, seen)
    except OSError as error:
        restore(session, seen)
        raise ConflictError(Diagnostic(_unwritten(error), hint="nothing was changed")) from None


def write_between(session: Session, seen: Observation) -> None:
    """Write them again between two steps. Raises Unfinished."""
    try:
        _write(session, seen)
    except OSError as error:
        raise Unfinished(_unwritten(error)) from None


def _write(session: Session, seen: Observation) -> None:
    session.store.write_leases(seen.topology.name, seen.resolution.leases)
    session.store.write(in_transition(seen.records.own, _record(seen)))


def _unwritten(error: OSError) -> str:
    return f"can't write {error.filename or 'the record'}: {error.strerror}"


def _record(seen: Observation) -> Record:
    record = seen.resolution.record
    return replace(record, file=absolute(record.file))


def restore(session: Session, seen: Observation) -> None:
    """Put record and leases back as they were. They are hints: the kernel's marks are the truth."""
    name, before, store = seen.topology.name, seen.records.own, session.store
    with suppress(OSError):
        if before is None:
            store.remove(name)
        else:
            store.write(before)
    with suppress(OSError):
        store.write_leases(name, seen.leases)


def close(session: Session, seen: Observation) -> None:
    """Forget, after ``up``, how things were that have been put back."""
    _clear_dead_names(session, seen)
    if in_transition(seen.records.own, _record(seen)) != _record(seen):
        with suppress(OSError):  # knowing more does no harm
            session.store.write(_record(seen))


def close_down(session: Session, seen: Observation) -> None:
    """Remove the record after ``down``; namespaces that stay keep one. Raises ApplyError."""
    _clear_dead_names(session, seen)
    name = seen.topology.name
    left = (*_namespaces_left(seen), *namespaces_out_of_reach(seen))
    try:
        if left:
            session.store.write(Record(name, namespaces=left))
        else:
            session.store.remove(name)
    except OSError as error:
        message = f"{name} is down, but its record can't be removed: {error}"
        raise ApplyError(Diagnostic(message, hint="remove that file by hand")) from None


def namespaces_out_of_reach(seen: Observation) -> tuple[str, ...]:
    """Namespaces of the topology that could not be read, so nothing was done about them."""
    own = seen.records.own
    return tuple(name for name in (own.namespaces if own else ()) if name in seen.observed.unread)


def _namespaces_left(seen: Observation) -> tuple[str, ...]:
    removed = {op.namespace for op in seen.todo.operations if isinstance(op, RemoveNamespace)}
    return tuple(
        name
        for name, namespace in seen.observed.namespaces.items()
        if namespace.owner == seen.topology.name
        and name not in removed
        and seen.resolution.desired.namespaces.get(name) is None
    )


def _clear_dead_names(session: Session, seen: Observation) -> None:
    """Remove what a killed run left among the names of namespaces."""
    own = seen.records.own
    session.machine.clear_dead_names(own.namespaces if own else ())
