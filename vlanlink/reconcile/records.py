"""The record and the leases around a change: written before it, restored or closed after it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from vlanlink.dataclass import replace
from vlanlink.errors import ApplyError, ConflictError, Diagnostic
from vlanlink.model import HOST, LOOPBACK_KIND, Link, LinkName, State
from vlanlink.planning.operations import RemoveNamespace, WriteSysctl
from vlanlink.reconcile.apply import Unfinished
from vlanlink.reconcile.attached import with_ends
from vlanlink.reconcile.checks import absolute
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session
from vlanlink.store.kept import Kept
from vlanlink.store.record import OriginalSysctl, Place, Record, RecordedLink, in_transition

UNCHANGED: Final = "nothing was changed"


def keep(session: Session, seen: Observation) -> Kept:
    """The topology's files as they are, to be restored after a failure. Raises ConflictError."""
    if not (seen.todo.operations or seen.resolution.probes or _news(session, seen)):
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
    if record := _news(session, seen):
        session.store.write(record)


def _news(session: Session, seen: Observation) -> Record | None:
    """The record of the change, if it differs from the one that is there."""
    record = _in_transition(seen)
    changing = bool(seen.todo.operations)
    record = _placed(session, record, seen.observed, seen, changing=changing)
    if changing and seen.records.own:
        record = _with_missing(seen.records.own, record)
    return record if record != seen.records.own else None


def _in_transition(seen: Observation) -> Record:
    """The record of the change, with the sysctls that have another value for a moment.

    A run that is killed then leaves them at it.
    """
    record = in_transition(seen.records.own, _record(seen))
    sysctls = {space: dict(originals) for space, originals in record.sysctls.items()}
    for op in seen.todo.operations:
        if isinstance(op, WriteSysctl) and op.switch:
            original = OriginalSysctl(op.old, op.new)
            sysctls.setdefault(op.namespace, {}).setdefault(op.key, original)
    return replace(record, sysctls=sysctls)


def _unwritten(error: OSError) -> str:
    return f"can't write {error.filename or 'the record'}: {error.strerror}"


def _record(seen: Observation) -> Record:
    record = seen.resolution.record
    return replace(record, file=absolute(record.file))


def put_back(
    session: Session, seen: Observation, left: tuple[str, ...], *, kept: Kept | None = None
) -> tuple[str, ...]:
    """Restore the files once the kernel is as before, but for what is ``left``; all that is left.

    What is left of a change is in the record, which has to stay then. Undo has made things again,
    with other numbers: the record tells these.
    """
    if kept:
        left = left or kept.restore()
        kept.discard()
    if seen.todo.operations and not seen.narrowed:
        with suppress(OSError):
            _place_again(session, session.records(seen.topology.name).own)
    return left


def _place_again(session: Session, own: Record | None) -> None:
    if own is None or own.changing:  # what is left of the change is in it
        return
    now = session.machine.snapshot()
    record = _with_missing(own, _placed(session, own, now, None, changing=False))
    if record != own:
        session.store.write(record)
    place_attachments(session, own.topology, now)


def close(session: Session, seen: Observation, now: State) -> None:
    """Record, after ``up``, what is there ``now``, and forget how things were that are restored."""
    _clear_dead_names(session, seen)
    record = _placed(session, _record(seen), now, seen, changing=False)
    with suppress(OSError):  # knowing more does no harm
        if seen.todo.operations or in_transition(seen.records.own, record) != record:
            session.store.write(record)
        _record_handed_over(session, seen, now)
        _close_attachments(session, seen, now)


def close_down(session: Session, seen: Observation, now: State) -> None:
    """Remove the record after ``down``; namespaces that stay keep one. Raises ApplyError."""
    _clear_dead_names(session, seen)
    with suppress(OSError):
        _close_attachments(session, seen, now)
    name = seen.topology.name
    with suppress(OSError):  # when attachments ended only decides whose addresses go first
        session.store.write_leases(name, with_ends(seen.leases, seen.context.lost))
    left = (*_namespaces_left(seen), *namespaces_out_of_reach(seen))
    try:
        _record_handed_over(session, seen, now)
        if left or _links_left(seen):
            own = seen.records.own
            parents = own.parents if own and _links_left(seen) else {}
            rest = Record(name, namespaces=left, places=_hidden_places(seen), parents=parents)
            session.store.write(_placed(session, rest, now, None, changing=False))
        else:
            session.store.remove(name)
    except OSError as error:
        message = f"{name} is down, but its record can't be removed: {error}"
        raise ApplyError(Diagnostic(message, hint="remove that file by hand")) from None


