"""``attach``: an endpoint of a network in a namespace that somebody else owns."""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vlanlink.attachment.lookup import (
    Place,
    find_place,
    learnt_dns,
    leased_before,
    links_by_dhcp,
    need_up,
    partial,
)
from vlanlink.attachment.part import Joined, part_of, reserved
from vlanlink.attachment.tidy import tidy
from vlanlink.attachment.value import Attachment, described
from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.attached import Attached, with_attachments
from vlanlink.desired.context import Context
from vlanlink.desired.links import derived_mac
from vlanlink.desired.reserved import gateways_of_routes
from vlanlink.errors import ApplyError, ConflictError, Diagnostic, UsageError
from vlanlink.host import Host, StrPath
from vlanlink.kernel.netns.target import open_path, open_process
from vlanlink.kernel.snapshot import Wanted
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LinkName, Namespace, owner_in_words
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session, kernel_errors, open_session
from vlanlink.reconcile.up import reconcile
from vlanlink.store.attached import AttachmentLease, AttachmentRecord
from vlanlink.store.lock import LOCK_SECONDS
from vlanlink.store.record import Record, RecordedLink
from vlanlink.topology import Topology, validated, values
from vlanlink.topology.problems import InvalidValue

if TYPE_CHECKING:
    from vlanlink.attachment.container import Container

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ESRCH)
_ANYWHERE = {"0.0.0.0/0": "4", "::/0": "6"}


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for, and the open namespace that it is asked for."""

    id: str
    interface: str | None
    addresses: tuple[str, ...]
    mac: str | None
    descriptor: int
    path: str
    """Where others find the namespace."""
    container: "Container | None"

    @property
    def here(self) -> str:
        """The open namespace as a path."""
        return f"/proc/self/fd/{self.descriptor}"


def attach(
    network: str,
    host: Host | None = None,
    *,
    pid: int | None = None,
    path: StrPath | None = None,
    container: str | None = None,
    id: str | None = None,  # noqa: A002 - as the command line has it
    interface: str | None = None,
    addresses: Sequence[str] = (),
    mac: str | None = None,
    lock_timeout: float = LOCK_SECONDS,
) -> Attachment:
    """Make an endpoint of TOPOLOGY/NETWORK in the namespace of a process, path or container.

    Addresses and MAC belong to ``id`` until it is detached: the next ``attach`` with it gets the
    same. ``id`` is the container's name, or derived from pid or path, if it is left out.
    ``interface`` is eth0 if left out. On a network with ``dhcp`` it waits for an address, unless
    ``addresses`` says which.

    Raises UsageError, TopologyError for invalid addresses, ConflictError where the machine stands
    in the way, ApplyError and Interrupted after undoing, PrivilegeError.
    """
    need_privilege("attaching to a network")
    with _opened(pid, path, container) as (descriptor, where, found):
        name = id or _default_id(where, found)
        if not _ID.fullmatch(name):
            hint = "use up to 100 letters, digits, '.', '_' and '-': --id ID"
            raise UsageError(Diagnostic(f"{name!r} is not a valid id", hint=hint))
        wanted = tuple(_canonical(word, values.entry) for word in addresses)
        mac = _canonical(mac, values.mac) if mac else None
        asked = _Request(name, interface, wanted, mac, descriptor, where, found)
        with open_session(host) as session, session.locked(lock_timeout):
            return _attach(session, find_place(session, network), asked)


@contextmanager
def _opened(
    pid: int | None, path: StrPath | None, container: str | None
) -> "Iterator[tuple[int, str, Container | None]]":
    """The namespace, open; a path of it; its container. Raises UsageError, ConflictError."""
    if [pid, path, container].count(None) != 2:
        raise UsageError(Diagnostic("name one of pid, path and container"))
    found = _found(container) if container is not None else None
    pid = found.pid if found else pid
    where = f"/proc/{pid}/ns/net" if path is None else os.path.abspath(path)
    try:
        descriptor = open_path(where) if pid is None else open_process(pid)
    except OSError as error:
        what = f"process {pid}" if pid is not None else where
        fault = "there is no" if error.errno in _MISSING else "can't open the"
        message = f"{fault} network namespace at {what}: {error.strerror}"
        raise ConflictError(Diagnostic(message)) from None
    try:
        yield descriptor, where, found
    finally:
        os.close(descriptor)


def _found(name: str) -> "Container":
    from vlanlink.attachment.container import find_container  # it starts processes

    return find_container(name)


def _default_id(path: str, container: "Container | None") -> str:
    if container:
        return container.name
    process = re.match(r"/proc/(\d+)/", path)
    return f"pid-{process[1]}" if process else os.path.basename(path)


def _attach(session: Session, place: Place, asked: _Request) -> Attachment:
    own, topology = need_up(place)
    key = (place.network, asked.id)
    identity = _identify(session, asked)
    _refuse_elsewhere(session, topology, asked, identity)
    before = session.store.attachment(place.name, key)
    same = _of_same_id(session, topology, asked)
    wanted = partial(session, place, {asked.id: asked.here}, same)
    space = _target(session, wanted, asked)
    lease = _lease(session, place, topology, asked)
    _refuse_taken(place, topology, asked)
    _refuse_taken_mac(place, topology, asked)
    _refuse_other_id(session, place, asked, space, identity)
    record = AttachmentRecord(
        topology=place.name,
        network=place.network,
        id=asked.id,
        interface=lease.interface,
        path=asked.path,
        inode=identity[0],
        cookie=identity[1],
        boot=session.machine.boot,
        container=(asked.container.engine, asked.container.name) if asked.container else None,
        default_routes=_default_routes(space, lease.interface),
    )
    attached = Attached(record, lease, asked.here)
    seen = _observed(session, place, own, topology, attached, before, wanted)
    problems = seen.problems()
    if problems:
        raise ConflictError(*problems)
    with _recorded(session, record, before):
        reconcile(session, seen)
        done = _done(session, place, topology, record)
    old = place.leases.attachments.get(key)
    if old and (gone := {*old.bare} - {text.partition("/")[0] for text in done.addresses}):
        tidy(session, own, session.store.leases(place.name), place.network, gone)
    return done


def _identify(session: Session, asked: _Request) -> tuple[int, int]:
    with kernel_errors():
        identity = session.machine.identify(asked.here)
    if identity[1] == session.machine.identity:
        message = f"{asked.path} is the host's own network namespace"
        hint = "attach a process that has one of its own, or add a shim to the network"
        raise ConflictError(Diagnostic(message, hint=hint))
    return identity


def _refuse_elsewhere(
    session: Session, topology: Topology, asked: _Request, identity: tuple[int, int]
) -> None:
    """An id means one namespace."""
    if asked.id in topology.namespaces:
        message = f"{asked.id} is a namespace of topology {topology.name}"
        raise ConflictError(Diagnostic(message, hint="choose another id: --id ID"))
    for network in topology.networks:
        other = session.store.attachment(topology.name, (network, asked.id))
        there = (other.inode, other.cookie) if other else identity
        if other and there != identity and session.machine.find_namespaces({there: other.path}):
            where = f"{topology.name}/{network}"
            message = f"{asked.id} is attached to {where} in another namespace ({other.path})"
            hint = f"choose another id (--id ID), or vlanlink detach {where} {asked.id}"
            raise ConflictError(Diagnostic(message, hint=hint))


def _target(session: Session, wanted: Wanted, asked: _Request) -> Namespace:
    session.machine.wanted = wanted
    with kernel_errors():
        state = session.machine.snapshot()
    space = state.namespaces.get(asked.id)
    if space is None:
        raise ConflictError(Diagnostic(f"the namespace at {asked.path} is gone"))
    if space.owner is not None:
        message = f"the namespace at {asked.path} is one of {owner_in_words(space.owner)}"
        hint = "write its interface in that topology's file"
        raise ConflictError(Diagnostic(message, hint=hint))
    return space


def _of_same_id(
    session: Session, topology: Topology, asked: _Request
) -> tuple[AttachmentRecord, ...]:
    keys = ((network, asked.id) for network in topology.networks)
    found = (session.store.attachment(topology.name, key) for key in keys)
    return tuple(one for one in found if one)


def _refuse_other_id(
    session: Session, place: Place, asked: _Request, space: Namespace, identity: tuple[int, int]
) -> None:
    """A namespace has one id in a topology: its links are found by it."""
    if not any(link.parent and link.parent.namespace == HOST for link in space.links.values()):
        return
    for one in session.store.attached(place.name):
        if (one.inode, one.cookie) == identity and one.id != asked.id:
            message = f"the namespace is attached to {place.name} with the id {one.id} already"
            raise ConflictError(Diagnostic(message, hint=f"use that one: --id {one.id}"))


def _refuse_taken(place: Place, topology: Topology, asked: _Request) -> None:
    """Addresses of the topology's own endpoints, and those that other ids keep."""
    parents = {name: network.parent or name for name, network in topology.networks.items()}
    taken = reserved(topology, place.leases)
    for (network, name), lease in place.leases.attachments.items():
        other = (network, name) != (place.network, asked.id)
        if other and parents.get(network) == parents[place.network]:
            taken |= dict.fromkeys(lease.bare, f"attachment {name}")
    for text in asked.addresses:
        holder = taken.get(text.partition("/")[0])
        if holder:
            hint = "choose another address, or leave it out: a free one is chosen"
            raise ConflictError(Diagnostic(f"{holder} has {text}", hint=hint))


