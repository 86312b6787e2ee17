"""``logs``: the journal of a topology's unit."""

from collections.abc import Generator

from vlanlink.boot.journal import LogEntry, entries
from vlanlink.host import Host
from vlanlink.kernel.features import missing_capabilities
from vlanlink.reconcile.lookup import need_name
from vlanlink.reconcile.session import open_session
from vlanlink.topology import Topology, empty
from vlanlink.topology.load import Heading


def logs(
    topology: str | Topology | Heading,
    host: Host | None = None,
    *,
    follow: bool = False,
    lines: int | None = None,
) -> Generator[LogEntry, None, None]:
    """The journal of a topology's unit, oldest first; with ``lines`` only that many, the newest.

    With ``follow`` the iterator waits for new entries; ``close()`` ends it. Raises UsageError for
    an invalid name and, where the process may read vlanlink's files, for an unknown one;
    ConflictError if journalctl is missing or fails, PrivilegeError if the user may not read the
    system's journal.
    """
    name = topology if isinstance(topology, str) else topology.name
    if isinstance(topology, str):
        empty(name)
        if not missing_capabilities():
            with open_session(host) as session:
                need_name(session, name)
    return entries(name, follow=follow, lines=lines)
