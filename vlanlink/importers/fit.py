"""Leaves out of a draft what no topology can have, so that the rest is valid. Pure."""

from typing import Any

from vlanlink.errors import Diagnostic, Path, TopologyError
from vlanlink.importers.draft import Draft
from vlanlink.importers.node import Place
from vlanlink.importers.notes import Notes
from vlanlink.topology import Topology, load

_REQUIRED = ("kind", "network", "subnet")
"""Without these, their table goes too."""


def fitted(draft: Draft, notes: Notes, start: Place) -> Topology:
    """The topology of a draft. What it can't have is left out, and has to be decided."""
    while True:
        try:
            return load(draft.tables)
        except TopologyError as error:
            found = sorted(error.diagnostics, key=lambda one: _order(one.path), reverse=True)
            left_out = [one for one in found if _remove(draft, one.path)]
            if not left_out:
                raise
            for one in left_out:
                _tell(draft, notes, one, start)


def _order(path: Path) -> list[str]:
    return [f"{part:09d}" if isinstance(part, int) else part for part in path]


def _tell(draft: Draft, notes: Notes, one: Diagnostic, start: Place) -> None:
    where = ".".join(map(str, one.path))
    message = f"{where} is left out: {one.message.removeprefix(f'{where}: ')}"
    notes.decide(draft.place(one.path, start), message, one.hint)


def _remove(draft: Draft, path: Path) -> bool:
    """Take the entry at ``path`` away, or what is above it if it is not there or required."""
    while len(path) > 1 and (path[-1] in _REQUIRED or not _has(draft.tables, path)):
        path = path[:-1]
    if not path or path[0] == "topology" or not _has(draft.tables, path):
        return False
    parent = _at(draft.tables, path[:-1])
    del parent[path[-1]]
    while not parent and len(path) > 2:  # an empty list, or a table of nothing
        path = path[:-1]
        parent = _at(draft.tables, path[:-1])
        del parent[path[-1]]
    return True


def _at(tables: Any, path: Path) -> Any:
    for part in path:
        tables = tables[part]
    return tables


def _has(tables: Any, path: Path) -> bool:
    try:
        _at(tables, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True
