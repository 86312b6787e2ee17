"""Numbers (ifindex) for new links. Pure."""

from vlanlink.model import HOST, Link
from vlanlink.planning.diff import Diff

FIRST_INDEX = 10_000
"""Where the numbers of our links begin: above what a kernel's own counter reaches as a rule."""


def allocate(between: Diff, new: list[Link]) -> None:
    """A number for each new link that is free where it is made and on the host.

    The host is where the request is made: there the kernel looks first for a link of that
    number. Links in namespaces of their own share numbers, those of a pair do not, nor does
    one on the host: else the other could not be made anew. One that had a number gets it
    again, also from a link that goes; else a new link has a new one.
    """
    if not new:
        return
    used = {
        name: {link.index for link in space.links.values()}
        for name, space in between.observed.namespaces.items()
    }
    on_host = set(used[HOST])
    anywhere = set().union(*used.values())
    kept = {
        (link.namespace, link.index) for link in between.observed.links() if between.lives_on(link)
    }
    free: dict[str, int] = {}  # below it all are taken, for links of that namespace
    for link in sorted(new, key=lambda link: (not link.index, link.namespace != HOST)):
        taken = used.setdefault(link.namespace, set()) if link.namespace != HOST else anywhere
        number = link.index
        if not number or not kept.isdisjoint({(HOST, number), (link.namespace, number)}):
            number = free.get(link.namespace, FIRST_INDEX)
            while number in taken or number in on_host:
                number += 1
            free[link.namespace] = number
        between.new_index[link.key] = number
        kept.add((link.namespace, number))
        taken.add(number)
        if link.namespace == HOST or link.peer:
            on_host.add(number)
