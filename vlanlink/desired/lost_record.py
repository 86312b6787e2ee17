"""What a lost record leaves: changes of things that are not ours, which bear no mark. Pure.

The file tells what they are, nothing tells how they were before. Each is told with the command that
puts it back, ``VALUE`` in the place of what nobody knows.
"""

from collections.abc import Iterator

from vlanlink.desired.parent_names import held_by_host, parents_of_others
from vlanlink.errors import Problem
from vlanlink.model import Link, State
from vlanlink.store.record import Records
from vlanlink.topology import Topology


def is_lost(topology: str, observed: State, records: Records) -> bool:
    """Whether the topology had a record: what bears its mark tells, or what is left of the file."""
    if records.own is not None:
        return False
    return records.torn or any(link.owner == topology for link in observed.links())


def may_have_been_set_up(parent: Link, observed: State) -> bool:
    """Whether a parent may be up by our doing.

    One that the host has addresses or routes on is the host's own: nobody would set that down.
    """
    routes = (route for route in observed.host.routes if not route.ours)
    return parent.up and parent.owner is None and not held_by_host(parent, routes)


def doubt(parent: str) -> Problem:
    """What is said of a parent that may have been down: most were not, so it is no failure."""
    message = f"{parent} stays up: the record that told whether it was up before is lost"
    return Problem((), message, f"ip link set {parent} down, if it was down before")


def uncertain_parents(written: Topology, observed: State, records: Records) -> Iterator[Problem]:
    """Each parent that may have been down, and that nobody else sees to."""
    for name in parents_of_others(written, observed):
        parent = observed.host.links[name]
        known = any(name in record.raised for record in records.others)
        if may_have_been_set_up(parent, observed) and not known:
            yield doubt(name)


def lost_routes(written: Topology, left: State, records: Records) -> Iterator[str]:
    """The command for each route of the file on a link that is not its own, if it is ``left``.

    Where other topologies are up, such a route may be one of theirs, and stays.
    """
    asked = {(str(route.to), route.dev) for route in written.host.routes}
    claimed = {route for record in records.others for route in record.routes}
    for route in sorted(left.host.routes, key=str):
        if (route.to, route.dev) in asked and ("", str(route)) not in claimed:
            yield f"ip {'-6 ' if route.family == 6 else ''}route delete {route}"
