"""``down``: remove what was made for a topology."""

from threading import Event

from vlanlink.commit_confirm.commit import refuse_if_pending
from vlanlink.host import Host
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.down import take_down
from vlanlink.reconcile.session import open_session
from vlanlink.store.lock import LOCK_SECONDS
from vlanlink.topology import Topology
from vlanlink.topology.load import Heading


def down(
    topology: str | Topology | Heading,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    cancel: Event | None = None,
    dry_run: bool = False,
    forget: bool = False,
    lock_timeout: float = LOCK_SECONDS,
) -> Plan:
    """Remove what was made for a topology, and restore what was changed for it.

    The name, or the heading of its file, is enough. Endpoints keep their leases, unless ``forget``
    releases them. ``cancel`` and ``lock_timeout`` as in ``up``; a dry run needs no lock. Raises
    UsageError for an unknown name, ConflictError if a link of others would go too, ApplyError and
    Interrupted after a rollback.
    """
    need_privilege()
    with open_session(host, on_progress, cancel) as session:
        if dry_run:
            return take_down(session, topology, dry_run=True)
        with session.locked(lock_timeout):
            refuse_if_pending(session, topology if isinstance(topology, str) else topology.name)
            return take_down(session, topology, forget=forget)
