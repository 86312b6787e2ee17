"""Topologies that are known here: by mark, record, lease or copy."""

from collections.abc import Sequence

from vlanlink import boot
from vlanlink.errors import Diagnostic, UsageError, nearest
from vlanlink.model import NAMELESS
from vlanlink.reconcile.session import Observation, Session, marked_topologies
from vlanlink.topology import Topology, load, parse


def known_topologies(session: Session) -> tuple[str, ...]:
    """The topologies with a record or a mark in the kernel."""
    names = {record.topology for record in session.store.records()}
    names |= marked_topologies(session.snapshot())
    return tuple(sorted(name for name in names if not name.startswith(NAMELESS)))


def need_known(session: Session, seen: Observation) -> None:
    """Raise UsageError if the observed topology is unknown here."""
    name, store = seen.topology.name, session.store
    known = marked_topologies(seen.observed) | {*store.leased(), *store.unreadable()}
    at_boot = boot.copy_path(name, session.host).exists()
    if seen.records.own is None and name not in known and not at_boot:
        known |= {record.topology for record in seen.records.others}
        raise UsageError(unknown(name, sorted(known)))


def unknown(name: str, known: Sequence[str]) -> Diagnostic:
    """The topology is unknown; which ones are known."""
    meant = nearest(name, list(known))
    hint = f"known here: {', '.join(known)}" if known else "no topology is up here"
    if meant:
        hint = f"did you mean {meant}? {hint}"
    return Diagnostic(f"unknown topology: {name}", hint=hint)


def stored(session: Session, name: str) -> Topology:
    """The topology by the copy that ``up`` or ``enable`` keeps; empty where that is lost.

    Raises UsageError if it is unknown.
    """
    own = session.records(name).own
    if own and own.text:
        return parse(own.text, file=own.file or name)
    at_boot = enabled(session, name)
    if at_boot:
        return at_boot
    store = session.store
    known = sorted({*known_topologies(session), *store.leased(), *store.unreadable()})
    if name in known:
        return Topology(name=name)
    raise UsageError(unknown(name, known))


def enabled(session: Session, name: str) -> Topology | None:
    """The topology that comes up at boot under that name."""
    copy = boot.copy_path(name, session.host)
    return load(copy) if copy.exists() else None
