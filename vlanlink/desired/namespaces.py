"""The namespaces of a topology: which there are, where they are, which of them have ended. Pure."""

from collections.abc import Iterator, Mapping

from vlanlink.dataclass import replace
from vlanlink.desired.builder import Builder
from vlanlink.errors import Path, Problem, shell_word
from vlanlink.model import (
    HOST,
    LOOPBACK,
    LOOPBACK_KIND,
    NAMELESS,
    Link,
    Namespace,
    State,
    owner_in_words,
)
from vlanlink.store.record import OriginalSysctl, Records, former_paths
from vlanlink.topology import Topology


def namespace_path(pid: int | None, path: str | None) -> str:
    """The path of a namespace that a topology gives by pid or path."""
    return path if path is not None else f"/proc/{pid}/ns/net"


def namespace_paths(topology: Topology) -> dict[str, str]:
    """The paths of the namespaces that a topology gives by pid or path, by name."""
    return {
        name: namespace_path(entry.pid, entry.path)
        for name, entry in topology.namespaces.items()
        if entry.pid is not None or entry.path is not None
    }


def namespace_names(topology: Topology) -> frozenset[str]:
    """Every namespace that a topology names, those of veth peers included."""
    peers = (link.peer.namespace for link in topology.links.values() if link.peer)
    return frozenset(topology.namespaces) | frozenset(name for name in peers if name)


def ip_in(space: Namespace) -> str:
    """The command that is ip(8) inside a namespace."""
    named = space.path is not None and space.path.endswith(f"/netns/{space.name}")
    name, path = shell_word(space.name), shell_word(str(space.path))
    return f"ip -n {name}" if named else f"nsenter --net={path} ip"


_ENDED = {
    "pid": "a restarted process has another pid: write that one, then run vlanlink up",
    "path": "it is used again once a namespace is at that path",
}


def add_namespaces(builder: Builder) -> None:
    """Add each namespace that exists or can be created; the others are conflicts, or have ended."""
    for name, entry in builder.topology.namespaces.items():
        _add_namespace(builder, name, ("namespaces", name), entry.pid, entry.path)
    for name, link in builder.topology.links.items():
        if link.peer and link.peer.namespace:
            _add_namespace(builder, link.peer.namespace, ("links", name, "peer", "namespace"))
    _refuse_second_names(builder)


def _add_namespace(
    builder: Builder, name: str, origin: Path, pid: int | None = None, path: str | None = None
) -> None:
    if name in builder.namespaces:
        return
    seen = builder.observed.namespaces.get(name)
    seen = seen if seen and seen.made else None
    why = builder.observed.unread.get(name)
    if why is not None:
        message = f"namespace {name} can't be used: {why}"
        hint = "once that has ended or is unmounted, run this again"
        builder.conflicts.append(Problem(origin, message, hint, at_key=True))
    if (pid is not None or path is not None) and seen is None:
        key = "pid" if pid is not None else "path"
        where = f"process {pid}" if pid is not None else path
        own = builder.records.own
        if own and own.paths.get(name) == namespace_path(pid, path):
            message = f"namespace {name} is gone: {where} has ended, or its namespace was removed"
            builder.ended[name] = Problem((*origin, key), message, _ENDED[key])
            return
        message = f"there is no network namespace at {where}"
        builder.conflicts.append(Problem((*origin, key), message))
    owner = builder.name if seen is None or _is_left(builder, seen) else seen.owner
    if owner is not None and owner.startswith(NAMELESS):
        message = f"namespace {name} belongs to {owner_in_words(owner)}"
        hint = "both see the same namespace names: give this namespace another name"
        builder.conflicts.append(Problem(origin, message, hint, at_key=True))
    builder.namespaces[name] = Namespace(
        name, path=seen.path if seen else None, owner=owner, origin=origin
    )
    if owner == builder.name:
        if seen is not None:
            builder.conflicts += _renamed_loopback(seen, origin)
        loopback = Link(
            LOOPBACK, LOOPBACK_KIND, name, settings={"up": True}, owner=owner, origin=origin
        )
        builder.links[loopback.key] = loopback


def _is_left(builder: Builder, seen: Namespace) -> bool:
    """Whether it is another's only because of a link in it, whose file doesn't name it."""
    records = builder.records.others
    return any(r.topology == seen.owner and seen.name not in r.uses for r in records)


def _renamed_loopback(space: Namespace, origin: Path) -> Iterator[Problem]:
    for link in space.links.values():
        if link.kind == LOOPBACK_KIND and link.name != LOOPBACK:
            message = f"somebody in namespace {space.name} renamed its lo to {link.name}"
            command = f"{ip_in(space)} link set dev {shell_word(link.name)} down name lo"
            hint = f"{command}, then run this again"
            yield Problem(origin, message, hint, at_key=True)


def _refuse_second_names(builder: Builder) -> None:
    for other, namespace in builder.observed.namespaces.items():
        whose = f"namespace {other}" if other != HOST else "the host's own namespace"
        for name in namespace.aliases:
            if name in builder.namespaces and name not in builder.aside:
                origin = builder.namespaces[name].origin
                builder.conflicts.append(Problem(origin, f"{name} is another name of {whose}"))


def relocated(records: Records, topology: Topology, observed: State) -> Records:
    """The records, the own sysctls under the names that their namespaces have now.

    A namespace given by pid or path may have another name in the file, or be the former one of a
    name (``former_name``).
    """
    own = records.own
    if own is None or not own.paths:
        return records
    former = former_paths(own.paths, namespace_paths(topology), namespace_names(topology))
    names = dict(zip(own.paths, former, strict=True))
    sysctls: dict[str, Mapping[str, OriginalSysctl]] = {}
    for space, originals in own.sysctls.items():
        name = names.get(space, space)
        aliased = (n for n, one in observed.namespaces.items() if name in one.aliases)
        found = name if name in observed.namespaces else next(aliased, name)
        sysctls[found] = {**sysctls.get(found, {}), **originals}
    return replace(records, own=replace(own, sysctls=sysctls))


def warn_of_lost_paths(builder: Builder) -> None:
    """A namespace given by pid or path may live on where nothing here finds it."""
    own = builder.records.own
    observed, topology = builder.observed.namespaces, builder.topology
    now, names = namespace_paths(topology), namespace_names(topology)
    visible = observed.keys() | {alias for one in observed.values() for alias in one.aliases}
    for name, path in former_paths(own.paths, now, names).items() if own else ():
        if name not in visible and name not in builder.ended:
            message = f"namespace {name} is no longer at {path}: its links are out of reach"
            builder.warnings.append(Problem((), message))