def _refuse_taken_mac(place: Place, topology: Topology, asked: _Request) -> None:
    """MACs that other ids keep, and those that the file gives its endpoints."""
    macs = {
        lease.mac: f"attachment {key[1]}"
        for key, lease in place.leases.attachments.items()
        if key != (place.network, asked.id)
    }
    for space, namespace in topology.namespaces.items():
        macs |= {one.mac: f"{space}/{name}" for name, one in namespace.interfaces.items()}
    holder = macs.get(asked.mac) if asked.mac else None
    if holder:
        hint = "choose another MAC, or leave it out: one is derived from the id"
        raise ConflictError(Diagnostic(f"{holder} has MAC {asked.mac}", hint=hint))


def _canonical(word: str, spelled: Callable[[str], str]) -> str:
    """An address or MAC as the kernel writes it; others are refused by the checks that follow."""
    try:
        return spelled(word)
    except InvalidValue:
        return word


def _lease(session: Session, place: Place, topology: Topology, asked: _Request) -> AttachmentLease:
    """The lease of the id, with what is asked for now."""
    before = place.leases.attachments.get((place.network, asked.id))
    network = topology.networks[place.network]
    derived = KINDS[network.kind].mac(network.options) == "derived"
    if asked.mac and not derived:
        what = f"{place.name}/{place.network} is {network.kind}, whose links use their parent's MAC"
        raise UsageError(Diagnostic(what, hint="leave out --mac"))
    mac = asked.mac or (before.mac if before else None)
    if mac is None and derived:
        identity = session.host.identity()
        mac = derived_mac(identity, place.name, f"{place.network}/{asked.id}", "attachment")
    interface = asked.interface or (before.interface if before else "eth0")
    if before is None or asked.addresses not in ((), before.asked):
        return AttachmentLease(interface, mac, asked=asked.addresses)
    return replace(before, interface=interface, mac=mac, ended=None)


