"""Topologies that are known here: by mark, record, lease or copy."""

from collections.abc import Sequence

from vlanlink.errors import Diagnostic, TopologyError, UsageError, nearest
from vlanlink.host import is_topology_name
from vlanlink.reconcile.observation import Observation, marked_topologies
from vlanlink.reconcile.session import Session
from vlanlink.store.record import Record
from vlanlink.topology import Topology, load, parse

_LISTED = 20
"""Names in a hint."""


def need_known(session: Session, seen: Observation) -> None:
    """Raise UsageError if the observed topology is unknown here."""
    name, store = seen.topology.name, session.store
    known = marked_topologies(seen.observed) | {*store.leased(), *store.contents().topologies}
    if seen.records.own is None and name not in known and not is_enabled(session, name):
        raise UsageError(unknown(name, sorted(known)))


def need_name(session: Session, name: str) -> None:
    """Raise UsageError if no topology is known here under that name."""
    known = sorted({*session.survey().topologies, *session.store.leased()})
    if name not in known and not (is_topology_name(name) and is_enabled(session, name)):
        raise UsageError(unknown(name, known))


def unknown(name: str, known: Sequence[str]) -> Diagnostic:
    """The topology is unknown; which ones are known."""
    meant = nearest(name, list(known))
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    listed = f"known here: {', '.join(known[:_LISTED])}{more}"
    hint = listed if known else "no topology is up here"
    if meant:
        hint = f"did you mean {meant}? {hint}"
    return Diagnostic(f"unknown topology: {name}", hint=hint)


def stored(session: Session, name: str) -> Topology:
    """The topology by the copy that ``up`` or ``enable`` keeps; empty where that is lost.

    Raises UsageError if it is unknown.
    """
    if not is_topology_name(name):
        raise UsageError(unknown(name, session.survey().topologies))
    own = session.records(name).own
    if own and own.text:
        return copy_of(own)
    at_boot = enabled(session, name)
    if at_boot:
        return at_boot
    need_name(session, name)
    return Topology(name=name)


def copy_of(record: Record) -> Topology:
    """The topology in a record. Raises TopologyError."""
    found = parse(record.text, file=record.file or record.topology)
    if found.name != record.topology:
        message = f"the copy of {record.topology} is that of {found.name}"
        raise TopologyError(Diagnostic(message))
    return found


def is_enabled(session: Session, name: str) -> bool:
    """Whether a topology comes up at boot under that name."""
    return session.host.copy_path(name).exists()


def enabled(session: Session, name: str) -> Topology | None:
    """The topology that comes up at boot under that name."""
    copy = session.host.copy_path(name)
    return load(copy) if copy.exists() else None
