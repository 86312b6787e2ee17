"""The verbs: the only place that joins text, kernel and files. Nothing here prints."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, NoReturn, overload

from vlanlink.apply import Progress, Refused, Unfinished, apply
from vlanlink.errors import (
    ApplyError,
    ConflictError,
    Diagnostic,
    Interrupted,
    PrivilegeError,
    Problem,
    UsageError,
    nearest,
)
from vlanlink.host import Host
from vlanlink.inventory import NetworkDetail, NetworkSummary, describe_network, list_networks
from vlanlink.kernel import Machine
from vlanlink.kernel.enter import become, find_namespace
from vlanlink.kernel.features import missing_capabilities
from vlanlink.kernel.namespaces import named
from vlanlink.kernel.refusals import is_lack_of_feature, is_lack_of_privilege
from vlanlink.kernel.snapshot import Wanted
from vlanlink.model import State
from vlanlink.operations import MakeNamespace
from vlanlink.planning import Plan
from vlanlink.planning import plan as difference
from vlanlink.priors import keys_to_read, lost_priors
from vlanlink.record import Record, Records
from vlanlink.resolve import Resolution, namespace_path, resolve
from vlanlink.store import LockedError, Store
from vlanlink.topology import Topology, parse

StateWord = Literal["up", "drifted", "down"]


@dataclass(frozen=True, slots=True)
class Status:
    """How a topology stands on this machine, and what differs from its file."""

    topology: str
    state: StateWord
    plan: Plan

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {**self.plan.to_dict(), "state": self.state}


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the machine with a topology in mind."""

    topology: Topology
    observed: State
    resolution: Resolution
    todo: Plan
    dead_names: tuple[Problem, ...] = ()

    def problems(self) -> tuple[Diagnostic, ...]:
        found = (*self.resolution.conflicts, *self.todo.conflicts, *self.dead_names)
        return tuple(self.topology.diagnose(problem) for problem in found)


def plan(topology: Topology, host: Host | None = None) -> Plan:
    """What ``up`` would do, changing nothing and sending nothing on the LAN.

    Raises ConflictError if the machine stands in the way, PrivilegeError without root.
    """
    host = host or Host()
    with _open(host, topology) as machine:
        look = _look(
            machine, topology, Records.of(topology.name, Store(host.run_directory).records())
        )
        return _checked(look)


def up(
    topology: Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    replace_file: bool = False,
) -> Plan:
    """Make the machine what ``topology`` says, all of it or nothing; returns what was done.

    Raises ConflictError before anything is changed, PrivilegeError likewise; ApplyError and
    Interrupted after undoing.
    """
    host = host or Host()
    _need_privilege()
    store = Store(host.run_directory)
    with _locked(store), _open(host, topology) as machine:
        records = Records.of(topology.name, store.records())
        _refuse_other_file(topology, records.own, replace_file)
        look = _look(machine, topology, records)
        todo = _checked(look)
        _carry_out(machine, look, store, records, on_progress)
        return todo


def down(
    topology: str | Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    dry_run: bool = False,
) -> Plan:
    """Take away what was made for a topology, and put back what was changed for it.

    Raises UsageError for a name of which nothing is known, ConflictError if something of
    another's would go too, ApplyError and Interrupted after undoing.
    """
    host = host or Host()
    _need_privilege()
    named = isinstance(topology, str)
    name = topology if isinstance(topology, str) else topology.name
    empty = Topology(name=name)
    store = Store(host.run_directory)
    with _locked(store), _open(host, empty, store.records()) as machine:
        records = Records.of(name, store.records())
        look = _look(machine, empty, records)
        if named:
            _need_known(name, look.observed, records)
        todo = _checked(look)
        if not dry_run:
            _carry_out(machine, look, store, records, on_progress, gone=True)
            if records.own is None and todo.operations:
                _tell_what_is_lost(topology, look.observed)
        return todo


@overload
def status(topology: str | Topology, host: Host | None = None) -> Status: ...


@overload
def status(topology: None = None, host: Host | None = None) -> tuple[Status, ...]: ...


def status(
    topology: str | Topology | None = None, host: Host | None = None
) -> Status | tuple[Status, ...]:
    """How a topology stands here: up, drifted (with what differs), or down.

    A name is looked up in the copy that ``up`` keeps; without one, every topology of which
    something is known here. Raises UsageError for a name that is unknown.
    """
    host = host or Host()
    if topology is None:
        return tuple(status(name, host) for name in known_topologies(host))
    records = Store(host.run_directory).records()
    wanted = _stored(topology, records, host) if isinstance(topology, str) else topology
    with _open(host, wanted) as machine:
        return _judge(_look(machine, wanted, Records.of(wanted.name, records)))


