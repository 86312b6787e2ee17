"""The record and the leases around a change: written before it, restored or closed after it."""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from vlanlink.errors import ApplyError, ConflictError, Diagnostic
from vlanlink.planning.operations import RemoveNamespace
from vlanlink.reconcile.apply import Unfinished
from vlanlink.reconcile.checks import absolute
from vlanlink.reconcile.session import Observation, Session
from vlanlink.store.kept import Kept
from vlanlink.store.record import Record, in_transition

UNCHANGED: Final = "nothing was changed"


def keep(session: Session, seen: Observation) -> Kept:
    """The topology's files as they are, to be restored after a failure. Raises ConflictError."""
    if not (seen.todo.operations or seen.resolution.probes or _news(seen)):
        return Kept(())
    try:
        return session.store.keep(seen.topology.name)
    except OSError as error:
        raise ConflictError(Diagnostic(_unwritten(error), hint=UNCHANGED)) from None


def write_before(session: Session, seen: Observation, kept: Kept) -> None:
    """Write the record and the leases before the first change.

    Raises ConflictError; ApplyError if the files that were written can't be restored.
    """
    try:
        _write(session, seen)
    except OSError as error:
        left = kept.restore()
        if left:
            raise ApplyError(Diagnostic(_unwritten(error)), not_undone=left) from None
        raise ConflictError(Diagnostic(_unwritten(error), hint=UNCHANGED)) from None


def write_between(session: Session, seen: Observation) -> None:
    """Write them again between two steps. Raises Unfinished."""
    try:
        _write(session, seen)
    except OSError as error:
        raise Unfinished(_unwritten(error)) from None


def _write(session: Session, seen: Observation) -> None:
    session.store.write_leases(seen.topology.name, seen.resolution.leases)
    if record := _news(seen):
        session.store.write(record)


def _news(seen: Observation) -> Record | None:
    """The record of the change, if it differs from the one that is there."""
    record = in_transition(seen.records.own, _record(seen))
    return record if record != seen.records.own else None


def _unwritten(error: OSError) -> str:
    return f"can't write {error.filename or 'the record'}: {error.strerror}"


def _record(seen: Observation) -> Record:
    record = seen.resolution.record
    return replace(record, file=absolute(record.file))


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
