"""The verbs: the only place that joins text, kernel and files. Nothing here prints."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload

from vlanlink import log
from vlanlink.commit_confirm.commit import (
    Decide,
    await_confirmation,
    bring_up_pending,
    pending_change,
    refuse_if_pending,
)
from vlanlink.dataclass import dataclass, replace
from vlanlink.errors import Diagnostic, TopologyError, UsageError, nearest
from vlanlink.host import Host
from vlanlink.kernel.features import missing_capabilities
from vlanlink.kernel.netns.namespaces import named as named_namespaces
from vlanlink.model import State
from vlanlink.planning.plan import Plan
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.checks import checked, need_privilege, refuse_other_file
from vlanlink.reconcile.lookup import is_enabled, stored
from vlanlink.reconcile.session import Observation, Session, open_session
from vlanlink.reconcile.unprivileged import plan_unprivileged
from vlanlink.reconcile.wait import OnWait, await_parents
from vlanlink.store.lock import LOCK_SECONDS
from vlanlink.store.pending import PendingStatus
from vlanlink.topology import Topology
from vlanlink.topology.load import Heading

if TYPE_CHECKING:  # what one verb needs, the others do without
    from pwd import struct_passwd
    from subprocess import CompletedProcess, Popen

    from vlanlink.inventory import Lease
    from vlanlink.reachability.result import Verification

StateWord = Literal["up", "drifted", "down"]


@dataclass(frozen=True, slots=True)
class Status:
    """How a topology stands on this machine, and what differs from its file."""

    topology: str
    state: StateWord
    plan: Plan
    problems: tuple[Diagnostic, ...] = ()
    """Why it could not be brought up as the machine is now."""
    waiting: PendingStatus | None = None
    """The last change, if it is pending."""
    notes: tuple[Diagnostic, ...] = ()
    """Warnings: files of the topology that can't be used."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form; ``waiting`` is null where nothing waits."""
        problems = [problem.to_dict() for problem in self.problems]
        waiting = self.waiting.to_dict() if self.waiting else None
        found = {"state": self.state, "problems": problems, "waiting": waiting}
        if self.notes:
            found["warnings"] = [note.to_dict() for note in self.notes]
        return {**self.plan.to_dict(), **found}


def plan(
    topology: Topology,
    host: Host | None = None,
    *,
    wait: float = 0.0,
    on_wait: OnWait | None = None,
    replace_file: bool = False,
) -> Plan:
    """What ``up`` would do, changing nothing and sending nothing on the LAN.

    ``wait`` as in ``up``. Without root, a topology that is down can be planned, with a warning
    about what could not be seen. Raises ConflictError if the machine stands in the way,
    PrivilegeError if the plan depends on what only root can see.
    """
    with open_session(host) as session:
        if wait:
            await_parents(session, topology, wait, on_wait)
        if missing_capabilities():
            return plan_unprivileged(session, topology)
        seen = session.observe(topology)
        refuse_other_file(topology, seen.records.own, replace_file=replace_file)
        return checked(seen)


def up(
    topology: Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    cancel: Event | None = None,
    replace_file: bool = False,
    wait: float = 0.0,
    on_wait: OnWait | None = None,
    lock_timeout: float = LOCK_SECONDS,
    confirm: float | None = None,
    decide: Decide | None = None,
) -> Plan:
    """Make the machine what ``topology`` says, all of it or nothing; returns what was done.

    Parents that are not there yet are waited for, ``wait`` seconds at the most; ``on_wait`` is
    told their names. Another one who changes this host is waited for, ``lock_timeout`` seconds at
    the most. ``cancel``, once set by another thread, stops and undoes as Ctrl-C does.

    With ``confirm``, a change is put back after so many seconds unless ``vlanlink.confirm``, or
    ``decide`` (asked again and again, see ``confirming.Decide``), says to keep it; this call waits
    for that. A process of its own sees to it, whatever becomes of this one.

    Raises ConflictError before anything is changed, PrivilegeError likewise; ApplyError and
    Interrupted after undoing.
    """
    from vlanlink.reconcile.up import bring_up

    need_privilege()
    with open_session(host, on_progress, cancel) as session, ExitStack() as stack:
        if wait:
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
    """Take away what was made for a topology, and put back what was changed for it.

    Of a file the heading is enough. The addresses that its endpoints were given stay theirs, unless
    it shall ``forget`` them. ``lock_timeout`` as in ``up``; a dry run needs no lock. Raises
    UsageError for a name of which nothing is known, ConflictError if something of another's would
    go too, ApplyError and Interrupted after undoing.
    """
    from vlanlink.reconcile.down import take_down

    need_privilege()
    with open_session(host, on_progress, cancel) as session:
        if dry_run:
            return take_down(session, topology, dry_run=True)
        with session.locked(lock_timeout):
            refuse_if_pending(session, topology if isinstance(topology, str) else topology.name)
            return take_down(session, topology, forget=forget)


