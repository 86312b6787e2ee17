"""Which topologies something is known of here, by mark, record, lease or copy."""

from collections.abc import Sequence

from vlanlink import boot
from vlanlink.errors import Diagnostic, UsageError, nearest
from vlanlink.host import Host
from vlanlink.kernel.snapshot import Wanted
from vlanlink.model import NAMELESS
from vlanlink.reconcile.session import Observation, files, marked_topologies, opened
from vlanlink.store.files import Store
from vlanlink.store.record import Record
from vlanlink.topology import Topology, load, parse


def known_topologies(host: Host | None = None) -> tuple[str, ...]:
    """The topologies of which something is known here: a record, or a mark in the kernel."""
    host = host or Host()
    records = files(host).records()
    names = {record.topology for record in records}
    with opened(host, Wanted(topologies=tuple(names))) as machine:
        names |= marked_topologies(machine.snapshot())
    return tuple(sorted(name for name in names if not name.startswith(NAMELESS)))


def need_known(look: Observation, store: Store, host: Host) -> None:
    """Raise UsageError if nothing is known of the topology that was looked for."""
    name = look.topology.name
    known = marked_topologies(look.observed) | {*store.leased(), *store.unreadable()}
    at_boot = boot.copy_path(name, host).exists()
    if look.records.own is None and name not in known and not at_boot:
        known |= {record.topology for record in look.records.others}
        raise UsageError(unknown(name, sorted(known)))


def unknown(name: str, known: Sequence[str]) -> Diagnostic:
    """There is no such topology, but there are others."""
    meant = nearest(name, list(known))
    hint = f"known here: {', '.join(known)}" if known else "no topology is up here"
    if meant:
        hint = f"did you mean {meant}? {hint}"
    return Diagnostic(f"nothing is known here of a topology {name}", hint=hint)


def stored(name: str, records: Sequence[Record], host: Host) -> Topology:
    """The topology of a name by the copy that ``up`` or ``enable`` keeps; empty where it is lost.

    Raises UsageError if nothing is known of it.
    """
    for record in records:
        if record.topology == name and record.text:
            return parse(record.text, file=record.file or name)
    at_boot = enabled(name, host)
    if at_boot:
        return at_boot
    store = files(host)
    known = sorted({*known_topologies(host), *store.leased(), *store.unreadable()})
    if name in known:
        return Topology(name=name)
    raise UsageError(unknown(name, known))


def enabled(name: str, host: Host) -> Topology | None:
    """What is to come up at boot under that name."""
    copy = boot.copy_path(name, host)
    return load(copy) if copy.exists() else None
