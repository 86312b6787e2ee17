"""A topology without its record: what it changed on things that are not its own. Pure.

Such changes bear no mark. The file says what they are, and nothing says how things were before.
Each is reported with the command that restores it, ``VALUE`` standing for what is unknown.
"""

from collections.abc import Iterator

from vlanlink.desired.parent_names import foreign_parents, held_by_host
from vlanlink.errors import Problem, shell_word
from vlanlink.model import Link, State
from vlanlink.store.record import Records
from vlanlink.topology import Topology


def is_lost(topology: str, observed: State, records: Records) -> bool:
    """Whether the topology had a record: links with its mark, or an unreadable file, show it."""
    if records.own is not None:
        return False
    return records.unreadable is not None or any(
        link.owner == topology for link in observed.links()
    )


def may_have_been_brought_up(parent: Link, observed: State) -> bool:
    """Whether vlanlink may have brought a parent up.

    A parent with addresses or routes of the host's is the host's own, and stays up.
    """
    routes = (route for route in observed.host.routes if not route.ours)
    return parent.up and parent.owner is None and not held_by_host(parent, routes)


def uncertain_parent(parent: str) -> Problem:
    """The warning for a parent that may have been down. Most were not, so it isn't a failure."""
    message = f"{parent} stays up: the record of whether it was up before is lost"
    return Problem((), message, f"ip link set {shell_word(parent)} down, if it was down before")


def uncertain_parents(written: Topology, observed: State, records: Records) -> Iterator[Problem]:
    """A warning for each parent that may have been down, and that no other topology records."""
    for name in foreign_parents(written, observed):
        parent = observed.host.links[name]
        known = any(name in record.parents for record in records.others)
        if may_have_been_brought_up(parent, observed) and not known:
            yield uncertain_parent(name)


def lost_routes(written: Topology, left: State, records: Records) -> Iterator[str]:
    """The command for each route of the file that is ``left`` on a link of somebody else's.

    A route that another topology's record claims stays.
    """
    asked = {(str(route.to), route.dev) for route in written.host.routes}
    claimed = {route for record in records.others for route in record.routes}
    for route in sorted(left.host.routes, key=str):
        if (route.to, route.dev) in asked and ("", str(route)) not in claimed:
            yield f"ip {'-6 ' if route.family == 6 else ''}route delete {route}"
