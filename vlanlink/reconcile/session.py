"""A session: one host, opened once a verb. It reads, resolves and plans."""

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import TYPE_CHECKING

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.bound import bound
from vlanlink.desired.context import Context, ProbeResults
from vlanlink.desired.namespaces import relocated
from vlanlink.desired.renamed import records_of_now, with_names_of_now
from vlanlink.desired.resolve import Resolution, resolve
from vlanlink.desired.sysctls import keys_to_read
from vlanlink.errors import ApplyError, ConflictError, Diagnostic, PrivilegeError, Problem
from vlanlink.host import Host, since_boot
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.netns.namespaces import NEEDED_DESCRIPTORS
from vlanlink.kernel.snapshot import Wanted
from vlanlink.model import State
from vlanlink.planning.operations import MakeNamespace
from vlanlink.planning.plan import plan
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.attached import (
    Attachments,
    find_attachments,
    lost_record,
    still_somewhere,
    with_ends,
)
from vlanlink.reconcile.dhcp_plan import of_others, with_keeper, with_leases
from vlanlink.reconcile.observation import Narrowed, Observation, Survey
from vlanlink.reconcile.sight import (
    knows_little,
    may_hide,
    namespaces_of,
    that_matter,
    wanted_namespaces,
)
from vlanlink.store import keeper_file
from vlanlink.store.dhcp_leases import DhcpLease, Endpoint
from vlanlink.store.documents import UntrustedError
from vlanlink.store.evidence import Evidence
from vlanlink.store.files import Contents, Store, UnreadableFile
from vlanlink.store.leases import Leases
from vlanlink.store.lock import LOCK_SECONDS, Holder, LockedError, LockLostError
from vlanlink.store.record import Records, former_name
from vlanlink.topology import Topology, validated

if TYPE_CHECKING:  # reading applies nothing
    from vlanlink.reconcile.apply import Progress

OWNED = "chown root and chmod go-w it once its contents are known to be right, or remove it"


