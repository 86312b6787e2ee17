"""``attachments``: those that are live, and the ids that keep addresses."""

from collections.abc import Iterator
from contextlib import suppress

from vlanlink.attachment.lookup import need_network
from vlanlink.attachment.value import Attachment, described
from vlanlink.errors import TopologyError, UsageError
from vlanlink.host import Host
from vlanlink.kernel.snapshot import Wanted
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.lookup import is_enabled, stored, unknown
from vlanlink.reconcile.session import Session, kernel_errors, open_session


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
    for key, lease in leases.attachments.items():
        yield described(topology, key, lease, state if key in live else None, session.host)
