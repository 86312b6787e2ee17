"""Two States → the operations that lead from one to the other. Pure.

``up``, ``plan``, ``status``, the check after ``up``, ``down`` and undo are this one function of
different States. What carries the topology's mark and isn't desired is removed; what carries no
mark stays as it is, except for the settings that the desired State names.

Operations are in an order that the kernel accepts: removal first, children before parents; then
namespaces, sysctls that new links inherit, links from parents to children, and finally, namespace
by namespace, what is in them.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.errors import JSON_VERSION, Diagnostic, Problem, printable
from vlanlink.model import (
    HOST,
    SELF_VLAN,
    FileKey,
    Link,
    LinkName,
    Namespace,
    NetnsFile,
    Setting,
    State,
)
from vlanlink.planning.addresses import plan_addresses
from vlanlink.planning.change import Action, Change
from vlanlink.planning.changes import change_links
from vlanlink.planning.creation import acquire_leases, fill, make_links, make_namespaces
from vlanlink.planning.diff import Diff
from vlanlink.planning.files import remove_files, write_files
from vlanlink.planning.links import find_recreated
from vlanlink.planning.operations import Operation, RemoveRoute
from vlanlink.planning.removal import drop_addresses, drop_links, drop_routes, gone_links
from vlanlink.planning.sysctls import write_sysctls


@dataclass(frozen=True)  # without slots: the changes are worked out once
class Plan:
    """Ordered operations, and what they mean to the user."""

    topology: str
    operations: tuple[Operation, ...] = ()
    warnings: tuple[Problem, ...] = ()
    conflicts: tuple[Problem, ...] = ()
    """Why it can't be carried out: it would remove something of another topology."""
    notes: tuple[Diagnostic, ...] = ()
    """The warnings, at their places in the file."""
    was_up: bool = True
    """False if nothing of the topology was here before: no mark, and no record."""
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)
    """Of a plan that was carried out: seconds by phase."""

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """A line for each thing created, changed or deleted."""
        return tuple(change for op in self.operations for change in op.changes())

    @property
    def summary(self) -> str:
        """``Plan: 3 to create, 1 to change, 0 to delete.``."""
        if not self.changes:
            return "No changes."
        return "Plan: " + ", ".join(f"{n} to {action}" for action, n in self.counts.items()) + "."

    @property
    def counts(self) -> dict[Action, int]:
        """How many things are created, changed and deleted."""
        actions = [change.action for change in self.changes]
        kinds: tuple[Action, ...] = ("create", "change", "delete")
        return {action: actions.count(action) for action in kinds}

    def __bool__(self) -> bool:
        """True if there is something to do."""
        return bool(self.operations)

    def to_dict(self) -> dict[str, object]:
        """The JSON form of ``plan``, ``up`` and ``down``."""
        return {
            "version": JSON_VERSION,
            "topology": self.topology,
            "changes": [change.to_dict() for change in self.changes],
        }

    def __str__(self) -> str:
        """The lines, and the summary."""
        return "\n".join([*self.lines, self.summary])

    @property
    def lines(self) -> list[str]:
        """Grouped by namespace, a line a change: ``+`` create, ``~`` change, ``-`` delete."""
        signs = {"create": "+", "change": "~", "delete": "-"}
        groups: dict[str, list[str]] = {}
        for change in self.changes:
            what = f"{signs[change.action]} {change.object} {change.name} {change.summary}"
            groups.setdefault(change.namespace, []).append(printable("  " + what.rstrip()))
        lines: list[str] = []
        for namespace in sorted(groups, key=_by_number):
            lines.append(printable(f"namespace {namespace}") if namespace else "host")
            lines += groups[namespace]
        return lines


def _by_number(name: str) -> list[tuple[str, int]]:
    """A sort key that puts n2 before n10."""
    return [(word, int(part or 0)) for word, part in re.findall(r"(\D*)(\d*)", name)]


def plan(observed: State, desired: State, topology: str) -> Plan:
    """Plan the way from ``observed`` to ``desired`` for what ``topology`` owns."""
    diff = Diff(observed, desired, topology)
    operations = operations_for(diff)
    return Plan(topology, operations, tuple(diff.warnings), tuple(diff.conflicts))


