"""What the records name, read so that a name means one namespace."""

import os
from collections.abc import Iterable, Iterator, Mapping

from vlanlink.kernel.snapshot import Wanted
from vlanlink.model import State
from vlanlink.reconcile.session import Session, kernel_errors
from vlanlink.reconcile.sight import namespaces_of
from vlanlink.store.record import Record

_Places = Mapping[str, str]
"""The paths of namespaces, by name."""


def recorded(session: Session) -> dict[str, State]:
    """By topology: the host's namespace, and those of its record and its live attachments.

    Topologies share a State, unless a name means different namespaces to them: each may have
    attached a container of its own as ``db``.
    """
    contents = session.store.contents()
    evidence = session.evidence(contents)
    places = {record.topology: _places(session, record) for record in contents.records}
    found: dict[str, State] = {}
    for group in _groups(places):
        names = frozenset(name for one in group for name in places[one])
        paths = {name: path for one in group for name, path in places[one].items()}
        session.machine.wanted = Wanted(paths, whole=names, names=names, evidence=evidence)
        with kernel_errors():
            found |= dict.fromkeys(group, session.machine.snapshot())
    return found


def _places(session: Session, record: Record) -> dict[str, str]:
    directory = session.host.netns_directory
    named = {name: os.path.join(directory, name) for name in namespaces_of(record)}
    attached = {one.id: one.path for one in session.attachments(record.topology).live}
    return {**named, **record.paths, **attached}


def _groups(places: Mapping[str, _Places]) -> Iterable[list[str]]:
    """The topologies, those together that agree on every name."""
    groups: list[tuple[list[str], dict[str, object]]] = []
    for topology, own in places.items():
        meant = dict(_meant(own))
        fitting = (one for one in groups if _agree(one[1], meant))
        topologies, names = next(fitting, ([], {}))
        if not topologies:
            groups.append((topologies, names))
        topologies.append(topology)
        names |= meant
    return [topologies for topologies, _ in groups]


def _meant(places: _Places) -> Iterator[tuple[str, object]]:
    """Each name, and what tells its namespace from others."""
    for name, path in places.items():
        try:
            yield name, os.stat(path).st_ino
        except OSError:
            yield name, path


def _agree(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether no name means two namespaces, and no namespace has two names."""
    names = {meant: name for name, meant in one.items()}
    return all(
        one.get(name, meant) == meant and names.get(meant, name) == name
        for name, meant in other.items()
    )
