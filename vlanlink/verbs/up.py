"""``up``: make the machine what a topology says."""

from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

from vlanlink.commit_confirm.commit import (
    Decide,
    await_confirmation,
    bring_up_pending,
    refuse_if_pending,
)
from vlanlink.host import Host
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.session import open_session
from vlanlink.reconcile.up import bring_up
from vlanlink.store.lock import LOCK_SECONDS
from vlanlink.topology import Topology

if TYPE_CHECKING:
    from vlanlink.reconcile.wait import OnWait


def up(
    topology: Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    cancel: Event | None = None,
    replace_file: bool = False,
    wait: float = 0.0,
    on_wait: "OnWait | None" = None,
    lock_timeout: float = LOCK_SECONDS,
    confirm: float | None = None,
    decide: Decide | None = None,
) -> Plan:
    """Make the machine what ``topology`` says, all of it or nothing. Returns what was done.

    Waits up to ``wait`` seconds for missing parents; ``on_wait`` is called with their names. Waits
    up to ``lock_timeout`` seconds for another vlanlink that changes this host. ``cancel``, once set
    by another thread, stops the run and rolls it back, as Ctrl-C does.

    With ``confirm``, the change is rolled back after that many seconds unless ``vlanlink.confirm``
    or ``decide`` confirms it (``commit_confirm.commit.Decide``); this call waits for that. A
    separate process rolls the change back, even if this one has ended.

    Raises ConflictError and PrivilegeError before the first change; ApplyError and Interrupted
    after a rollback.
    """
    need_privilege()
    with open_session(host, on_progress, cancel) as session, ExitStack() as stack:
        if wait:
            from vlanlink.reconcile.wait import await_parents

            await_parents(session, topology, wait, on_wait)
        with session.locked(lock_timeout):
            refuse_if_pending(session, topology.name)
            if confirm is None:
                return bring_up(session, topology, replace_file=replace_file)
            done, file = bring_up_pending(session, topology, confirm, replace_file=replace_file)
        if file is not None:
            stack.enter_context(file)
            await_confirmation(session, file, done, decide)
        return done
