"""The attachments of a topology: which are live, which have ended."""

import time
from collections.abc import Collection

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.attached import Attached
from vlanlink.kernel.machine import Machine
from vlanlink.store.attached import AttachmentRecord
from vlanlink.store.files import Store
from vlanlink.store.leases import Leases


@dataclass(frozen=True, slots=True)
class Attachments:
    """The attachments of a topology that have a record."""

    live: tuple[Attached, ...] = ()
    ended: tuple[AttachmentRecord, ...] = ()
    """Their namespace is gone."""


def find_attachments(
    store: Store, machine: Machine, topology: str, leases: Leases | None
) -> Attachments:
    """The attachments of a topology, told apart by whether their namespace is still there."""
    records = store.attached(topology)
    kept = (leases or store.leases(topology)).attachments if records else {}
    places = {(one.inode, one.cookie): one.path for one in records}
    found = machine.find_namespaces(places) if places else {}
    live, ended = [], []
    for one in records:
        path, lease = found.get((one.inode, one.cookie)), kept.get(one.key)
        if path and lease and one.boot == machine.boot:
            live.append(Attached(one, lease, path))
        else:
            ended.append(one)
    return Attachments(tuple(live), tuple(ended))


def with_ends(leases: Leases, live: Collection[Attached]) -> Leases:
    """The leases, those without a live attachment having ended at the latest now."""
    now, keys = time.time(), {one.key for one in live}
    found = {
        key: lease if key in keys or lease.ended is not None else replace(lease, ended=now)
        for key, lease in leases.attachments.items()
    }
    return replace(leases, attachments=found) if found else leases
