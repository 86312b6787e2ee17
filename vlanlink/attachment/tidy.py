"""Remove from the host what only an attachment's former addresses needed."""

from collections.abc import Collection
from contextlib import suppress

from vlanlink.attachment.unused import Tidied, are_last, is_used
from vlanlink.dataclass import replace
from vlanlink.errors import ConflictError
from vlanlink.planning.plan import plan
from vlanlink.reconcile.lookup import copy_of
from vlanlink.reconcile.session import Session
from vlanlink.reconcile.up import reconcile
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record


def tidy(session: Session, own: Record, left: Leases, network: str, gone: Collection[str]) -> None:
    """Remove what only the addresses in ``gone`` needed: parents, the shim, or a part of it.

    All else is left as it is.
    """
    topology = copy_of(own)
    if is_used(topology, left, network) and not are_last(topology, left, network, gone):
        return
    seen = session.observe(topology)
    tidied = Tidied(own)
    resolution = tidied(seen.observed, seen.resolution)
    todo = plan(seen.observed, resolution.desired, own.topology)
    with suppress(ConflictError):  # ``status`` tells
        reconcile(session, replace(seen, resolution=resolution, todo=todo, narrowed=tidied))
