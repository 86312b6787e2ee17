"""``restart``: down, then up, under one lock; a failure brings back what was up before."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.defined import defines
from vlanlink.errors import (
    JSON_VERSION,
    ConflictError,
    Diagnostic,
    TopologyError,
    UsageError,
    VlanlinkError,
)
from vlanlink.kernel.machine import Machine
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.checks import checked, refuse_other_file
from vlanlink.reconcile.down import stop_services, take_down
from vlanlink.reconcile.lookup import copy_of, stored
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session
from vlanlink.reconcile.up import bring_up
from vlanlink.store.attached import AttachmentRecord
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record
from vlanlink.topology import Topology


@dataclass(frozen=True, slots=True)
class Restart:
    """What ``restart`` deleted, and what it created."""

    topology: str
    down: Plan
    up: Plan

    def to_dict(self) -> dict[str, object]:
        """The JSON form: the changes of both, in order."""
        changes = [change.to_dict() for change in (*self.down.changes, *self.up.changes)]
        return {"version": JSON_VERSION, "topology": self.topology, "changes": changes}


def restart(session: Session, topology: str | Topology, *, replace_file: bool = False) -> Restart:
    """Take a topology down and bring it up, as ``restart`` describes it, under the lock."""
    wanted = _known(session, topology) if isinstance(topology, str) else topology
    own = session.records(wanted.name).own
    refuse_other_file(wanted, own, replace_file=replace_file)
    seen = session.observe(wanted)
    checked(seen)
    _refuse_to_lose(seen)
    former = _former(own, wanted)
    attached, leases = session.store.attached(wanted.name), session.store.leases(wanted.name)
    stopped = stop_services(session, wanted.name)
    down = take_down(session, wanted)
    _attach_again(session, attached, leases)
    with _brought_back(session, former, was_up=down.was_up):
        up = bring_up(session, wanted, replace_file=True, probe_lan=not down.was_up)
    if stopped:
        from vlanlink.boot import services

        services.start(stopped)
    return Restart(wanted.name, down, up)


def _refuse_to_lose(seen: Observation) -> None:
    """Refuse to delete what another topology has left and the file, which only names it, needs."""
    own, name = seen.records.own, seen.topology.name
    links = seen.resolution.desired.host.links.values()
    left = [
        link.name
        for link in links
        if link.owner == name and not link.origin and not defines(own, link.key)
    ]
    if left:
        what = f"{', '.join(left)} would be gone: another topology has left it to {name}"
        hint = "bring up the topology that defines it first: it takes it back"
        raise ConflictError(Diagnostic(what, hint=hint))


def _attach_again(session: Session, attached: Sequence[AttachmentRecord], leases: Leases) -> None:
    """Let ``up`` create what ``down`` removed from namespaces that others own."""
    if attached:
        with suppress(OSError):  # what can't be written is attached by hand
            session.store.write_leases(attached[0].topology, leases)
            for one in attached:
                session.store.write_attachment(one)


def _known(session: Session, name: str) -> Topology:
    """The topology by its copy. Raises UsageError if that is lost."""
    wanted = stored(session, name)
    if wanted == Topology(name=name):
        message = f"what topology {name} contains is unknown: its copy is lost"
        raise UsageError(Diagnostic(message, hint="write its FILE instead of the name"))
    return wanted


def _former(own: Record | None, wanted: Topology) -> Topology:
    """What is up now, by the copy that ``up`` keeps; ``wanted`` if that can't be used."""
    try:
        return copy_of(own) if own and own.text else wanted
    except TopologyError:
        return wanted


@contextmanager
def _brought_back(session: Session, former: Topology, *, was_up: bool) -> Iterator[None]:
    """After a failure, bring ``former`` up again; an error tells if that fails too."""
    try:
        yield
    except BaseException as error:
        if was_up and not _bring_back(session, former) and isinstance(error, VlanlinkError):
            error.not_undone += (f"topology {former.name}: it is down",)
        raise


def _bring_back(session: Session, former: Topology) -> bool:
    """Whether ``former`` is up again. The session's own machine may be interrupted for good."""
    with Machine(session.host) as machine:
        again = replace(session, machine=machine, on_progress=None)
        try:
            bring_up(again, former, replace_file=True, probe_lan=False)
        except VlanlinkError:
            return False
    return True
