"""Services in namespaces that a watch made again."""

from collections.abc import Callable

from vlanlink.errors import ConflictError
from vlanlink.host import Host
from vlanlink.planning.plan import Plan
from vlanlink.watcher.event import Event


def restart_services(host: Host, done: Plan, report: Callable[[Event], None]) -> None:
    """Restart the services of new namespaces: they go on in those that are gone until then."""
    made = {c.name for c in done.changes if (c.action, c.object) == ("create", "namespace")}
    if not made or not host.has_services():
        return
    from vlanlink.boot import services

    try:
        services.restart(done.topology, host, made)
    except ConflictError as error:
        report(Event("failed", done.topology, diagnostics=error.diagnostics))
