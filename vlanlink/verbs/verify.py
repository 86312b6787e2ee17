"""``verify``: which endpoints reach each other."""

from threading import Event

from vlanlink.dataclass import replace
from vlanlink.errors import Diagnostic, UsageError
from vlanlink.host import Host
from vlanlink.reachability.measure import measure
from vlanlink.reachability.result import Verification
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.lookup import stored
from vlanlink.reconcile.session import open_session
from vlanlink.topology import Topology
from vlanlink.verbs.status import judge


def verify(
    topology: str | Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    cancel: Event | None = None,
    everything: bool = False,
) -> Verification:
    """Which endpoints reach each other, measured inside their namespaces, and which should.

    A name is looked up as by ``status``. Above 50 endpoints it measures a sample with every kind of
    pair, unless ``everything`` is asked for. A topology that is down is not measured, and not ok.
    Raises UsageError for a name that is unknown or whose copy is lost, PrivilegeError without root,
    Interrupted.
    """
    need_privilege("asking from inside the namespaces", "CAP_NET_RAW")
    with open_session(host, on_progress, cancel) as session:
        wanted = stored(session, topology) if isinstance(topology, str) else topology
        seen = session.observe(wanted)
        name, state = wanted.name, judge(seen).state
        if state == "down":
            return Verification(name, state)
        if isinstance(topology, str) and wanted == Topology(name=name):
            message = f"what topology {name} promises is unknown: its copy is lost"
            raise UsageError(Diagnostic(message, hint="write its FILE instead of the name"))
        return measure(session, replace(seen, topology=seen.whole), everything=everything)
