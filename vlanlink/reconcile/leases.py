"""``leases``: which addresses are leased here, and to whom; giving some back."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address

from vlanlink.errors import ApplyError, ConflictError, Diagnostic, TopologyError, UsageError
from vlanlink.host import boot_id, since_boot
from vlanlink.inventory import Lease, list_dhcp_leases, list_leases
from vlanlink.kernel.snapshot import Wanted
from vlanlink.model import State
from vlanlink.reconcile.lookup import copy_of, is_enabled, unknown
from vlanlink.reconcile.observation import marked_topologies
from vlanlink.reconcile.session import Session, kernel_errors
from vlanlink.store.attached import AttachmentKey
from vlanlink.store.dhcp_leases import DhcpLeases
from vlanlink.store.kept import Kept
from vlanlink.store.leases import Leases
from vlanlink.topology import Topology


def leases_of(session: Session, topology: str | None) -> tuple[Lease, ...]:
    """The leases of a topology, or of all. Raises UsageError for an unknown one."""
    contents, kept = session.store.contents(), session.store.every_lease()
    by_dhcp = session.store.every_dhcp_lease()
    paths = {name: path for record in contents.records for name, path in record.paths.items()}
    lessees = frozenset(space for one in kept.values() for _, space, _ in one.addresses)
    lessees |= {space for one in by_dhcp.values() for space, _ in one.held}
    known = {*kept, *by_dhcp, *contents.topologies}
    anybody = topology is not None and topology not in known
    session.machine.wanted = Wanted(
        paths=paths,
        topologies=tuple(contents.topologies),
        whole=lessees,
        links=None if anybody else frozenset(),
        evidence=session.evidence(contents),
    )
    with kernel_errors():
        state = session.machine.snapshot()
    known |= marked_topologies(state)
    if topology is not None and topology not in known and not is_enabled(session, topology):
        raise UsageError(unknown(topology, sorted(known)))
    wanted = {name: found for name, found in kept.items() if topology in (None, name)}
    live = {(name, one.key) for name in wanted for one in session.attachments(name).live}
    asked = {name: found for name, found in by_dhcp.items() if topology in (None, name)}
    return (*list_leases(wanted, state, live), *_by_dhcp(session, asked, state, live))


def _by_dhcp(
    session: Session,
    leases: Mapping[str, DhcpLeases],
    state: State,
    live: Collection[tuple[str, AttachmentKey]],
) -> Iterator[Lease]:
    clock = boot_id(), since_boot()
    for name, found in leases.items():
        topology = Topology(name=name)
        own = session.records(name).own
        with suppress(TopologyError):  # a copy that can't be read names no networks
            if own and own.text:
                topology = copy_of(own)
        attached = {
            (key[1], lease.interface): (key[0], (name, key) in live)
            for key, lease in session.store.leases(name).attachments.items()
        }
        yield from list_dhcp_leases(topology, found, attached, clock, state)


def release(
    session: Session, topology: str | None, addresses: Collection[str]
) -> tuple[Lease, ...]:
    """Give leases back, all or none; those that are left.

    Raises UsageError for an address that is not leased, or to several topologies; ConflictError
    for one in use.
    """
    leases = leases_of(session, topology)
    found = [_the_one(leases, topology, _canonical(text)) for text in addresses]
    in_use = [_in_use(lease) for lease in found if lease.in_use]
    if in_use:
        raise ConflictError(*dict.fromkeys(in_use))
    topologies = {lease.topology for lease in found}
    left = {
        name: session.store.leases(name).without(
            {lease.address for lease in found if lease.topology == name}
        )
        for name in topologies
    }
    _write(session, left)
    return tuple(lease for lease in leases if lease not in found)


def _write(session: Session, left: Mapping[str, Leases]) -> None:
    """Write the leases that are left, of all topologies or none. Raises ApplyError."""
    kept = Kept(())
    try:
        kept = session.store.keep(*left)
        for name, leases in left.items():
            session.store.release(name, leases)
    except OSError as error:
        message = f"can't write {error.filename or 'the leases'}: {error.strerror}"
        raise ApplyError(Diagnostic(message), not_undone=kept.restore()) from None
    finally:
        kept.discard()


def _canonical(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        hint = "write it without a prefix, as vlanlink leases shows it"
        raise UsageError(Diagnostic(f"{text} is not an address", hint=hint)) from None


def _the_one(leases: Collection[Lease], topology: str | None, address: str) -> Lease:
    found = [lease for lease in leases if lease.address == address and lease.server is None]
    server = next((one for one in leases if one.address == address and one.server), None)
    if server and not found:
        message = f"{address} is a lease of the DHCP server {server.server}"
        hint = "the next up asks for it again; until then it ends at the server by itself"
        if server.in_use:
            hint = f"vlanlink down {server.topology} --forget gives back all that it has"
        raise UsageError(Diagnostic(message, hint=hint))
    names = list(dict.fromkeys(lease.topology for lease in found))
    if not found:
        whose = f"topology {topology} leases no {address}" if topology else None
        hint = "vlanlink leases lists them"
        raise UsageError(Diagnostic(whose or f"no topology leases {address}", hint=hint))
    if len(names) > 1:
        hint = f"name one: vlanlink leases {names[0]} --release {address}"
        raise UsageError(Diagnostic(f"topologies {_listed(names)} lease {address}", hint=hint))
    return next((lease for lease in found if lease.in_use), found[0])


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _in_use(lease: Lease) -> Diagnostic:
    message = f"{lease.address} is in use by {lease.endpoint}"
    detach = f"vlanlink detach {lease.topology}/{lease.network} {lease.namespace} gives it back"
    hint = detach if lease.attached else f"vlanlink down {lease.topology} first"
    return Diagnostic(message, hint=hint)