@dataclass(frozen=True, slots=True)
class Session:
    """One host for one verb: its kernel, its files, and whom to tell of progress."""

    host: Host
    machine: Machine
    store: Store
    on_progress: "Progress | None" = None

    @contextmanager
    def locked(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Exclude every other change of this host.

        Raises ConflictError if another process holds the lock for ``seconds``, ApplyError at the
        end if somebody removed the lock file.
        """
        with ExitStack() as stack:
            try:
                with _file_errors():
                    stack.enter_context(self.store.locked(seconds, self._report_holder))
            except LockedError as error:
                hint = "try again when it is done, or wait longer: --lock-timeout SECONDS"
                raise ConflictError(Diagnostic(str(error), hint=hint)) from None
            yield
            try:
                self.store.check_lock()
            except LockLostError as error:
                message = f"{error} meanwhile: another vlanlink may have changed the same things"
                hint = "vlanlink status shows how things stand; then run this again"
                raise ApplyError(Diagnostic(message, hint=hint)) from None

    def check_lock(self) -> None:
        """Raise ConflictError if others do not wait for this process any more."""
        try:
            self.store.check_lock()
        except LockLostError as error:
            message = f"{error} while it was held"
            raise ConflictError(Diagnostic(message, hint="nothing was changed")) from None

    def complete(self, total: int = 0) -> None:
        """Report that all is done and nothing is undone: an interrupt would come too late."""
        if self.on_progress:
            self.on_progress(total, total, "")

    def _report_holder(self, holder: Holder | None) -> None:
        if self.on_progress:
            self.on_progress(0, 0, f"waiting for {holder or 'another vlanlink process'}")

    def records(self, topology: str) -> Records:
        """The record of ``topology``, and those of the others."""
        return self.store.contents().of(topology)

    def _attached_paths(self, contents: Contents) -> dict[str, str]:
        """Where the namespaces of live attachments are, by id; an id's second one by path, too."""
        found: dict[str, str] = {}
        for record in contents.records:
            for one in self.attachments(record.topology).live:
                taken = found.get(one.id, one.path) != one.path
                found[former_name(one.id, one.path) if taken else one.id] = one.path
        return found

    def snapshot(self) -> State:
        """The host's namespace and every named one, with all that is in them."""
        contents = self.store.contents()
        self.machine.wanted = Wanted(
            paths=self._attached_paths(contents),
            topologies=tuple(record.topology for record in contents.records),
            evidence=self.evidence(contents),
        )
        with kernel_errors():
            return self.machine.snapshot()

    def host_snapshot(self) -> State:
        """The host's namespace only."""
        with kernel_errors():
            return self.machine.host_snapshot()

    def survey(self) -> Survey:
        """The files, and the host's namespace and every named one that matters to anybody."""
        contents = self.store.contents()
        names = frozenset(n for record in contents.records for n in namespaces_of(record))
        self.machine.wanted = Wanted(
            paths=self._attached_paths(contents),
            topologies=tuple(record.topology for record in contents.records),
            names=names,
            whole=names,
            links=None,
            evidence=self.evidence(contents),
        )
        with kernel_errors():
            return Survey(contents, self.machine.snapshot())

    def evidence(self, contents: Contents, *topologies: str) -> Evidence:
        """What the records say; ``topologies`` without a record may have lost it."""
        known = {record.topology for record in contents.records}
        lost = {*(contents.topologies - known), *(set(topologies) - known)}
        lost |= {file.topology for file in contents.unreadable_attachments}
        lost |= {name for name in topologies if self.attachments(name).lost}
        attached = self.store.every_attachment()
        return Evidence.of(contents.records, self.machine.boot, lost, attached)

    def observe(
        self,
        topology: Topology,
        before: Topology | None = None,
        survey: Survey | None = None,
        *,
        aside: frozenset[str] = frozenset(),
    ) -> Observation:
        """Read the machine, resolve ``topology`` for it, and plan.

        The namespaces in ``aside`` are left as they are.

        ``before`` is what was up, where the record of it is lost. A ``survey`` is used in place of
        a reading of its own; it has no sysctls, and no namespaces outside the netns directory.
        Raises TopologyError for a topology that was made in code and is wrong.
        """
        topology = validated(topology.written or topology)
        contents = survey.contents if survey else self.store.contents()
        context = replace(self.context(topology, contents), aside=aside)
        if survey:
            return _observation(topology, survey.state, context, contents)
        found = self._observe(topology, before, context, contents, everywhere=False)
        with kernel_errors():
            may = may_hide(found, self.machine.unicast_macs)
        if not may:
            return found
        return self._observe(topology, before, context, contents, everywhere=True)

    def _observe(
        self,
        topology: Topology,
        before: Topology | None,
        context: Context,
        contents: Contents,
        *,
        everywhere: bool,
    ) -> Observation:
        """``everywhere``: look at every namespace, not at ours only."""
        evidence = self.evidence(contents, topology.name)
        everywhere = everywhere or knows_little(topology, contents, context)
        wanted = wanted_namespaces(topology, context.records, before, evidence)
        attached = {one.id: one.path for one in context.attached}
        whole = None if wanted.whole is None else wanted.whole | attached.keys()
        wanted = replace(wanted, paths=attached | dict(wanted.paths), whole=whole)
        if everywhere:
            wanted = replace(wanted, links=None, strangers=True)
        observed = self._read(wanted, topology, context.records)
        if everywhere:  # what does not matter now will not be read again
            self.machine.wanted = that_matter(observed, self.machine.wanted)
            context = _with_found(context, topology.name, observed)
        context = replace(context, records=relocated(context.records, topology, observed))
        found = _observation(topology, observed, context, contents)
        made = [op for op in found.todo.operations if isinstance(op, MakeNamespace)]
        with kernel_errors():
            dead = self.machine.dead_names(op.namespace for op in made)
        taken = _dead_names(made, dead, context.records)
        return replace(found, dead_names=taken, everywhere=everywhere)

    def observe_part(
        self, part: Topology, context: Context, wanted: Wanted, narrowed: Narrowed
    ) -> Observation:
        """Read what is ``wanted``, resolve a part of a topology for it, and plan.

        ``narrowed`` adds the rest of the topology to what was resolved.
        """
        part = validated(part.written or part)
        observed = self._read(wanted, part, context.records)
        part = bound(part, observed)
        context = with_names_of_now(with_leases(context, observed), observed)
        context, resolution = _resolved(part, observed, context)
        resolution = narrowed(observed, resolution)
        todo = plan(observed, resolution.desired, part.name)
        return Observation(part, observed, resolution, todo, context, narrowed=narrowed)

    def _read(self, wanted: Wanted, topology: Topology, records: Records) -> State:
        self.machine.wanted = wanted
        with kernel_errors():
            observed = self.machine.snapshot()
            known = records_of_now(relocated(records, topology, observed), observed)
            keys = keys_to_read(bound(topology, observed), observed, known)
            return self.machine.with_sysctls(observed, keys) if any(keys.values()) else observed

    def attachments(self, topology: str, leases: Leases | None = None) -> Attachments:
        """The attachments of a topology, told apart by whether their namespace is still there."""
        with kernel_errors():
            return find_attachments(self.store, self.machine, topology, leases)

    def context(self, topology: Topology, contents: Contents) -> Context:
        """What the files tell that matters for a topology."""
        name = topology.name
        leases = self.store.every_lease() if topology.networks else {name: self.store.leases(name)}
        own = leases.pop(name, Leases())
        nsswitch = self.host.nsswitch() if topology.namespaces else ""
        attachments = self.attachments(name, own)
        attached = attachments.live
        return Context(
            contents.of(name),
            self.host.identity(),
            with_ends(own, {*(one.key for one in attached), *attachments.lost}),
            leases,
            known=self.store.dhcp_leases(name),
            keeper=keeper_file.find(self.store.keeper_file(name)),
            nsswitch=nsswitch,
            attached=attached,
            lost=attachments.lost,
        )

    def replan(
        self,
        seen: Observation,
        probed: ProbeResults | None = None,
        leased: Mapping[Endpoint, DhcpLease] | None = None,
    ) -> Observation:
        """Resolve and plan again, now that the LAN has answered and servers gave leases."""
        probed = seen.context.probe_results if probed is None else probed
        dhcp = {**seen.context.dhcp, **(leased or {})}
        context = replace(seen.context, probe_results=probed, dhcp=dhcp, now=since_boot())
        resolution = resolve(seen.topology, seen.observed, context)
        if seen.narrowed:
            resolution = seen.narrowed(seen.observed, resolution)
        todo = plan(seen.observed, resolution.desired, seen.topology.name)
        return replace(seen, resolution=resolution, todo=todo, context=context)


@contextmanager
def open_session(
    host: Host | None, on_progress: "Progress | None" = None, cancel: Event | None = None
) -> Iterator[Session]:
    """Open the host's kernel and files; ``cancel`` interrupts as Ctrl-C does.

    Raises PrivilegeError if the kernel can't be entered, ConflictError if it can't be read.
    """
    host = host or Host()
    with ExitStack() as stack:
        with kernel_errors():
            machine = stack.enter_context(Machine(host, stop=cancel))
        store = Store(host, machine.identity)
        with _file_errors():
            store.check()
        yield Session(host, machine, store, on_progress)


@contextmanager
def _file_errors() -> Iterator[None]:
    """Raise what is wrong with our directories as PrivilegeError or ConflictError."""
    try:
        yield
    except UntrustedError as error:
        hint = f"who can write there could have root change anything: {OWNED}"
        raise PrivilegeError(Diagnostic(str(error), hint=hint)) from None
    except OSError as error:
        message = f"can't use {error.filename or 'the run directory'}: {error.strerror}"
        raise ConflictError(Diagnostic(message, hint="nothing was changed")) from None


@contextmanager
def kernel_errors() -> Iterator[None]:
    """Raise what the kernel refuses to tell as PrivilegeError or ConflictError."""
    try:
        yield
    except PermissionError as error:
        message = f"not permitted to look into the namespaces: {error.strerror}"
        raise PrivilegeError(Diagnostic(message, hint="run it as root: sudo vlanlink …")) from None
    except OSError as error:
        if error.errno == errno.EMFILE:
            message = f"vlanlink needs {NEEDED_DESCRIPTORS} open files at a time; {error.strerror}"
            raise ConflictError(
                Diagnostic(message, hint="raise the limit: ulimit -n 1024")
            ) from None
        if str(error.filename or "").startswith("/proc/thread-self/"):
            message = f"/proc is not mounted here: there is no {error.filename}"
            raise PrivilegeError(Diagnostic(message, hint="mount -t proc proc /proc")) from None
        raise ConflictError(Diagnostic(f"the kernel could not be asked: {error}")) from None


def _observation(
    topology: Topology, observed: State, context: Context, contents: Contents
) -> Observation:
    topology = bound(topology, observed)
    context = with_names_of_now(with_leases(context, observed), observed)
    context, resolution = _resolved(topology, observed, context)
    todo = plan(observed, resolution.desired, topology.name)
    todo = with_keeper(todo, context, resolution.desired, observed)
    unreadable = tuple(
        unusable(file) for file in contents.unreadable_besides if file.topology == topology.name
    )
    lost = tuple(lost_record(topology.name, key) for key in context.lost)
    return Observation(topology, observed, resolution, todo, context, (), (*unreadable, *lost))


def _with_found(context: Context, topology: str, observed: State) -> Context:
    """The context once every namespace was looked at: what was not found has ended."""
    if not context.lost:
        return context
    lost = tuple(still_somewhere(topology, context.lost, context.leases, observed))
    live = {*(one.key for one in context.attached), *lost}
    return replace(context, lost=lost, leases=with_ends(context.leases, live))


def _resolved(topology: Topology, observed: State, context: Context) -> tuple[Context, Resolution]:
    """What follows for the machine, and the context without leases of clients of another name."""
    resolution = resolve(topology, observed, context)
    gone = of_others(context, resolution.desired, observed) if context.dhcp else None
    if not gone:
        return context, resolution
    held = {key: lease for key, lease in context.dhcp.items() if key not in gone}
    context = replace(context, dhcp=held)
    return context, resolve(topology, observed, context)


def _dead_names(
    made: Iterable[MakeNamespace], dead: frozenset[str], records: Records
) -> tuple[Problem, ...]:
    """Files where names of new namespaces go. Only a leftover that the record names is ours."""
    ours = records.own.namespaces if records.own else ()
    return tuple(
        Problem(
            operation.origin,
            f"a file {operation.namespace} is where the namespace's name goes",
            f"ip netns delete {operation.namespace} clears it, if it is a leftover",
            at_key=True,
        )
        for operation in made
        if operation.namespace in dead and operation.namespace not in ours
    )


def unusable(file: UnreadableFile) -> Diagnostic:
    """The warning that a file of ours can't be used."""
    hint = "it counts as lost: what is known comes from the marks in the kernel"
    return Diagnostic(str(file), hint=OWNED if file.untrusted else hint, severity="warning")