def _placed(
    session: Session, record: Record, state: State, seen: Observation | None, *, changing: bool
) -> Record:
    """A record with what its topology has in namespaces; what can't be read stays as recorded.

    What attachments have is in their own records.
    """
    own = seen.records.own if seen and seen.narrowed else None
    if own:
        return replace(record, boot=own.boot, places=own.places, changing=own.changing)
    hidden = {name: place for name, place in record.places.items() if name in state.unread}
    ids = {one.id for one in session.store.attached(record.topology)}
    found = places_of(record.topology, state)
    places = {**hidden, **{name: place for name, place in found.items() if name not in ids}}
    return replace(record, boot=session.machine.boot, places=places, changing=changing)


def _with_missing(own: Record, record: Record) -> Record:
    """The record, with links of ``own`` that are gone: somebody may have moved them elsewhere."""
    places = {
        name: replace(place, links={**own.places[name].links, **place.links})
        if name in own.places and own.places[name].identity == place.identity
        else place
        for name, place in record.places.items()
    }
    return replace(record, places=places)


def _hidden_places(seen: Observation) -> dict[str, Place]:
    own, unread = seen.records.own, seen.observed.unread
    return {name: place for name, place in own.places.items() if name in unread} if own else {}


def places_of(topology: str, state: State) -> dict[str, Place]:
    """By namespace other than the host's, what a topology has there."""
    found = {}
    for name, space in state.namespaces.items():
        links = {
            link.name: RecordedLink(link.index, link.kind, _mac(link))
            for link in space.links.values()
            if link.owner == topology and link.kind != LOOPBACK_KIND
        }
        made = space.owner == topology
        if name != HOST and space.made and (made or links):
            found[name] = Place(space.identity, made, links)
    return found


def _mac(link: Link) -> str | None:
    mac = link.settings.get("mac")
    return str(mac) if mac else None


def _record_handed_over(session: Session, seen: Observation, now: State) -> None:
    """Let the records of those to whom something was handed over, or from whom, say so."""
    if not any(_handed_over(seen)):
        return
    for record in seen.records.others:
        if record.changing or record.boot != session.machine.boot:
            continue
        found = places_of(record.topology, now)
        gone = {name for name in record.places if name in now.namespaces} - found.keys()
        places = {n: place for n, place in {**record.places, **found}.items() if n not in gone}
        made = tuple(name for name, place in places.items() if place.made)
        if places != record.places:
            namespaces = tuple(dict.fromkeys((*record.namespaces, *made)))
            session.store.write(replace(record, places=places, namespaces=namespaces))


def _handed_over(seen: Observation) -> Iterator[bool]:
    desired, observed = seen.resolution.desired, seen.observed
    for name, space in desired.namespaces.items():
        before = observed.namespaces.get(name)
        yield before is not None and before.made and before.owner != space.owner
    for link in desired.links():
        was = observed.link(link.key)
        yield link.namespace != HOST and was is not None and was.owner != link.owner


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


def _links_left(seen: Observation) -> bool:
    """Whether links of the host stay because others' links are on them."""
    name, desired = seen.topology.name, seen.resolution.desired
    return any(link.owner == name for link in desired.host.links.values())


def _clear_dead_names(session: Session, seen: Observation) -> None:
    """Remove what a killed run left among the names of namespaces."""
    own = seen.records.own
    session.machine.clear_dead_names(own.namespaces if own else ())


def _close_attachments(session: Session, seen: Observation, now: State) -> None:
    """Record how live attachments are now, and forget those whose namespace or network is gone.

    Containers may come back: a watch attaches them again.
    """
    if seen.narrowed:
        return
    name, networks = seen.topology.name, seen.topology.networks
    live = {one.key for one in seen.context.attached}
    for one in session.store.attached(name):
        if one.network not in networks or (one.key not in live and one.container is None):
            session.store.remove_attachment(name, one.key)
    place_attachments(session, name, now)


def place_attachments(session: Session, topology: str, now: State) -> None:
    """Record the links of attachments as they are now. Raises OSError."""
    for one in session.store.attached(topology):
        link = now.link(LinkName(one.id, one.interface))
        if link and link.owner == topology:
            found = RecordedLink(link.index, link.kind, _mac(link))
            if found != one.link:
                session.store.write_attachment(replace(one, link=found))
