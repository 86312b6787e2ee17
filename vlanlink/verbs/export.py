"""``export``: a topology as input of another tool. Changes nothing and needs no root."""

from contextlib import suppress
from typing import Literal

from vlanlink.desired.bound import bound
from vlanlink.errors import ConflictError, PrivilegeError
from vlanlink.exporters.blueprint import Exported, blueprint, unnamed_nics
from vlanlink.exporters.cni import as_conflists
from vlanlink.exporters.iproute2 import as_script, as_undo
from vlanlink.exporters.networkd import as_networkd
from vlanlink.host import Host
from vlanlink.reconcile.lookup import stored
from vlanlink.reconcile.session import open_session
from vlanlink.store.leases import Leases
from vlanlink.topology import Topology, validated

ExportFormat = Literal["iproute2", "networkd", "cni"]


def export(
    topology: str | Topology,
    to: ExportFormat,
    host: Host | None = None,
    *,
    undo: bool = False,
) -> Exported:
    """Write a topology as an iproute2 script, networkd files, or CNI conflists.

    A name is looked up as by ``status``. MACs are those of this machine; for root, so are leased
    addresses. ``undo``: the script that removes what the other one makes. Raises UsageError for an
    unknown name, ConflictError for a parent's MAC that no NIC here has, or a kernel that can't be
    read.
    """
    found, leases = wanted(topology, host)
    if nameless := [found.diagnose(problem) for problem in unnamed_nics(found)]:
        raise ConflictError(*nameless)
    plan = blueprint(found, (host or Host()).identity(), leases)
    if to == "iproute2":
        return as_undo(plan) if undo else as_script(plan)
    return as_networkd(plan) if to == "networkd" else as_conflists(plan)


def wanted(topology: str | Topology, host: Host | None) -> tuple[Topology, Leases]:
    """The topology, by name from the copy that ``up`` keeps, and its leases if root asks.

    Its parents are named as they are called on this machine.
    """
    if isinstance(topology, str):
        with open_session(host) as session:
            found = bound(stored(session, topology), session.host_snapshot())
            return found, session.store.leases(topology)
    found = validated(topology)
    with suppress(PrivilegeError), open_session(host) as session:
        found = bound(found, session.host_snapshot())
        return found, session.store.leases(topology.name)
    return found, Leases()
