"""``graph``: a topology as a picture; with ``live``, in its state on this machine."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from vlanlink.dataclass import dataclass
from vlanlink.exporters.blueprint import Blueprint, blueprint
from vlanlink.host import Host
from vlanlink.model import LinkName, family_of
from vlanlink.pictures.html import as_html
from vlanlink.pictures.scene import Condition, scene
from vlanlink.pictures.svg import as_svg
from vlanlink.pictures.tree import Branch, as_tree
from vlanlink.planning.plan import Plan
from vlanlink.reachability.result import Check
from vlanlink.reconcile.apply import Progress
from vlanlink.topology import Topology
from vlanlink.verbs.export import wanted
from vlanlink.verbs.status import status
from vlanlink.verbs.verify import verify


@dataclass(frozen=True)  # without slots: each format is made once
class Graph:
    """A picture of a topology in each format."""

    topology: str
    _scene: Any
    """A ``Scene``, which is internal."""

    @cached_property
    def svg(self) -> str:
        """A picture; of a network with many endpoints the first ones, and how many more."""
        return as_svg(self._scene)

    @cached_property
    def html(self) -> str:
        """A page with all endpoints and a search; it loads nothing."""
        return as_html(self._scene)

    def tree(self, most: int | None = None) -> Branch:
        """Nested lines; with ``most``, of each network no more endpoints than that."""
        return as_tree(self._scene, most)


def graph(
    topology: str | Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    live: bool = False,
) -> Graph:
    """Draw a topology: parents, VLANs, networks and endpoints.

    A name is looked up as by ``status``. With ``live``, endpoints show their state on this machine
    (``status``) and whether they reach each other as expected (``verify``), which needs root.
    Raises UsageError for an unknown name.
    """
    found, leases = wanted(topology, host)
    plan = blueprint(found, (host or Host()).identity(), leases)
    if not live:
        return Graph(found.name, scene(plan))
    now = status(found, host)
    checked = verify(found, host, on_progress)
    conditions = dict(_conditions(plan, now.plan, checked.checks, down=now.state == "down"))
    good = len(checked.checks) - len(checked.differences)
    words = f"{now.state}; {good} of {len(checked.checks)} probes as expected"
    return Graph(found.name, scene(plan, conditions, now.state if now.state == "down" else words))


def _conditions(
    plan: Blueprint, todo: Plan, checks: Iterable[Check], *, down: bool
) -> Iterator[tuple[LinkName, tuple[Condition, tuple[str, ...]]]]:
    """Each link's condition: first what differs from the file, then what differs in reach."""
    gone = {(one.namespace, one.name) for one in todo.changes if one.action == "create"}
    lost = {one.namespace for one in todo.changes if one.object == "namespace"}
    changed = {one.namespace for one in todo.changes}
    notes: dict[str, list[str]] = {}
    for check in checks:
        if not check.ok and changed.isdisjoint((check.source, check.target)):  # else it is drift
            cause = f": {check.cause}" if check.cause else ""
            family = f" (IPv{family_of(check.address)})"
            words = f"{check.measured}: {check.target}{family}{cause}"
            notes.setdefault(check.source, []).append(words)
            notes.setdefault(check.target, [])
    for link in plan.desired.links():
        space = link.namespace
        if down or space in lost or (space, link.name) in gone:
            yield link.key, ("down", ())
        elif space in notes and space:
            yield link.key, ("differs", tuple(notes[space]))
        elif space in changed and space:
            yield link.key, ("drifted", _drift(todo, space))
        else:
            yield link.key, ("ok", ())


def _drift(todo: Plan, space: str) -> tuple[str, ...]:
    """What ``up`` would do in a namespace; addresses stand in the picture already."""
    mine = (one for one in todo.changes if one.namespace == space)
    words = (
        f"{one.action} {one.object}{'' if one.object == 'address' else f' {one.name}'}"
        for one in mine
    )
    return tuple(dict.fromkeys(words))
