"""``status``: how topologies compare with the machine."""

from collections.abc import Iterator
from typing import Literal, overload

from vlanlink.commit_confirm.commit import pending_change
from vlanlink.dataclass import dataclass, replace
from vlanlink.errors import Diagnostic, TopologyError
from vlanlink.host import Host
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.lookup import is_enabled, stored
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session, open_session
from vlanlink.store.pending import PendingStatus
from vlanlink.topology import Topology

StateWord = Literal["up", "drifted", "down"]


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a topology on this machine, and what differs from its file."""

    topology: str
    state: StateWord
    plan: Plan
    problems: tuple[Diagnostic, ...] = ()
    """Why the machine can't take it now."""
    waiting: PendingStatus | None = None
    """The last change, if it is pending."""
    notes: tuple[Diagnostic, ...] = ()
    """Warnings: files of the topology that can't be used."""

    def to_dict(self) -> dict[str, object]:
        """JSON form; ``waiting`` is null if no change is pending."""
        problems = [problem.to_dict() for problem in self.problems]
        waiting = self.waiting.to_dict() if self.waiting else None
        found = {"state": self.state, "problems": problems, "waiting": waiting}
        if self.notes:
            found["warnings"] = [note.to_dict() for note in self.notes]
        return {**self.plan.to_dict(), **found}


@overload
def status(topology: str | Topology, host: Host | None = None) -> Status: ...


@overload
def status(topology: None = None, host: Host | None = None) -> tuple[Status, ...]: ...


def status(
    topology: str | Topology | None = None, host: Host | None = None
) -> Status | tuple[Status, ...]:
    """The state of a topology: up, drifted (with what differs), or down.

    A name is looked up in the copy that ``up`` keeps; without a name, returns the state of every
    topology that is known here. Raises UsageError for an unknown name, PrivilegeError where copies
    or namespaces could be overlooked.
    """
    if not isinstance(topology, Topology):
        need_privilege("reading which topologies are up")
    with open_session(host) as session:
        if topology is None:
            return tuple(_statuses(session))
        return _status(session, topology)


def _statuses(session: Session) -> Iterator[Status]:
    """One status per topology: a problem with one does not hide the others."""
    survey = session.survey()
    for name in survey.topologies:
        if name in survey.contents.topologies or is_enabled(session, name):
            yield _status(session, name)
        else:  # anybody could have written the mark, any number of them
            yield judge(session.observe(Topology(name=name), survey=survey))


def _status(session: Session, topology: str | Topology) -> Status:
    try:
        wanted = stored(session, topology) if isinstance(topology, str) else topology
    except TopologyError as error:  # of the copy
        found = Status(str(topology), "drifted", Plan(str(topology)), error.diagnostics)
    else:
        found = judge(session.observe(wanted))
    pending = pending_change(session, found.topology)
    return replace(found, waiting=pending.status() if pending else None)


def judge(seen: Observation) -> Status:
    """The status that follows from an observation."""
    name, problems, own = seen.topology.name, seen.problems(), seen.records.own
    # What an empty topology once was is unknown, unless its text was kept.
    lost = seen.topology == Topology(name=name) and not (own and (own.text or own.file))
    ended = tuple(
        seen.topology.diagnose(problem, severity="warning") for problem in seen.resolution.ended
    )
    problems = (*problems, *ended)
    if not seen.todo.operations and not problems:  # what `down` left in place is not ours to delete
        return Status(name, "down" if lost else "up", seen.todo, notes=_notes(seen))
    state: StateWord = "drifted" if seen.is_up else "down"
    return Status(name, state, seen.todo, problems, notes=_notes(seen))


def _notes(seen: Observation) -> tuple[Diagnostic, ...]:
    why = seen.records.unreadable
    record = (Diagnostic(why, severity="warning"),) if why else ()
    return (*record, *seen.unreadable)
