"""``plan``: what ``up`` would do."""

from typing import TYPE_CHECKING

from vlanlink.host import Host
from vlanlink.kernel.features import missing_capabilities
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.checks import checked, refuse_other_file
from vlanlink.reconcile.session import open_session
from vlanlink.topology import Topology

if TYPE_CHECKING:
    from vlanlink.reconcile.wait import OnWait


def plan(
    topology: Topology,
    host: Host | None = None,
    *,
    wait: float = 0.0,
    on_wait: "OnWait | None" = None,
    replace_file: bool = False,
) -> Plan:
    """What ``up`` would do. Changes nothing and sends nothing on the LAN.

    ``wait`` and ``on_wait`` as in ``up``. Without root, a topology that is down can be planned,
    with a warning about what could not be seen. Raises ConflictError if the machine can't take the
    topology, PrivilegeError if the plan depends on what only root can see.
    """
    with open_session(host) as session:
        if wait:
            from vlanlink.reconcile.wait import await_parents

            await_parents(session, topology, wait, on_wait)
        if missing_capabilities():
            from vlanlink.reconcile.unprivileged import plan_unprivileged

            return plan_unprivileged(session, topology)
        seen = session.observe(topology)
        refuse_other_file(topology, seen.records.own, replace_file=replace_file)
        return checked(seen)
