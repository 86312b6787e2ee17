"""``detach``: an attachment's link goes, and its addresses and MAC are given back."""

from vlanlink.attachment.lookup import (
    Place,
    find_place,
    leased_before,
    links_by_dhcp,
    lost_place,
    partial,
)
from vlanlink.attachment.part import Joined, part_of
from vlanlink.attachment.tidy import tidy
from vlanlink.dataclass import replace
from vlanlink.desired.context import Context
from vlanlink.errors import Diagnostic, UsageError, nearest
from vlanlink.host import Host
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.lookup import copy_of
from vlanlink.reconcile.session import Session, open_session
from vlanlink.reconcile.up import reconcile
from vlanlink.store.attached import AttachmentKey, AttachmentRecord
from vlanlink.store.lock import LOCK_SECONDS
from vlanlink.store.record import Record


def detach(
    network: str,
    id: str,  # noqa: A002 - as the command line has it
    host: Host | None = None,
    *,
    lock_timeout: float = LOCK_SECONDS,
) -> None:
    """End an attachment to TOPOLOGY/NETWORK, and forget its addresses and MAC.

    Raises UsageError for an unknown one, ConflictError, ApplyError and Interrupted as ``attach``.
    """
    need_privilege("detaching from a network")
    with open_session(host) as session, session.locked(lock_timeout):
        place = find_place(session, network)
        key = (place.network, id)
        record = session.store.attachment(place.name, key)
        if record is None and key not in place.leases.attachments:
            raise UsageError(_unknown(place, id))
        others = {k: lease for k, lease in place.leases.attachments.items() if k != key}
        left = replace(place.leases, attachments=others)
        own = place.own if place.own and place.own.text else None
        if own:
            _take_away(session, place, own, key, record)
        else:
            session.store.write_leases(place.name, left)
        session.store.remove_attachment(place.name, key)
        _forget_dhcp(session, place, key, record)
        lease = place.leases.attachments.get(key)
        if own:
            tidy(session, own, left, place.network, lease.bare if lease else ())


def _unknown(place: Place, name: str) -> Diagnostic:
    known = [one for network, one in place.leases.attachments if network == place.network]
    meant = nearest(name, known)
    hint = f"did you mean {meant}?" if meant else "vlanlink attachments lists them"
    where = f"{place.name}/{place.network}"
    return Diagnostic(f"unknown attachment to {where}: {name}", hint=hint)


def _take_away(
    session: Session,
    place: Place,
    own: Record,
    key: AttachmentKey,
    record: AttachmentRecord | None,
) -> None:
    lease = place.leases.attachments.get(key)
    left = {k: one for k, one in place.leases.attachments.items() if k != key}
    known = session.store.dhcp_leases(place.name)
    context = Context(
        place.contents.of(place.name),
        session.host.identity(),
        replace(place.leases, attachments=left),
        place.other_leases,
        known=known,
    )
    interfaces = {one.interface for one in (record, lease) if one}
    had = leased_before(known, key, lease, record)
    gone = had | frozenset(lease.bare if lease else ())
    joined = Joined(key, own, place.leases, frozenset(interfaces), gone)
    topology = copy_of(own)
    keys = ((network, key[1]) for network in topology.networks)
    same = [one for k in keys if (one := session.store.attachment(place.name, k))]
    wanted = partial(session, place, _paths(session, place, key, record), same)
    seen = session.observe_part(part_of(topology), context, wanted, joined)
    reconcile(session, replace(seen, had_lease=links_by_dhcp(known, key[1], interfaces)))


def _forget_dhcp(
    session: Session, place: Place, key: AttachmentKey, record: AttachmentRecord | None
) -> None:
    """Forget its DHCP lease, which expires at the server."""
    known, lease = session.store.dhcp_leases(place.name), place.leases.attachments.get(key)
    gone = {(key[1], one.interface) for one in (lease, record) if one}
    if gone & known.endpoints:
        session.store.edit_dhcp_leases(place.name, lambda now: now.without(gone))


def _paths(
    session: Session, place: Place, key: AttachmentKey, record: AttachmentRecord | None
) -> dict[str, str]:
    """Where the namespace is; nowhere if it is gone."""
    if record is None:
        where = lost_place(session, place, key)
        return {key[1]: where} if where else {}
    identity = (record.inode, record.cookie)
    found = session.machine.find_namespaces({identity: record.path})
    return {record.id: found[identity]} if found else {}
