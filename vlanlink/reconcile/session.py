"""One session with a machine: the door opened, one look, a plan carried out, errors translated.

What all verbs that touch the machine have in common; ``api`` is made of it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from vlanlink.desired.addressing import ProbeResults
from vlanlink.desired.lost_record import is_lost, lost_routes, uncertain_parents
from vlanlink.desired.requirements import too_new
from vlanlink.desired.resolve import Resolution, namespace_path, resolve
from vlanlink.desired.sysctls import keys_to_read, lost_sysctls
from vlanlink.errors import (
    ApplyError,
    ConflictError,
    Diagnostic,
    Interrupted,
    PrivilegeError,
    Problem,
)
from vlanlink.host import Host
from vlanlink.kernel.explain import is_lack_of_feature, is_lack_of_privilege
from vlanlink.kernel.features import missing_capabilities, release
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.netns.identity import identify
from vlanlink.kernel.snapshot import Wanted
from vlanlink.model import State
from vlanlink.planning.operations import MakeNamespace, Refused, RemoveNamespace
from vlanlink.planning.plan import Plan
from vlanlink.planning.plan import plan as difference
from vlanlink.reconcile.apply import Progress, Transaction, Unfinished
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases
from vlanlink.store.lock import Holder, LockedError
from vlanlink.store.record import Record, Records, in_transition
from vlanlink.topology import Topology, settled


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the machine with a topology in mind."""

    topology: Topology
    observed: State
    resolution: Resolution
    todo: Plan
    records: Records
    leases: Leases
    dead_names: tuple[Problem, ...] = ()

    def problems(self) -> tuple[Diagnostic, ...]:
        """Why it can't be had on this machine, each at its place in the file, by line."""
        found = (*self.resolution.conflicts, *self.todo.conflicts, *self.dead_names)
        once = dict.fromkeys(self.topology.diagnose(problem) for problem in found)
        return tuple(sorted(once, key=lambda one: (one.line or 0, one.column or 0)))


def absolute(file: str | None) -> str | None:
    """A topology's file as it is found from anywhere; - and text without a file stay."""
    return os.path.realpath(file) if file and file != "-" else file


def files(host: Host) -> Store:
    """The files of a host. Raises as ``opened`` does."""
    with _translated_refusals():
        return Store(host, identify(host.network_namespace))


@contextmanager
def opened(host: Host, wanted: Wanted) -> Iterator[Machine]:
    """The door to a machine. Raises PrivilegeError if it stays shut, ConflictError if it jams."""
    with _translated_refusals(), Machine(host, wanted) as machine:
        yield machine


@contextmanager
def _translated_refusals() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        message = f"not permitted to look into the namespaces: {error.strerror}"
        raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …")) from None
    except OSError as error:
        raise ConflictError(Diagnostic(f"the kernel could not be asked: {error}")) from None


@contextmanager
def open_machine(
    host: Host,
    topology: Topology,
    records: Sequence[Record] | None = None,
    was: Topology | None = None,
) -> Iterator[Machine]:
    """The door to the machine, with the namespaces in sight that the topology names by path.

    So are those that it named before, by its record or, where that is lost, as it ``was`` written.
    """
    known = records if records is not None else files(host).records()
    own = next((record for record in known if record.topology == topology.name), None)
    before = own.paths if own else _paths(was) if was else {}
    paths = {**before, **_paths(topology)}
    topologies = tuple({topology.name, *(record.topology for record in known)})
    names = frozenset(topology.namespaces) | {n for record in known for n in record.namespaces}
    with opened(host, Wanted(paths=paths, topologies=topologies, names=names)) as machine:
        yield machine


def _paths(topology: Topology) -> dict[str, str]:
    return {
        name: namespace_path(entry.pid, entry.path)
        for name, entry in topology.namespaces.items()
        if entry.pid is not None or entry.path is not None
    }


def replan(look: Observation, identity: str, heard: ProbeResults) -> Observation:
    """The same look at the machine, now that the LAN has said something."""
    resolution = resolve(look.topology, look.observed, look.records, identity, look.leases, heard)
    todo = difference(look.observed, resolution.desired, look.topology.name)
    return replace(look, resolution=resolution, todo=todo)


def observe(machine: Machine, topology: Topology, store: Store) -> Observation:
    """What is there, what the topology comes to here, and the plan from the one to the other.

    Raises TopologyError for one made in code that is wrong.
    """
    topology = settled(topology)
    records = Records.of(topology.name, store.records(), store.unreadable())
    leases = store.leases(topology.name)
    observed = machine.snapshot()
    keys = keys_to_read(topology, observed, records)
    if any(keys.values()):
        machine.want_sysctls(keys)
        observed = machine.with_new_namespaces(machine.snapshot(), keys)
    resolution = resolve(topology, observed, records, machine.host.identity(), leases)
    todo = difference(observed, resolution.desired, topology.name)
    dead = _dead_names_in_the_way(todo, machine.dead_names(), records)
    return Observation(topology, observed, resolution, todo, records, leases, dead)


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


