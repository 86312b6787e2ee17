"""What is checked before a change: privilege, the kernel, and what stands in the way."""

import os
from collections import Counter
from collections.abc import Iterator

from vlanlink.dataclass import replace
from vlanlink.desired.lost_record import is_lost, uncertain_parents
from vlanlink.desired.requirements import too_new
from vlanlink.errors import ConflictError, Diagnostic, PrivilegeError, Problem
from vlanlink.kernel.features import missing_capabilities, release
from vlanlink.kernel.machine import Machine
from vlanlink.planning.operations import MakeNamespace
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import OWNED, kernel_errors
from vlanlink.store.files import Contents
from vlanlink.store.record import Record
from vlanlink.topology import Topology, empty


def need_privilege(what: str = "changing the network", *also: str) -> None:
    """Raise PrivilegeError if the process may not change the network, or ``also`` lacks."""
    with kernel_errors():
        missing = missing_capabilities(*also)
    if missing:
        message = f"{what} takes {' and '.join(missing)}"
        raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …"))


def checked(seen: Observation, before: Topology | None = None) -> Plan:
    """The plan, with its warnings at their places; ``before`` is what ``down`` takes down.

    Raises ConflictError if it can't be applied, PrivilegeError if the kernel is too old for it.
    """
    lacking = list(too_new(seen.topology, release()))
    if lacking:
        raise PrivilegeError(*map(seen.topology.diagnose, lacking))
    problems = seen.problems()
    if problems:
        raise ConflictError(*problems, *_renamed(seen))
    lost = (
        Problem((), f"how it was before is lost, so it stays as it is: {command} puts it back")
        for command in seen.resolution.restore_commands
    )
    uncertain: tuple[Problem, ...] = ()
    if before is not None and is_lost(before.name, seen.observed, seen.records):
        uncertain = tuple(uncertain_parents(before, seen.observed, seen.records))
    found = (
        *seen.resolution.ended,
        *seen.resolution.warnings,
        *seen.todo.warnings,
        *lost,
        *uncertain,
    )
    notes = tuple(seen.topology.diagnose(problem, severity="warning") for problem in found)
    notes += (*_emptied(seen), *(replace(one, severity="warning") for one in _renamed(seen)))
    return replace(seen.todo, notes=(*seen.unreadable, *notes), was_up=seen.is_up)


def refuse_untrusted(contents: Contents, topology: str) -> None:
    """Raise PrivilegeError if others than root may have written a file of the topology."""
    found = [f for f in contents.unreadable if f.untrusted and f.topology == topology]
    if found:
        raise PrivilegeError(*(Diagnostic(str(file), hint=OWNED) for file in found))


def _emptied(seen: Observation) -> Iterator[Diagnostic]:
    """A warning that names how much goes, for a file that has only its heading left."""
    topology = seen.topology
    deleted = Counter(c.object for c in seen.todo.changes if c.action == "delete")
    if deleted and topology.source and topology == empty(topology.name):
        amounts = ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in deleted.items())
        message = f"the file defines nothing any more, so all of {topology.name} goes: {amounts}"
        yield topology.diagnose(Problem(("topology",), message, at_key=True), severity="warning")


def _renamed(seen: Observation) -> Iterator[Diagnostic]:
    """A topology that is up from this file under the name that the file had before."""
    source = seen.topology.source
    file = absolute(source.file) if source else None
    for other in seen.records.others:
        if file not in (None, "-") and absolute(other.file) == file and not seen.is_up:
            message = f"topology {other.topology} is still up from this file"
            yield Diagnostic(message, hint=f"vlanlink down {other.topology}, if this replaces it")


def refuse_other_file(topology: Topology, own: Record | None, *, replace_file: bool) -> None:
    """Raise ConflictError if the topology is up from another file, unless that is intended."""
    new = topology.source.file if topology.source else None
    if own is None or replace_file or own.file is None or new is None:
        return
    if absolute(own.file) != absolute(new):
        message = f"topology {topology.name} is up already, from {own.file}"
        hint = "give this one another name, or go on with --replace"
        raise ConflictError(Diagnostic(message, hint=hint))


def absolute(file: str | None) -> str | None:
    """A topology's file, valid in any directory; - and text without a file stay."""
    return os.path.realpath(file) if file and file != "-" else file


def need_visible_names(machine: Machine, seen: Observation) -> None:
    """Raise PrivilegeError if a namespace named here would be a dead file to everyone else."""
    made = [op for op in seen.todo.operations if isinstance(op, MakeNamespace)]
    if not made or machine.names_propagate():
        return
    directory = machine.host.netns_directory
    message = f"a namespace named in {directory} here would be a dead file everywhere else"
    way_in = machine.own_name() or "NAME"
    hint = (
        "this shell has mounts of its own (ip netns exec makes them); enter with "
        f"nsenter --net={directory}/{way_in} instead"
    )
    where = seen.topology.diagnose(Problem(made[0].origin, message, hint, at_key=True))
    raise PrivilegeError(where)
