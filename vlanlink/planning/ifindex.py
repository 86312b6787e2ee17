"""Ifindexes for new links. Pure."""

from vlanlink.model import HOST, Link
from vlanlink.planning.diff import Diff

FIRST_INDEX = 10_000
"""The first ifindex of our links: above what the kernel's own counter usually reaches."""


def allocate(diff: Diff, new: list[Link]) -> None:
    """Allocate an ifindex for each new link, free where it is made and on the host.

    Requests are made on the host, where the kernel first looks for a link of that index. Links
    in different namespaces may share an index, but not the two ends of a pair, nor a link with
    one on the host: the other could not be recreated. A link that had an index gets it again,
    even from a link that is removed; else it gets a new one.
    """
    if not new:
        return
    used = {
        name: {link.index for link in space.links.values()}
        for name, space in diff.observed.namespaces.items()
    }
    on_host = set(used[HOST])
    anywhere = set().union(*used.values())
    kept = {(link.namespace, link.index) for link in diff.observed.links() if diff.lives_on(link)}
    free: dict[str, int] = {}  # by namespace: all below are taken
    for link in sorted(new, key=lambda link: (not link.index, link.namespace != HOST)):
        taken = used.setdefault(link.namespace, set()) if link.namespace != HOST else anywhere
        number = link.index
        if not number or not kept.isdisjoint({(HOST, number), (link.namespace, number)}):
            number = free.get(link.namespace, FIRST_INDEX)
            while number in taken or number in on_host:
                number += 1
            free[link.namespace] = number
        diff.new_index[link.key] = number
        kept.add((link.namespace, number))
        taken.add(number)
        if link.namespace == HOST or link.peer:
            on_host.add(number)
