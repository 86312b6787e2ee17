"""The attachments of a topology: which are live, which have ended."""

import time
from collections.abc import Collection, Iterator

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.attached import Attached
from vlanlink.errors import Diagnostic
from vlanlink.kernel.machine import Machine
from vlanlink.model import HOST, State, Stray
from vlanlink.store.attached import AttachmentKey, AttachmentLease, AttachmentRecord
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases


@dataclass(frozen=True, slots=True)
class Attachments:
    """The attachments of a topology that have a record."""

    live: tuple[Attached, ...] = ()
    ended: tuple[AttachmentRecord, ...] = ()
    """Their namespace is gone."""
    lost: tuple[AttachmentKey, ...] = ()
    """Live ones, by their lease, whose record is lost."""


def find_attachments(
    store: Store, machine: Machine, topology: str, leases: Leases | None
) -> Attachments:
    """The attachments of a topology, told apart by whether their namespace is still there."""
    records = store.attached(topology)
    kept = (leases or store.leases(topology)).attachments
    places = {(one.inode, one.cookie): one.path for one in records}
    found = machine.find_namespaces(places) if places else {}
    live, ended = [], []
    for one in records:
        path, lease = found.get((one.inode, one.cookie)), kept.get(one.key)
        if path and lease and one.boot == machine.boot:
            live.append(Attached(one, lease, path))
        else:
            ended.append(one)
    recorded = {one.key for one in records}
    lost = (key for key, one in kept.items() if one.ended is None and key not in recorded)
    return Attachments(tuple(live), tuple(ended), tuple(lost))


def still_somewhere(
    topology: str, lost: Collection[AttachmentKey], leases: Leases, observed: State
) -> Iterator[AttachmentKey]:
    """Those of the ``lost`` whose link is in a namespace that was looked at."""
    links = {(one.mac, one.addresses) for one in observed.strays if one.owner == topology}
    links |= {
        (str(one.settings.get("mac")), frozenset(address.bare for address in one.addresses))
        for one in observed.links()
        if one.owner == topology and one.namespace != HOST
    }
    for key in lost:
        lease = leases.attachments[key]
        macs = {mac for mac, _ in links} if lease.mac else set()
        if lease.mac in macs or any(not held.isdisjoint(lease.bare) for _, held in links):
            yield key


def is_lease_of(lease: AttachmentLease, link: Stray) -> bool:
    """Whether an attachment has the lease by that link."""
    if link.link != lease.interface:
        return False
    return link.mac == lease.mac if lease.mac else not link.addresses.isdisjoint(lease.bare)


def lost_record(topology: str, key: AttachmentKey) -> Diagnostic:
    """The warning about an attachment whose record is lost."""
    network, name = key
    message = f"the record of attachment {name} to {topology}/{network} is lost"
    hint = f"attach it again, or remove its link: vlanlink detach {topology}/{network} {name}"
    return Diagnostic(message, hint=hint, severity="warning")


def with_ends(leases: Leases, live: Collection[AttachmentKey]) -> Leases:
    """The leases, those without a live attachment having ended at the latest now."""
    now, keys = time.time(), set(live)
    found = {
        key: lease if key in keys or lease.ended is not None else replace(lease, ended=now)
        for key, lease in leases.attachments.items()
    }
    return replace(leases, attachments=found) if found else leases
