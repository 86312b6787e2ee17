"""``disable``: a topology doesn't come up at boot any more."""

from vlanlink import boot
from vlanlink.host import Host
from vlanlink.topology import Topology, empty
from vlanlink.topology.load import Heading


def disable(
    topology: str | Topology | Heading,
    host: Host | None = None,
    *,
    now: bool = False,
    release_units: bool = False,
) -> boot.AtBoot:
    """Don't bring a topology up at boot any more; ``now``: also stop its unit, if active.

    The name, or the heading of its file, is enough. With ``release_units`` the services of its
    namespaces run in the host's own network again, from their next start on. Does nothing if it is
    not enabled. Raises ConflictError if systemd refuses, or while such services are enabled;
    PrivilegeError without root, UsageError for an invalid or unknown name.
    """
    name = empty(topology).name if isinstance(topology, str) else topology.name
    done = boot.disable(name, host, now=now, release_units=release_units)
    if isinstance(topology, str) and not done.steps and not done.notes:
        _need_name(name, host)
    return done


def _need_name(name: str, host: Host | None) -> None:
    from vlanlink.reconcile.lookup import need_name
    from vlanlink.reconcile.session import open_session

    with open_session(host) as session:
        need_name(session, name)