def _default_routes(space: Namespace, interface: str) -> dict[str, bool]:
    """False for each family in which the namespace has a default route of its own."""
    return {
        _ANYWHERE[route.to]: False
        for route in space.routes
        if route.to in _ANYWHERE and route.dev != interface
    }


def _observed(
    session: Session,
    place: Place,
    own: Record,
    topology: Topology,
    attached: Attached,
    before: AttachmentRecord | None,
    wanted: Wanted,
) -> Observation:
    part, key = part_of(topology), attached.key
    validated(with_attachments(part, [attached]))
    old = place.leases.attachments.get(key)
    leases = replace(place.leases, attachments={**place.leases.attachments, key: attached.lease})
    known = session.store.dhcp_leases(place.name)
    had = leased_before(known, key, old, before)
    context = Context(
        place.contents.of(place.name),
        session.host.identity(),
        leases,
        place.other_leases,
        known=known,
        attached=(attached,),
        reserved=reserved(topology, place.leases),
        avoided=dict(gateways_of_routes(topology)),
    )
    kept = attached.lease.addresses
    joined = Joined(
        key,
        own,
        place.leases,
        frozenset({attached.record.interface, *([before.interface] if before else [])}),
        had | frozenset(old.bare if old and old.addresses != kept else ()),
    )
    seen = session.observe_part(part, context, wanted, joined)
    return replace(seen, had_lease=links_by_dhcp(known, key[1], joined.interfaces))


@contextmanager
def _recorded(
    session: Session, record: AttachmentRecord, before: AttachmentRecord | None
) -> Iterator[None]:
    """Keep the record that is written before the first change, unless that is undone."""
    try:
        session.store.write_attachment(record)
    except OSError as error:
        message = f"can't write {error.filename or 'the record'}: {error.strerror}"
        raise ConflictError(Diagnostic(message, hint="nothing was changed")) from None
    try:
        yield
    except BaseException as error:
        undone = not getattr(error, "not_undone", ())
        if undone and before is None:
            session.store.remove_attachment(record.topology, record.key)
        elif undone and before is not None:
            session.store.write_attachment(before)
        raise


def _done(
    session: Session, place: Place, topology: Topology, record: AttachmentRecord
) -> Attachment:
    """The attachment as it is now, with its link in its record."""
    lease = session.store.leases(place.name).attachments.get(record.key)
    with kernel_errors():
        state = session.machine.snapshot()
    link = state.link(LinkName(record.id, record.interface))
    if lease is None or link is None:
        what = "its lease was removed" if lease is None else "its namespace ended"
        message = f"{record.id} is not attached: {what} meanwhile"
        raise ApplyError(Diagnostic(message, hint="attach it again"))
    mac = link.settings.get("mac")
    found = RecordedLink(link.index, link.kind, str(mac) if mac else None)
    session.store.write_attachment(replace(record, link=found))
    dns = learnt_dns(session, topology, record.network, (record.id, record.interface))
    return described(place.name, record.key, lease, state, session.host, dns)
