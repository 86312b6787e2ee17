"""Two States, what lies between them, and what is asked of that again and again. Pure."""

from dataclasses import dataclass, field

from vlanlink.errors import Problem
from vlanlink.model import LOOPBACK, Link, LinkName, Route, State


@dataclass(slots=True)
class Diff:
    """Two States, and what lies between them for what one topology owns."""

    observed: State
    desired: State
    topology: str
    warnings: list[Problem] = field(default_factory=list)
    conflicts: list[Problem] = field(default_factory=list)
    recreated: dict[LinkName, str] = field(default_factory=dict)
    """The links that can't become what is wanted while they live, each with the reason."""
    new_index: dict[LinkName, int] = field(default_factory=dict)
    """The numbers of links that are to be made."""

    def mine(self, link: Link) -> bool:
        """Whether the topology made it; ``lo`` is made by the kernel, with its namespace."""
        return link.owner == self.topology and link.name != LOOPBACK

    def lives_on(self, link: Link) -> bool:
        """Whether a link that is there neither goes nor is made anew."""
        return link.owner != self.topology or (
            self.desired.link(link.key) is not None and link.key not in self.recreated
        )

    def index(self, key: LinkName | None) -> int:
        """The number of a link that is there or to be made; 0: none."""
        if key is None:
            return 0
        if key in self.new_index:
            return self.new_index[key]
        link = self.observed.link(key)
        return link.index if link else 0


def depth(state: State, link: Link) -> int:
    """How many parents a link has below it."""
    if link.parent is None:
        return 0
    found, seen = 0, {link.key}
    parent = state.link(link.parent)
    while parent and parent.key not in seen:
        seen.add(parent.key)
        found, parent = found + 1, state.link(parent.parent)
    return found


def route_order(route: Route) -> tuple[bool, bool, str, int, int, str, str, str, bool]:
    """On-link routes first, which may carry those through a gateway; no two routes are equal."""
    return (
        route.via is not None,
        route.to in ("0.0.0.0/0", "::/0"),
        route.to,
        route.table,
        route.metric,
        route.dev,
        route.via or "",
        route.src or "",
        route.onlink,
    )
