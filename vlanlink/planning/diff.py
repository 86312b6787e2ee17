"""Two States and their difference for one topology. Pure."""

from vlanlink.dataclass import dataclass, field
from vlanlink.errors import Problem
from vlanlink.model import LOOPBACK_KIND, Address, Link, LinkName, Route, State


@dataclass(frozen=True, slots=True)
class Readdressing:
    """How the addresses of a link change."""

    kept: frozenset[Address] = frozenset()
    early: tuple[Address, ...] = ()
    """Added before others are removed."""
    removed: tuple[Address, ...] = ()
    promotes: bool = False
    """A primary address goes whose subnet keeps others."""
    bare: bool = False
    """For a moment the link has no IPv4 address, so its IPv4 routes go."""


@dataclass(slots=True)
class Diff:
    """Two States, and what differs in them for what one topology owns."""

    observed: State
    desired: State
    topology: str
    warnings: list[Problem] = field(default_factory=list)
    conflicts: list[Problem] = field(default_factory=list)
    recreated: dict[LinkName, str] = field(default_factory=dict)
    """The links that can't change in place, each with the reason."""
    readdressing: dict[LinkName, Readdressing] = field(default_factory=dict)
    """Of our links that stay with other addresses: how these change."""
    lost_routes: dict[str, set[Route]] = field(default_factory=dict)
    """By namespace, the routes that the kernel removes with addresses."""
    new_index: dict[LinkName, int] = field(default_factory=dict)
    """The ifindexes of links to be made."""

    def mine(self, link: Link) -> bool:
        """Whether the topology made it, or takes it back. The kernel makes ``lo`` itself."""
        wanted = self.desired.link(link.key)
        taken = wanted is not None and wanted.owner == self.topology
        return (link.owner == self.topology or taken) and link.kind != LOOPBACK_KIND

    def lives_on(self, link: Link) -> bool:
        """Whether an observed link is neither removed nor recreated."""
        return link.owner != self.topology or (
            self.desired.link(link.key) is not None and link.key not in self.recreated
        )

    def index(self, key: LinkName | None) -> int:
        """The ifindex of a link, observed or to be made; 0 if there is none."""
        if key is None:
            return 0
        if key in self.new_index:
            return self.new_index[key]
        link = self.observed.link(key)
        return link.index if link else 0


def depth(state: State, link: Link) -> int:
    """How many parents are below a link."""
    if link.parent is None:
        return 0
    found, seen = 0, {link.key}
    parent = state.link(link.parent)
    while parent and parent.key not in seen:
        seen.add(parent.key)
        found, parent = found + 1, state.link(parent.parent)
    return found


def route_order(route: Route) -> tuple[bool, bool, str, int, int, str, str, str, bool]:
    """A total order: on-link routes first, which routes through a gateway may need."""
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
