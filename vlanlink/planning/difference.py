"""All that leads from one State to another, in order. Pure."""

from vlanlink.planning.changes import change_links, write_sysctls
from vlanlink.planning.creation import fill, make_links, make_namespaces
from vlanlink.planning.diff import Between
from vlanlink.planning.operations import Operation
from vlanlink.planning.recreation import find_recreated
from vlanlink.planning.removal import drop_addresses, drop_links, drop_routes, gone_links


def difference(between: Between) -> tuple[Operation, ...]:
    """What goes before what comes; its conflicts and warnings are then in ``between``."""
    between.recreated = find_recreated(between)
    gone = list(gone_links(between))
    return (
        *drop_routes(between),
        *drop_addresses(between, {link.key for link in gone}),
        *drop_links(between, gone),
        *make_namespaces(between),
        *write_sysctls(between, late=False),
        *change_links(between),
        *make_links(between),
        *fill(between),
        *write_sysctls(between, late=True),
    )