@overload
def status(topology: str | Topology, host: Host | None = None) -> Status: ...


@overload
def status(topology: None = None, host: Host | None = None) -> tuple[Status, ...]: ...


def status(
    topology: str | Topology | None = None, host: Host | None = None
) -> Status | tuple[Status, ...]:
    """How a topology stands here: up, drifted (with what differs), or down.

    A name is looked up in the copy that ``up`` keeps; without one, every topology of which
    something is known here. Raises UsageError for a name that is unknown, and PrivilegeError
    where copies or namespaces could be overlooked.
    """
    if not isinstance(topology, Topology):
        need_privilege("reading which topologies are up")
    with open_session(host) as session:
        if topology is None:
            return tuple(_statuses(session))
        return _status(session, topology)


def _statuses(session: Session) -> Iterator[Status]:
    """Each by itself: what is wrong with one is told in its row."""
    survey = session.survey()
    for name in survey.topologies:
        if name in survey.contents.topologies or is_enabled(session, name):
            yield _status(session, name)
        else:  # anybody could have written the mark, any number of them
            yield _judge(session.observe(Topology(name=name), survey=survey))


def _status(session: Session, topology: str | Topology) -> Status:
    try:
        wanted = stored(session, topology) if isinstance(topology, str) else topology
    except TopologyError as error:  # of the copy
        found = Status(str(topology), "drifted", Plan(str(topology)), error.diagnostics)
    else:
        found = _judge(session.observe(wanted))
    pending = pending_change(session, found.topology)
    return replace(found, waiting=pending.status() if pending else None)


def verify(
    topology: str | Topology,
    host: Host | None = None,
    on_progress: Progress | None = None,
    *,
    cancel: Event | None = None,
    everything: bool = False,
) -> "Verification":
    """Who reaches whom, asked from inside the namespaces, and whether that is what was promised.

    A name is looked up as by ``status``. With more than 50 endpoints a sample of them is asked
    that covers every kind of pair, unless it shall be ``everything``. What is down is not asked,
    and not ok. Raises UsageError for a name that is unknown or whose copy is lost, PrivilegeError
    without root, Interrupted.
    """
    from vlanlink.reachability.measure import measure
    from vlanlink.reachability.result import Verification

    need_privilege("asking from inside the namespaces", "CAP_NET_RAW")
    with open_session(host, on_progress, cancel) as session:
        wanted = stored(session, topology) if isinstance(topology, str) else topology
        seen = session.observe(wanted)
        name, state = wanted.name, _judge(seen).state
        if state == "down":
            return Verification(name, state)
        if isinstance(topology, str) and wanted == Topology(name=name):
            message = f"what topology {name} promises is unknown: its copy is lost"
            raise UsageError(Diagnostic(message, hint="write its FILE instead of the name"))
        seen = replace(seen, topology=seen.whole)
        return measure(session, seen, everything=everything)


def leases(
    topology: str | None = None,
    host: Host | None = None,
    *,
    release: Collection[str] = (),
    lock_timeout: float = LOCK_SECONDS,
) -> "tuple[Lease, ...]":
    """The addresses that the endpoints of a topology, or of all, keep over ``down``.

    The addresses in ``release`` are given back first, all or none. Raises UsageError for an unknown
    topology and for an address that is not leased, ConflictError for one in use.
    """
    from vlanlink.reconcile.leases import leases_of
    from vlanlink.reconcile.leases import release as give_back

    need_privilege("reading the leases")
    with open_session(host) as session:
        if not release:
            return leases_of(session, topology)
        with session.locked(lock_timeout):
            return give_back(session, topology, release)


