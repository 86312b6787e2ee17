"""Attachments under a watch: their ends are noted, and containers attached again."""

import time

from vlanlink.attachment.attach import attach
from vlanlink.attachment.container import find_container
from vlanlink.attachment.value import Attachment
from vlanlink.errors import VlanlinkError
from vlanlink.host import Host
from vlanlink.reconcile.attached import with_ends
from vlanlink.reconcile.session import Session
from vlanlink.store.attached import AttachmentRecord
from vlanlink.store.leases import Leases

_SOONEST, _LATEST = 1.0, 30.0
"""Seconds between two questions about a container; the longer it is away, the fewer."""


def note_ends(session: Session, topology: str) -> tuple[AttachmentRecord, ...]:
    """Note the attachments that have ended since the last look; these.

    The records of containers stay: they may come back. Call it under the lock.
    """
    before = session.store.leases(topology)
    found = session.attachments(topology, before)
    if not found.ended:
        return ()
    live = {*(one.key for one in found.live), *found.lost}
    session.store.write_leases(topology, with_ends(before, live))
    for one in found.ended:
        if one.container is None:
            session.store.remove_attachment(topology, one.key)
    return tuple(one for one in found.ended if _ended(before, one) is None)


def absent(session: Session, topology: str) -> tuple[tuple[AttachmentRecord, ...], float | None]:
    """The containers that are away, and in how many seconds to ask for them; None: never."""
    leases = session.store.leases(topology)
    away = tuple(one for one in session.attachments(topology, leases).ended if one.container)
    now = time.time()
    ages = [now - (_ended(leases, one) or now) for one in away]
    return away, min((max(_SOONEST, min(_LATEST, age / 4)) for age in ages), default=None)


def _ended(leases: Leases, record: AttachmentRecord) -> float | None:
    lease = leases.attachments.get(record.key)
    return lease.ended if lease else 0.0


def attach_again(host: Host, record: AttachmentRecord) -> Attachment | None:
    """Attach a container that runs again; None if it doesn't, or if it can't be."""
    engine, name = record.container or ("", "")
    try:
        find_container(name, (engine,))
        return attach(
            f"{record.topology}/{record.network}",
            host,
            container=name,
            id=record.id,
            interface=record.interface,
        )
    except VlanlinkError:
        return None
