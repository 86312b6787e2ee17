"""MACs of a topology's links that other links on the same parent already have. Pure.

The kernel creates such a link, and refuses to set it up.
"""

from collections.abc import Iterator

from vlanlink.desired.builder import Builder
from vlanlink.errors import Problem
from vlanlink.kinds import KINDS
from vlanlink.model import Link, LinkName


def mac_conflicts(builder: Builder) -> Iterator[Problem]:
    """The topology's links with a MAC that a link of somebody else has on their parent."""
    holders: dict[tuple[LinkName | None, object], Link] = {
        (link.parent, link.settings.get("mac")): link
        for link in builder.observed.links()
        if link.parent and link.up and link.owner != builder.name and _has_own_mac(link)
    }
    for link in builder.links.values() if holders else ():
        holder = holders.get((link.parent, link.settings.get("mac")))
        if holder and link.owner == builder.name and _has_own_mac(link):
            yield Problem(
                link.origin,
                f"{link.key} can't have MAC {link.settings['mac']}: {holder.key} has it",
                "write another mac, or leave it out",
                at_key=True,
            )


def _has_own_mac(link: Link) -> bool:
    kind = KINDS.get(link.kind)
    if kind is None:
        return link.kind == "macvtap"
    return bool(kind.rx_handler) and kind.mac(link.settings) == "derived"
