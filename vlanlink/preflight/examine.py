"""``doctor``: inspect the machine, for a topology or in general. Changes nothing."""

from collections.abc import Iterable

from vlanlink.dataclass import replace
from vlanlink.desired.bound import bound
from vlanlink.desired.namespaces import namespace_paths
from vlanlink.desired.resolve import Resolution, resolve
from vlanlink.desired.sysctls import asked_sysctls, keys_to_read
from vlanlink.errors import Diagnostic, PrivilegeError, Problem, UsageError
from vlanlink.host import Host
from vlanlink.kernel.features import missing_capabilities
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.netns.names import named
from vlanlink.model import HOST, Namespace, State
from vlanlink.preflight import analyse, first
from vlanlink.preflight.report import Report
from vlanlink.preflight.topology import TopologyNeeds
from vlanlink.reconcile.checks import need_privilege, need_visible_names
from vlanlink.reconcile.failures import translated
from vlanlink.reconcile.lan import ask
from vlanlink.reconcile.observation import marked_topologies
from vlanlink.reconcile.session import Session, kernel_errors, open_session
from vlanlink.sysctl import FORWARDING_KEYS
from vlanlink.topology import Topology, empty

_PER_LINK = ("rp_filter", "arp_ignore", "arp_filter")


def doctor(
    topology: Topology | None = None, host: Host | None = None, *, probe: bool = False
) -> Report:
    """Findings for a topology, or for the machine in general.

    Without privilege it inspects only the host's own namespace. ``probe`` asks the LAN, as ``up``
    does, whether the topology's addresses are in use and its gateways are there; without it nothing
    is sent. Raises ConflictError if the kernel can't be read, ApplyError if the LAN can't be asked,
    PrivilegeError if the host is another namespace than the caller's and can't be entered, or to
    probe without privilege, UsageError to probe without a topology.
    """
    if probe and topology is None:
        message = "there is nothing to ask the LAN about without a topology"
        raise UsageError(Diagnostic(message, hint="vlanlink doctor --probe FILE"))
    with open_session(host) as session, kernel_errors():
        machine = session.machine
        if topology is None:
            state = session.host_snapshot() if missing_capabilities() else session.snapshot()
            return analyse(machine.facts(_with_sysctls(machine, state, topology)))
        if probe:
            need_privilege("asking the LAN whether an address is taken", "CAP_NET_RAW")
        if missing_capabilities():
            needs, state = _seen_by_a_user(session, topology)
        else:
            needs, state = _seen_whole(session, topology, probe=probe)
        return analyse(machine.facts(_with_sysctls(machine, state, topology)), needs)


def first_topology(
    name: str = "lan",
    parent: str | None = None,
    kind: str | None = None,
    host: Host | None = None,
) -> str:
    """The text of a first topology for this machine, each line explained.

    Without ``parent``, the link with the default route; without ``kind``, macvlan where the parent
    lets other MACs pass, else ipvlan. Raises UsageError for an invalid name and an unknown parent
    or kind, ConflictError for a link that can't be a parent.
    """
    empty(name)  # raises for an invalid name
    with open_session(host) as session, kernel_errors():
        machine = session.machine
        state = session.host_snapshot() if missing_capabilities() else session.snapshot()
        taken = [space for space, _ in named(session.host.netns_directory)]
        up = marked_topologies(state)
        names = (f"{name}{n or ''}" for n in range(len(up) + 1))
        free = next(one for one in names if one not in up)
        return first.text(machine.facts(state), free, parent, kind, taken)


def _seen_whole(
    session: Session, topology: Topology, *, probe: bool
) -> tuple[TopologyNeeds, State]:
    seen = session.observe(topology)
    lan = None
    if probe:
        with translated(topology):
            seen, lan = ask(session, seen)
    conflicts = seen.problems()
    try:
        need_visible_names(session.machine, seen)
    except PrivilegeError as error:
        conflicts += error.diagnostics
    warnings = (*seen.resolution.warnings, *seen.todo.warnings)
    needs = _needs(seen.topology, seen.observed, seen.resolution, warnings)
    return replace(needs, conflicts=conflicts, lan=lan), seen.observed


def _seen_by_a_user(session: Session, topology: Topology) -> tuple[TopologyNeeds, State]:
    """The same for an ordinary user; namespaces that can't be read count as empty."""
    elsewhere = {
        name: Namespace(name, path=path) for name, path in namespace_paths(topology).items()
    }
    contents, machine = session.store.contents(), session.machine
    state = session.host_snapshot()
    topology = bound(topology, state)
    keys = keys_to_read(topology, state, contents.of(topology.name)).get(HOST, frozenset())
    state = machine.with_sysctls(state, {HOST: keys})
    state = replace(state, namespaces={**state.namespaces, **elsewhere})
    resolution = resolve(topology, state, session.context(topology, contents))
    unseen = {("namespaces", name) for name in elsewhere}
    conflicts = (one for one in resolution.conflicts if one.path[:2] not in unseen)
    needs = _needs(topology, state, resolution, resolution.warnings)
    return replace(needs, conflicts=tuple(map(topology.diagnose, conflicts))), state


def _needs(
    topology: Topology, state: State, resolution: Resolution, warnings: Iterable[Problem]
) -> TopologyNeeds:
    links = (link for link in resolution.desired.links() if link.owner == topology.name)
    return TopologyNeeds(
        topology,
        {link.key: link for link in links},
        warnings=tuple(topology.diagnose(one, severity="warning") for one in warnings),
        sysctls=asked_sysctls(topology, state),
    )


def _with_sysctls(machine: Machine, state: State, topology: Topology | None) -> State:
    """The state with the sysctls that the rules need."""
    links = ("all", *state.host.links)
    keys = {f"net/ipv4/conf/{link}/{key}" for link in links for key in _PER_LINK}
    wanted: dict[str, frozenset[str]] = {HOST: frozenset(keys) | FORWARDING_KEYS}
    if not missing_capabilities():
        for space, entry in topology.namespaces.items() if topology else ():
            names = ("all", "default", *entry.interfaces)
            filters = frozenset(f"net/ipv4/conf/{name}/rp_filter" for name in names)
            wanted[space] = FORWARDING_KEYS | filters
    return machine.with_sysctls(state, wanted)
