"""Which links have to be made anew. Pure."""

from vlanlink.model import HOST, Link, LinkName
from vlanlink.planning.diff import Between
from vlanlink.planning.links import why_new


def find_recreated(between: Between) -> dict[LinkName, str]:
    """The links that can't become what is wanted while they live, each with the reason."""
    found: dict[LinkName, str] = {}
    for link in between.observed.links():
        want = between.desired.link(link.key)
        if between.mine(link) and want is not None:
            why = why_new(link, want) or _why_renumbered(between, link, want)
            if why:
                found[link.key] = why
    waiting = list(found)
    while waiting:
        key = waiting.pop()
        fallen = list(between.observed.children(key))
        ending = between.observed.link(key)
        peer = between.observed.link(ending.peer) if ending else None
        fallen += [peer] if peer else []
        for other in fallen:
            if other.key not in found and between.mine(other) and between.desired.link(other.key):
                found[other.key] = f"goes with {key}, which is made anew"
                waiting.append(other.key)
    return found


def _why_renumbered(between: Between, seen: Link, want: Link) -> str | None:
    """Undo knows the number that a link had: what was made in its place meanwhile goes."""
    if want.index in (0, seen.index):
        return None
    spaces = {HOST, seen.namespace}
    staying = [link for link in between.observed.links() if not between.mine(link)]
    for other in (*staying, *between.desired.links()):
        if other.index == want.index and other.key != want.key and other.namespace in spaces:
            return None
    return f"it had the number {want.index}"