def checked(look: Observation, was: Topology | None = None) -> Plan:
    """The plan, its warnings at their places; ``was``: the topology that ``down`` takes away.

    Raises ConflictError if it can't be carried out, PrivilegeError if the kernel is too old for it.
    """
    lacking = list(too_new(look.topology, release()))
    if lacking:
        raise PrivilegeError(*map(look.topology.diagnose, lacking))
    problems = look.problems()
    if problems:
        raise ConflictError(*problems)
    lost = (
        Problem((), f"how it was before is lost, so it stays as it is: {command} puts it back")
        for command in look.resolution.lost
    )
    doubts: tuple[Problem, ...] = ()
    if was is not None and is_lost(was.name, look.observed, look.records):
        doubts = tuple(uncertain_parents(was, look.observed, look.records))
    found = (*look.resolution.warnings, *look.todo.warnings, *lost, *doubts)
    notes = tuple(look.topology.diagnose(problem, severity="warning") for problem in found)
    return replace(look.todo, notes=notes)


def refuse_other_file(topology: Topology, own: Record | None, *, replace_file: bool) -> None:
    """Raise ConflictError if the topology is up from another file, unless that is meant."""
    new = topology.source.file if topology.source else None
    if own is None or replace_file or own.file is None or new is None:
        return
    if absolute(own.file) != absolute(new):
        message = f"topology {topology.name} is up already, from {own.file}"
        hint = "give this one another name, or go on with --replace"
        raise ConflictError(Diagnostic(message, hint=hint))


def need_visible_names(machine: Machine, look: Observation) -> None:
    """Raise PrivilegeError if a namespace named here would be a dead file to everyone else."""
    made = [op for op in look.todo.operations if isinstance(op, MakeNamespace)]
    if not made or machine.names_are_seen():
        return
    directory = machine.host.netns_directory
    message = f"a namespace named in {directory} here would be a dead file everywhere else"
    way_in = machine.own_name() or "NAME"
    hint = (
        "this shell has mounts of its own (ip netns exec makes them); enter with "
        f"nsenter --net={directory}/{way_in} instead"
    )
    where = look.topology.diagnose(Problem(made[0].origin, message, hint, at_key=True))
    raise PrivilegeError(where)


def take_down(
    machine: Machine, look: Observation, store: Store, on_progress: Progress | None
) -> None:
    """Apply the plan of ``down``, and put the record away."""
    if look.todo.operations:
        change = Transaction(look.topology.name, look.observed, machine)
        with translated(look, store), change.undone_if_it_fails():
            change.step(look.todo, look.resolution.desired, on_progress)
    _clear_dead_names(machine, look)
    _close_record(store, look)


@contextmanager
def translated(look: Observation, store: Store) -> Iterator[None]:
    """What went wrong with a change, put as users meet it; the files are as they were before."""
    try:
        yield
    except Unfinished as failure:
        if not failure.not_undone:  # else the record still says how things were
            _restore(store, look.topology.name, look.records.own, look.leases)
        raise _translated(failure, look.topology) from None


def _close_record(store: Store, look: Observation) -> None:
    """All is put back: the record goes, or keeps what a namespace that stays is known by."""
    removed = {op.namespace for op in look.todo.operations if isinstance(op, RemoveNamespace)}
    left = [
        name
        for name, namespace in look.observed.namespaces.items()
        if namespace.owner == look.topology.name
        and name not in removed
        and look.resolution.desired.namespaces.get(name) is None
    ]
    try:
        if left:
            store.write(Record(look.topology.name, namespaces=tuple(left)))
        else:
            store.remove(look.topology.name)
    except OSError as error:
        message = f"{look.topology.name} is down, but its record can't be put away: {error}"
        raise ApplyError(Diagnostic(message, hint="remove that file by hand")) from None


def write_down(store: Store, look: Observation) -> None:
    """Write the record and the leases, before anything is changed. Raises ConflictError."""
    try:
        _write(store, look)
    except OSError as error:
        _restore(store, look.topology.name, look.records.own, look.leases)
        raise ConflictError(Diagnostic(_unwritten(error), hint="nothing was changed")) from None


