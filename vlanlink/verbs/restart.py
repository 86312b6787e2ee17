"""``restart``: down and up under one lock."""

from threading import Event

from vlanlink.commit_confirm.commit import refuse_if_pending
from vlanlink.host import Host
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.restart import Restart
from vlanlink.reconcile.restart import restart as down_and_up
from vlanlink.reconcile.session import open_session
from vlanlink.store.lock import LOCK_SECONDS
from vlanlink.topology import Topology


def restart(
    topology: str | Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    cancel: Event | None = None,
    replace_file: bool = False,
    lock_timeout: float = LOCK_SECONDS,
) -> Restart:
    """Take a topology down and bring it up again; its endpoints keep their addresses.

    A name is looked up in the copy that ``up`` keeps. A topology that is not up is brought up.

    Raises ConflictError, PrivilegeError and UsageError before anything is changed; ApplyError and
    Interrupted after a rollback: what was up before is brought up again.
    """
    need_privilege()
    with open_session(host, on_progress, cancel) as session, session.locked(lock_timeout):
        refuse_if_pending(session, topology if isinstance(topology, str) else topology.name)
        return down_and_up(session, topology, replace_file=replace_file)