def known_topologies(host: Host | None = None) -> tuple[str, ...]:
    """The topologies of which something is known here: a record, or a mark in the kernel."""
    host = host or Host()
    records = Store(host.run_directory).records()
    names = {record.topology for record in records}
    with Machine(host, Wanted(topologies=tuple(names))) as machine:
        names |= _marked(machine.snapshot())
    return tuple(sorted(names))


def networks(host: Host | None = None) -> tuple[NetworkSummary, ...]:
    """The networks of every topology that is up here, as `docker network ls` lists them."""
    host = host or Host()
    return tuple(list_networks(_known_topology_files(host), snapshot(host)))


def inspect(name: str, host: Host | None = None) -> NetworkDetail:
    """A network and its endpoints as they are now, as `docker network inspect` shows them.

    ``name`` is that of the network, or TOPOLOGY/NETWORK where several topologies have one of the
    name. Raises UsageError if there is none, or more than one.
    """
    host = host or Host()
    return describe_network(name, _known_topology_files(host), snapshot(host))


def enter(namespace: str, command: Sequence[str], host: Host | None = None) -> NoReturn:
    """Become ``command`` inside a namespace: this process is replaced by it.

    Raises UsageError if there is no such namespace, FileNotFoundError and PermissionError as
    execvp(3) does, PrivilegeError without root.
    """
    host = host or Host()
    _need_privilege()
    records = Store(host.run_directory).records()
    paths = {name: path for record in records for name, path in record.paths.items()}
    path = find_namespace(namespace, host.netns_directory, paths)
    if path is None:
        raise UsageError(_no_namespace(namespace, host))
    become(path, namespace, command)


def snapshot(host: Host | None = None) -> State:
    """What is on the machine: the host's own namespace and every named one."""
    host = host or Host()
    names = tuple(record.topology for record in Store(host.run_directory).records())
    with Machine(host, Wanted(topologies=names)) as machine:
        return machine.snapshot()


# -- helpers -------------------------------------------------------------------------------------


@contextmanager
def _open(
    host: Host, topology: Topology, records: Sequence[Record] | None = None
) -> Iterator[Machine]:
    """The door to the machine, with the namespaces in sight that the topology names by path."""
    known = records if records is not None else Store(host.run_directory).records()
    paths = {
        name: namespace_path(entry.pid, entry.path)
        for name, entry in topology.namespaces.items()
        if entry.pid is not None or entry.path is not None
    }
    for record in known:
        if record.topology == topology.name:
            paths = {**record.paths, **paths}
    names = tuple({topology.name, *(record.topology for record in known)})
    try:
        with Machine(host, Wanted(paths=paths, topologies=names)) as machine:
            yield machine
    except PermissionError as error:
        message = f"not permitted to look into the namespaces: {error.strerror}"
        raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …")) from None


def _look(machine: Machine, topology: Topology, records: Records) -> _Look:
    observed = machine.snapshot()
    keys = keys_to_read(topology, observed, records)
    if any(keys.values()):
        machine.want_sysctls(keys)
        observed = machine.with_new_namespaces(machine.snapshot(), keys)
    resolution = resolve(topology, observed, records, machine.host.identity())
    todo = difference(observed, resolution.desired, topology.name)
    dead = _dead_names_in_the_way(todo, machine.dead_names(), records)
    return _Look(topology, observed, resolution, todo, dead)


def _dead_names_in_the_way(
    todo: Plan, dead: frozenset[str], records: Records
) -> tuple[Problem, ...]:
    """A leftover file is ours to use if a record of ours says so; any other is somebody's."""
    ours = records.own.namespaces if records.own else ()
    return tuple(
        Problem(
            operation.origin,
            f"a file {operation.namespace} is where the namespace's name goes",
            f"ip netns delete {operation.namespace} clears it, if it is a leftover",
            at_key=True,
        )
        for operation in todo.operations
        if isinstance(operation, MakeNamespace)
        and operation.namespace in dead
        and operation.namespace not in ours
    )


def _checked(look: _Look) -> Plan:
    """The plan, its warnings at their places. Raises ConflictError if it can't be carried out."""
    problems = look.problems()
    if problems:
        raise ConflictError(*problems)
    found: tuple[Problem, ...] = (*look.resolution.warnings, *look.todo.warnings)
    notes = tuple(look.topology.diagnose(problem, severity="warning") for problem in found)
    return replace(look.todo, notes=notes)


def _carry_out(
    machine: Machine,
    look: _Look,
    store: Store,
    records: Records,
    on_progress: Progress | None,
    *,
    gone: bool = False,
) -> None:
    name = look.topology.name
    if not gone:
        _write(store, look.resolution.record)
    if look.todo.operations:
        try:
            apply(look.todo, look.observed, look.resolution.desired, machine, on_progress)
        except Unfinished as failure:
            _restore_record(store, name, records.own)
            raise _translated(failure, look.topology) from None
    if gone:
        store.remove(name)


