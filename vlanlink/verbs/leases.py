"""``leases``: the addresses that endpoints keep."""

from collections.abc import Collection

from vlanlink.host import Host
from vlanlink.inventory import Lease
from vlanlink.reconcile.checks import need_privilege
from vlanlink.reconcile.leases import leases_of
from vlanlink.reconcile.leases import release as give_back
from vlanlink.reconcile.session import open_session
from vlanlink.store.lock import LOCK_SECONDS


def leases(
    topology: str | None = None,
    host: Host | None = None,
    *,
    release: Collection[str] = (),
    lock_timeout: float = LOCK_SECONDS,
) -> tuple[Lease, ...]:
    """The addresses that endpoints keep while their topology is down, of one topology or all.

    The addresses in ``release`` are released first, all or none. Raises UsageError for an unknown
    topology and for an address that is not leased, ConflictError for one in use.
    """
    need_privilege("reading the leases")
    with open_session(host) as session:
        if not release:
            return leases_of(session, topology)
        with session.locked(lock_timeout):
            return give_back(session, topology, release)
