"""``attachments``: those that are live, and the ids that keep addresses."""

from collections.abc import Collection, Iterator
from contextlib import suppress

from vlanlink.attachment.lookup import learnt_dns, need_network
from vlanlink.attachment.value import Attachment, described
from vlanlink.errors import TopologyError, UsageError
from vlanlink.host import Host
from vlanlink.kernel.snapshot import Wanted
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.lookup import copy_of, is_enabled, stored, unknown
from vlanlink.reconcile.session import Session, kernel_errors, open_session
from vlanlink.store.attached import AttachmentKey
from vlanlink.store.leases import Leases


def attachments(scope: str | None = None, host: Host | None = None) -> tuple[Attachment, ...]:
    """Every attachment, or those of TOPOLOGY or TOPOLOGY/NETWORK, live or ended.

    Raises UsageError for an unknown topology or network.
    """
    need_privilege("listing the attachments")
    topology, _, network = (scope or "").partition("/")
    with open_session(host) as session:
        known = {*session.store.leased(), *session.store.contents().topologies}
        if topology and topology not in known and not is_enabled(session, topology):
            raise UsageError(unknown(topology, sorted(known)))
        names = [topology] if topology else sorted(known)
        found = [one for name in names for one in _of(session, name)]
        if network:
            found = [one for one in found if one.network == network]
        if network and not found:
            with suppress(TopologyError):  # a copy that can't be read tells nothing
                need_network(stored(session, topology), network)
        return tuple(found)


def _of(session: Session, topology: str) -> Iterator[Attachment]:
    leases = session.store.leases(topology)
    if not leases.attachments:
        return
    live = {one.key: one for one in session.attachments(topology, leases).live}
    state = None
    if live:
        paths = {one.id: one.path for one in live.values()}
        evidence = session.evidence(session.store.contents())
        session.machine.wanted = Wanted(
            paths,
            topologies=(topology,),
            whole=frozenset(paths),
            evidence=evidence,
            only=True,
        )
        with kernel_errors():
            state = session.machine.snapshot()
    dns = _name_servers(session, topology, leases, live)
    for key, lease in leases.attachments.items():
        seen = state if key in live else None
        yield described(topology, key, lease, seen, session.host, dns.get(key, ()))


def _name_servers(
    session: Session, topology: str, leases: Leases, live: Collection[AttachmentKey]
) -> dict[AttachmentKey, tuple[str, ...]]:
    own = session.records(topology).own if session.store.dhcp_leases(topology).held else None
    if own is None or not own.text:
        return {}
    try:
        copy = copy_of(own)
    except TopologyError:  # a copy that can't be read tells nothing
        return {}
    return {
        key: learnt_dns(session, copy, key[0], (key[1], leases.attachments[key].interface))
        for key in live
        if key in leases.attachments
    }
