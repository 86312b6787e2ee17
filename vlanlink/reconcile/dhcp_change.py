"""DHCP during a change: the keeper pauses, and leases that no endpoint asks for are forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vlanlink.desired.attached import asking_ids
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session


@contextmanager
def keeper_paused(session: Session, seen: Observation) -> Iterator[None]:
    """End the keeper, if one runs, before what it holds goes; start it again after a failure.

    Where the change is about an attachment, the keeper lets go of that alone.
    """
    name = seen.topology.name
    if not session.store.keeper_file(name).exists():
        yield
        return
    from vlanlink.reconcile import keeper_process as process  # other topologies do without

    if seen.narrowed:
        had = process.part_with(session, name, seen.dhcp_keys)
    else:
        had = process.stop(session, name)
    try:
        yield
    except BaseException:
        if had:
            process.restart(session, seen)
        raise


def forget_leases(session: Session, seen: Observation) -> None:
    """Forget leases of endpoints that no longer ask by DHCP; at the servers they expire."""
    name, known = seen.topology.name, seen.context.known.endpoints
    if not known:
        return
    asking = {(link.namespace, link.name) for link in seen.resolution.desired.links() if link.dhcp}
    asking.update(asking_ids(seen.topology, session.store.leases(name)))
    if gone := known - asking:
        with suppress(OSError):  # the next `up` does
            session.store.edit_dhcp_leases(name, lambda now: now.without(gone))