def write_down_again(store: Store, look: Observation) -> None:
    """The same between two steps. Raises Unfinished."""
    try:
        _write(store, look)
    except OSError as error:
        raise Unfinished(_unwritten(error)) from None


def _write(store: Store, look: Observation) -> None:
    store.write_leases(look.topology.name, look.resolution.leases)
    store.write(in_transition(look.records.own, _record(look)))


def _unwritten(error: OSError) -> str:
    return f"can't write {error.filename or 'the record'}: {error.strerror}"


def _clear_dead_names(machine: Machine, look: Observation) -> None:
    """What a run that was killed left among the names of namespaces."""
    own = look.records.own
    machine.clear_dead_names(own.namespaces if own else ())


def close_change(machine: Machine, look: Observation, store: Store) -> None:
    """All is changed: how things were that were put back need not be known any longer."""
    _clear_dead_names(machine, look)
    if in_transition(look.records.own, _record(look)) != _record(look):
        with suppress(OSError):  # knowing more does no harm
            store.write(_record(look))


def _record(look: Observation) -> Record:
    record = look.resolution.record
    return replace(record, file=absolute(record.file))


def tell_what_is_lost(look: Observation, written: Topology | None) -> None:
    """All that bears the mark is gone; what was changed besides, only the record told.

    ``written`` is what was up, where that is known. Raises ApplyError if something is not put back.
    """
    name, hint = look.topology.name, "the record of how things were before is lost"
    lines = look.resolution.lost
    if is_lost(name, look.observed, look.records):
        if written is None:
            message = f"{name} is down; what it changed on things that are not its own is unknown"
            raise ApplyError(Diagnostic(message, hint=f"{hint}, and so is the topology's copy"))
        lines = (
            *lost_sysctls(written, look.observed),
            *lost_routes(written, look.resolution.desired, look.records),
        )
    if lines:
        message = f"{name} is down, but not all is as it was before"
        raise ApplyError(Diagnostic(message, hint=hint), not_undone=lines)


def _restore(store: Store, name: str, before: Record | None, leases: Leases) -> None:
    with suppress(OSError):  # files are hints; the kernel's marks tell what is ours
        if before is None:
            store.remove(name)
        else:
            store.write(before)
        store.write_leases(name, leases)


def _translated(
    failure: Unfinished, topology: Topology
) -> ApplyError | ConflictError | Interrupted | PrivilegeError:
    def locate(path: tuple[str | int, ...], message: str, hint: str | None) -> Diagnostic:
        return topology.diagnose(Problem(path, message, hint))

    if failure.reason is None:
        message = "interrupted" if failure.not_undone else "interrupted; put back as it was"
        return Interrupted(Diagnostic(message), not_undone=failure.not_undone)
    if isinstance(failure.reason, tuple):
        found = tuple(topology.diagnose(problem) for problem in failure.reason)
        if failure.not_undone:
            return ApplyError(*found, not_undone=failure.not_undone)
        return ConflictError(*found)
    if isinstance(failure.reason, str):
        diagnostic = locate(failure.origin, failure.reason, None)
        return ApplyError(diagnostic, not_undone=failure.not_undone)
    diagnostic = failure.reason.diagnose(locate)
    if not failure.not_undone and _is_lack(failure.reason):
        return PrivilegeError(diagnostic)
    return ApplyError(diagnostic, not_undone=failure.not_undone)


def _is_lack(refused: Refused) -> bool:
    return is_lack_of_feature(refused) or is_lack_of_privilege(refused)


def marked_topologies(state: State) -> set[str]:
    """The topologies whose mark a link bears."""
    return {link.owner for link in state.links() if link.owner is not None}


def need_privilege(what: str = "changing the network", *also: str) -> None:
    """Raise PrivilegeError if the process may not change the network, or ``also`` lacks."""
    missing = missing_capabilities(*also)
    if missing:
        message = f"{what} takes {' and '.join(missing)}"
        raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …"))


@contextmanager
def locked(store: Store, seconds: float, on_progress: Progress | None) -> Iterator[None]:
    """Be the only one who changes this host. Raises ConflictError if another does not end."""

    def on_held(holder: Holder | None) -> None:
        if on_progress:
            on_progress(0, 0, f"wait for {holder or 'another vlanlink'}")

    with ExitStack() as stack:
        try:
            stack.enter_context(store.locked(seconds, on_held))
        except LockedError as error:
            hint = "try again when it is done, or wait longer: --lock-timeout SECONDS"
            raise ConflictError(Diagnostic(str(error), hint=hint)) from None
        except OSError as error:
            message = f"can't use {error.filename or 'the run directory'}: {error.strerror}"
            raise ConflictError(Diagnostic(message, hint="nothing was changed")) from None
        yield