def stage(observed: State, desired: State, topology: str, first: Iterable[Link]) -> State:
    """A State on the way to ``desired``: what ``topology`` has, and the links ``first``.

    Where one of these is to be created, the host's links that leave go first, with all that is on
    them: one of them may hold its name, its VLAN id or its MAC.
    """
    namespaces = dict(undo_target(observed, Plan(topology)).namespaces)
    diff, links = Diff(observed, desired, topology), list(first)
    links += [peer for link in links if (peer := desired.link(link.peer)) and peer not in links]
    diff.recreated = find_recreated(diff)
    created = (link.key in diff.recreated or observed.link(link.key) is None for link in links)
    going = _with_dependents(diff, gone_links(diff)) if any(created) else set()
    resized = {link.key for link in links if "mtu" in link.settings}
    for name, namespace in namespaces.items():
        links_here = {n: _on_resized(diff, one, resized) for n, one in namespace.links.items()}
        kept = {n: one for n, one in links_here.items() if one.key not in going}
        routes = frozenset(r for r in namespace.routes if LinkName(name, r.dev) not in going)
        namespaces[name] = replace(namespace, links=kept, routes=routes)
    for link in links:
        namespace = namespaces[link.namespace]
        namespaces[link.namespace] = replace(namespace, links={**namespace.links, link.name: link})
    return State(namespaces, files=_own_files(observed, topology))


def _own_files(state: State, topology: str) -> dict[FileKey, NetnsFile]:
    return {key: file for key, file in state.files.items() if file.owner == topology}


def _on_resized(diff: Diff, link: Link, resized: set[LinkName]) -> Link:
    """The link without its MTU if one below gets another: the kernel lowers that with it."""
    below = link
    while parent := diff.observed.link(below.parent):
        if parent.key in resized:
            settings = {key: value for key, value in link.settings.items() if key != "mtu"}
            return replace(link, settings=settings)
        below = parent
    return link


def _with_dependents(diff: Diff, gone: Iterable[Link]) -> set[LinkName]:
    """The host's links among ``gone``, their peers, and all that stands on them."""
    found: set[LinkName] = set()
    waiting = [link for link in gone if link.namespace == HOST]
    while waiting:
        link = waiting.pop()
        if link.key in found or not diff.mine(link):
            continue
        found.add(link.key)
        peer = diff.observed.link(link.peer)
        waiting += [*diff.observed.children(link.key), *([peer] if peer else [])]
    return found


def undo_target(before: State, done: Plan) -> State:
    """The State that undo restores: ``before``, as far as ``done`` was to change it.

    It has all that the topology owned. Of the rest it has only the settings, addresses, routes
    and sysctls that the plan touched, so that others' changes in the meantime stay.
    """
    replaced = {(o.namespace, o.route) for o in done.operations if isinstance(o, RemoveRoute)}
    touched_links: dict[LinkName, set[str]] = {}
    touched_sysctls: dict[str, set[str]] = {}
    for op in done.operations:
        for link, key in op.touched_settings():
            touched_links.setdefault(link, set()).add(key)
        space = before.namespaces.get(op.namespace)
        keys = touched_sysctls.setdefault(op.namespace, set())
        keys |= set(op.touched_sysctls(space.links if space else ()))
    namespaces: dict[str, Namespace] = {}
    for name, namespace in before.namespaces.items():
        if not namespace.made or namespace.stranger:
            continue
        links = {
            link.name: link for link in namespace.links.values() if link.owner == done.topology
        }
        for touched, settings in touched_links.items():
            seen = before.link(touched)
            if touched.namespace == name and seen and seen.name not in links:
                links[seen.name] = replace(
                    seen,
                    settings=_before(seen, settings),
                    addresses=tuple(a for a in seen.addresses if a.permanent),
                )
        namespaces[name] = replace(
            namespace,
            links=links,
            routes=frozenset(r for r in namespace.routes if r.ours or (name, r) in replaced),
            sysctls={
                k: v for k, v in namespace.sysctls.items() if k in touched_sysctls.get(name, ())
            },
        )
    return State(namespaces, files=_own_files(before, done.topology))


def _before(seen: Link, touched: Iterable[str]) -> dict[str, Setting]:
    """The touched settings as they were; a VLAN that a bridge does not list is closed."""
    closed: dict[str, Setting] = {key: False for key in touched if key.startswith(SELF_VLAN)}
    return closed | {k: v for k, v in seen.settings.items() if k in touched}


def operations_for(diff: Diff) -> tuple[Operation, ...]:
    """Removal before creation; conflicts and warnings go into ``diff``."""
    diff.recreated = find_recreated(diff)
    plan_addresses(diff)
    gone = list(gone_links(diff))
    return (
        *drop_routes(diff),
        *drop_addresses(diff),
        *drop_links(diff, gone),
        *remove_files(diff),
        *make_namespaces(diff),
        *write_files(diff),
        *write_sysctls(diff, late=False),
        *change_links(diff),
        *make_links(diff),
        *fill(diff),
        *write_sysctls(diff, late=True),
        *acquire_leases(diff),
    )
