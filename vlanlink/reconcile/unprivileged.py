"""``plan`` for an ordinary user, who sees only the host's own namespace."""

from vlanlink.dataclass import replace
from vlanlink.errors import Diagnostic, PrivilegeError
from vlanlink.kernel.netns.names import named
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.checks import checked
from vlanlink.reconcile.observation import Survey, marked_topologies
from vlanlink.reconcile.session import Session
from vlanlink.topology import Topology

_LISTED = 6


def plan_unprivileged(session: Session, topology: Topology) -> Plan:
    """The plan for a topology that is down, with a warning about what can't be seen.

    Raises PrivilegeError if the topology is up, or a namespace of the file exists: what is in
    there decides what ``up`` does.
    """
    contents, directory = session.store.contents(), session.host.netns_directory
    state = session.host_snapshot()
    names = [name for name, _ in named(directory)]
    entries = topology.namespaces.items()
    inside = [name for name, entry in entries if entry.path or entry.pid or name in names]
    if inside:
        raise _refused(f"can't see into namespaces that exist ({_some(inside)})")
    if topology.name in marked_topologies(state):
        raise _refused(f"can't see into the namespaces of {topology.name}, which is up")
    seen = session.observe(topology, survey=Survey(contents, state))
    found = checked(replace(seen, unreadable=()))
    unseen = [f"other namespaces ({_some(names)})"] if names else []
    unseen += ["leases"] if contents.unreadable_others else []
    if not unseen:
        return found
    message = f"an ordinary user can't see {' and '.join(unseen)}"
    hint = "so up may choose other addresses; sudo vlanlink plan sees everything"
    return replace(found, notes=(*found.notes, Diagnostic(message, hint=hint, severity="warning")))


def _refused(why: str) -> PrivilegeError:
    message = f"an ordinary user {why}: what up would change is unknown"
    return PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink plan …"))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