def _write(store: Store, record: Record) -> None:
    try:
        store.write(record)
    except OSError as error:
        message = f"can't write {error.filename or 'the record'}: {error.strerror}"
        raise ConflictError(Diagnostic(message, hint="nothing was changed")) from None


def _tell_what_is_lost(topology: str | Topology, observed: State) -> None:
    """All that bears the mark is gone; what was changed besides, only the record told."""
    hint = "the record of how things were is lost"
    if isinstance(topology, str):
        message = f"{topology} is down; what it changed on things that are not its own is unknown"
        raise ApplyError(Diagnostic(message, hint=f"{hint}, and so is the topology's copy"))
    lines = lost_priors(topology, observed)
    if lines:
        message = f"{topology.name} is down, but not all is as it was before"
        raise ApplyError(Diagnostic(message, hint=hint), not_undone=lines)


def _restore_record(store: Store, name: str, before: Record | None) -> None:
    if before is None:
        store.remove(name)
    else:
        store.write(before)


def _translated(
    failure: Unfinished, topology: Topology
) -> ApplyError | Interrupted | PrivilegeError:
    def locate(path: tuple[str | int, ...], message: str, hint: str | None) -> Diagnostic:
        return topology.diagnose(Problem(path, message, hint))

    if failure.reason is None:
        message = "interrupted; put back as it was"
        return Interrupted(Diagnostic(message), not_undone=failure.not_undone)
    if isinstance(failure.reason, str):
        diagnostic = locate(failure.origin, failure.reason, None)
        return ApplyError(diagnostic, not_undone=failure.not_undone)
    diagnostic = failure.reason.diagnose(locate)
    if not failure.not_undone and _is_lack(failure.reason):
        return PrivilegeError(diagnostic)
    return ApplyError(diagnostic, not_undone=failure.not_undone)


def _is_lack(refused: Refused) -> bool:
    return is_lack_of_feature(refused) or is_lack_of_privilege(refused)


def _judge(look: _Look) -> Status:
    name = look.topology.name
    if not look.todo.operations and not look.problems():
        return Status(name, "up", look.todo)
    word: StateWord = "drifted" if name in _marked(look.observed) else "down"
    return Status(name, word, look.todo)


def _known_topology_files(host: Host) -> list[Topology]:
    records = Store(host.run_directory).records()
    return [parse(r.text, file=r.file or r.topology) for r in records if r.text]


def _no_namespace(name: str, host: Host) -> Diagnostic:
    names = [found for found, _ in named(host.netns_directory)]
    hint = f"there are {', '.join(names[:12])}" if names else "there is no named namespace"
    return Diagnostic(f"there is no namespace {name}", hint=hint)


def _marked(state: State) -> set[str]:
    return {link.owner for link in state.links() if link.owner is not None}


def _need_known(name: str, observed: State, records: Records) -> None:
    marked = _marked(observed)
    if records.own is None and name not in marked:
        known = sorted(marked | {record.topology for record in records.others})
        raise UsageError(_unknown(name, known))


def _unknown(name: str, known: Sequence[str]) -> Diagnostic:
    meant = nearest(name, list(known))
    hint = f"known here: {', '.join(known)}" if known else "no topology is up here"
    if meant:
        hint = f"did you mean {meant}? {hint}"
    return Diagnostic(f"nothing is known here of a topology {name}", hint=hint)


def _stored(name: str, records: Sequence[Record], host: Host) -> Topology:
    for record in records:
        if record.topology == name and record.text:
            return parse(record.text, file=record.file or name)
    known = known_topologies(host)
    if name in known:
        return Topology(name=name)
    raise UsageError(_unknown(name, known))


def _refuse_other_file(topology: Topology, own: Record | None, replace_file: bool) -> None:
    new = topology.source.file if topology.source else None
    if own is None or replace_file or own.file is None or new is None:
        return
    if _absolute(own.file) != _absolute(new):
        message = f"topology {topology.name} is up already, from {own.file}"
        hint = f"take it down first (vlanlink down {topology.name}), or give this one another name"
        raise ConflictError(Diagnostic(message, hint=hint))


def _absolute(file: str) -> str:
    return os.path.realpath(file) if file != "-" else file


def _need_privilege() -> None:
    missing = missing_capabilities()
    if missing:
        message = f"changing the network takes {' and '.join(missing)}"
        raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …"))


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    try:
        with store.locked():
            yield
    except LockedError as error:
        raise ConflictError(Diagnostic(str(error), hint="try again when it is done")) from None