def run(
    namespace: str,
    command: Sequence[str],
    host: Host | None = None,
    *,
    input: Any = None,  # noqa: A002 - as subprocess.run has it
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = False,
    **options: Any,
) -> "CompletedProcess[Any]":
    """Run ``command`` inside a namespace, as subprocess.run does; ``options`` are those of Popen.

    Raises as ``popen``, and as subprocess.run for ``timeout`` and ``check``.
    """
    import subprocess

    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    with popen(namespace, command, host, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def popen(
    namespace: str, command: Sequence[str], host: Host | None = None, **options: Any
) -> "Popen[Any]":
    """Start ``command`` inside a namespace; ``options`` are those of subprocess.Popen.

    Files in /etc/netns/NAMESPACE replace those in /etc; one that has no counterpart there is a
    warning in the log. Raises UsageError for an unknown namespace, OSError as Popen does,
    PrivilegeError without root.
    """
    from vlanlink.kernel.netns.exec import start

    path, overlay = _namespace_path(namespace, host), _overlay(namespace, host)
    return start(path, namespace, overlay, command, options, _log_warning)


def enter(
    namespace: str,
    command: Sequence[str],
    host: Host | None = None,
    *,
    user: str | None = None,
    on_warning: Callable[[Diagnostic], None] | None = None,
) -> NoReturn:
    """Become ``command`` inside a namespace: this process is replaced by it.

    Files in /etc/netns/NAMESPACE replace those in /etc. ``on_warning`` is called for each that has
    no counterpart there; by default it is a warning in the log. ``user``: the name or number of the
    user that the command runs as, with that user's groups and without capabilities; the environment
    stays. Raises UsageError if there is no such namespace or user,
    FileNotFoundError and PermissionError as execvp(3) does, PrivilegeError without root.
    """
    from vlanlink.kernel.netns.exec import become

    found = _user(user) if user is not None else None
    if found:
        need_privilege("running a command as another user", "CAP_SETGID", "CAP_SETUID")
    path, overlay = _namespace_path(namespace, host), _overlay(namespace, host)
    become(path, namespace, overlay, command, found, on_warning or _log_warning)


def _log_warning(warning: Diagnostic) -> None:
    if logger := log.wanted(log.WARNING):
        logger.warning("%s", warning.message)


def _user(name: str) -> "struct_passwd":
    import pwd

    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError, ValueError):
        hint = "getent passwd lists the users of this machine"
        raise UsageError(Diagnostic(f"unknown user: {name}", hint=hint)) from None


def _overlay(namespace: str, host: Host | None) -> Path:
    return (host or Host()).etc_netns_directory / namespace


def _namespace_path(namespace: str, host: Host | None) -> str:
    from vlanlink.kernel.netns.exec import find_namespace

    host = host or Host()
    need_privilege("running a command in a namespace")
    with open_session(host) as session:
        records = session.store.records()
    paths = {name: path for record in records for name, path in record.paths.items()}
    path = find_namespace(namespace, host.netns_directory, paths)
    if path is None:
        raise UsageError(_no_namespace(namespace, host))
    return path


def snapshot(host: Host | None = None) -> State:
    """What is on the machine: the host's own namespace and every named one."""
    with open_session(host) as session:
        return session.snapshot()


def _judge(seen: Observation) -> Status:
    name, problems, own = seen.topology.name, seen.problems(), seen.records.own
    # What an empty topology once was is unknown, unless its text was kept.
    lost = seen.topology == Topology(name=name) and not (own and (own.text or own.file))
    ended = tuple(
        seen.topology.diagnose(problem, severity="warning") for problem in seen.resolution.ended
    )
    problems = (*problems, *ended)
    if not seen.todo.operations and not problems:  # what `down` left in place is not ours to delete
        return Status(name, "down" if lost else "up", seen.todo, notes=_notes(seen))
    state: StateWord = "drifted" if seen.is_up else "down"
    return Status(name, state, seen.todo, problems, notes=_notes(seen))


def _notes(seen: Observation) -> tuple[Diagnostic, ...]:
    why = seen.records.unreadable
    record = (Diagnostic(why, severity="warning"),) if why else ()
    return (*record, *seen.unreadable)


def _no_namespace(name: str, host: Host) -> Diagnostic:
    names = [found for found, _ in named_namespaces(host.netns_directory)]
    hint = f"namespaces here: {', '.join(names[:12])}" if names else "no namespace has a name here"
    meant = nearest(name, names)
    if meant:
        hint = f"did you mean {meant}? {hint}"
    return Diagnostic(f"unknown namespace: {name}", hint=hint)
