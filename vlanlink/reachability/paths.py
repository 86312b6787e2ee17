"""The path of packets from a namespace to an address, over the links of a State. Pure.

It follows the kernel's rules as far as a State has the data: longest prefix, then metric
(ip-route(8)); every link of a namespace answers for its IPv4 addresses, only the address's own link
for an IPv6 one (ip-sysctl.rst, arp_ignore); layer 3 links have no neighbours, and their parent's
namespace routes what is for none of them (Documentation/networking/ipvlan.rst).
"""

from enum import StrEnum

from vlanlink.dataclass import dataclass, replace
from vlanlink.kinds import KINDS
from vlanlink.model import (
    HOST,
    Address,
    Link,
    LinkName,
    Namespace,
    Route,
    State,
    family_of,
)
from vlanlink.reachability.routing import Routing
from vlanlink.reachability.segments import Block, Segment, Segments
from vlanlink.sysctl import FORWARDING

_HOPS = 16
_MAX_EQUAL_ROUTES = 64


class Outcome(StrEnum):
    """How a path ends."""

    ARRIVES = "arrives"
    OUTSIDE = "leaves the topology"
    NO_ROUTE = "no route"
    NO_RETURN_PATH = "no return path"
    NOT_FORWARDED = "not forwarded"
    NOBODY = "nobody there"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Path:
    """A path, how it ends, and why."""

    outcome: Outcome
    reason: str
    at: str = HOST
    """The namespace where it ends."""
    block: Block = Block.NONE
    link: LinkName | None = None
    """The egress link; None if the namespace has the address itself."""
    next_hop: str | None = None
    """The neighbour on that link."""
    source: str | None = None
    """The source address."""
    ingress_links: tuple[LinkName, ...] = ()
    """The link by which it enters each namespace on the way."""


_Step = tuple[str, str, str | None, int]
"""Where packets are, where they go, by which link, and how many hops are left."""


def title(namespace: str) -> str:
    """A namespace's name for messages."""
    return namespace or "host"


class Paths:
    """The paths of a State."""

    def __init__(self, state: State, segments: Segments) -> None:
        self.state = state
        self.segments = segments
        self._routing = Routing(state)
        self._found: dict[_Step, Path] = {}  # several routes can lead to one namespace
        self._held = {name: _addresses(space) for name, space in state.namespaces.items()}
        self._had: dict[str, frozenset[str]] = {}
        self._holders: dict[str, list[str]] = {}
        for name, held in self._held.items():
            for address in held:
                self._holders.setdefault(address, []).append(name)
        self._on: dict[tuple[Segment, str], list[Link]] = {}
        """The links that are up, by segment and namespace."""
        self._having: dict[tuple[Segment, str], list[Link]] = {}
        """The links that are up, by segment and address."""
        for link in state.links():
            if link.up:
                self._add(link, segments.of(link))

    def _add(self, link: Link, segment: Segment) -> None:
        self._on.setdefault((segment, link.namespace), []).append(link)
        for address in {held.bare for held in link.addresses}:
            self._having.setdefault((segment, address), []).append(link)

    def _answering(self, segment: Segment, address: str) -> list[Link]:
        """The links on a segment that answer for an address: for IPv4, all of a namespace do."""
        if family_of(address) == 6:
            found = self._having.get((segment, address), [])
        else:
            names = self.holders(address)
            found = [link for name in names for link in self._on.get((segment, name), ())]
        return [link for link in found if not _is_layer3(link)]

    def round_trip(self, namespace: str, address: str, by: Link | None = None) -> Path:
        """The path to an address, if the return path arrives too; else the reason why not."""
        path = self.path(namespace, address, by)
        if path.outcome is not Outcome.ARRIVES or path.link is None:
            return path
        if path.source is None:
            reason = f"{title(namespace)} has no source address"
            return replace(path, outcome=Outcome.NO_ROUTE, reason=reason)
        back = self.path(path.at, path.source, self._scope(path))
        if back.outcome is Outcome.ARRIVES:
            through = [title(key.namespace) for key in path.ingress_links[:-1]]
            reason = f"through {' and '.join(through)}" if through else path.reason
            return replace(
                path, reason=reason, ingress_links=(*path.ingress_links, *back.ingress_links)
            )
        if back.outcome is Outcome.OUTSIDE:
            return replace(path, outcome=Outcome.OUTSIDE, reason=f"return path: {back.reason}")
        reason = f"no return path: {back.reason}"
        return replace(path, outcome=Outcome.NO_RETURN_PATH, reason=reason, block=back.block)

    def _scope(self, path: Path) -> Link | None:
        """The link by which an answer leaves: a link-local address is one of its own link."""
        if not path.source or not Address(path.source).link_local or not path.ingress_links:
            return None
        return self.state.link(path.ingress_links[-1])

    def path(self, namespace: str, address: str, by: Link | None = None) -> Path:
        """The path of packets from a namespace to an address, through link ``by`` if given."""
        return self._from(namespace, address, by, ingress=None, hops=_HOPS)

    def holders(self, address: str) -> list[str]:
        """The namespaces that have the address."""
        return self._holders.get(address, [])

    def has(self, namespace: str, address: str) -> bool:
        """Whether a link of the namespace has the address, up or not."""
        if namespace not in self._had:
            links = self.state.namespaces[namespace].links.values()
            self._had[namespace] = frozenset(a.bare for link in links for a in link.addresses)
        return address in self._had[namespace]

    def answered_by_another(self, namespace: str, target: str, address: str) -> str | None:
        """Why an answer from the address would not be the target's; None if it would be."""
        holders = self.holders(address)
        if namespace in holders:
            return f"{title(namespace)} has {address} too, and answers itself"
        if all(name == target for name in holders):
            return None
        path = self.path(namespace, address)
        if path.outcome is not Outcome.ARRIVES or path.at == target:
            return None
        return f"{title(path.at)} has {address} too, and answers"

    def forwards(self, namespace: str, link: str, family: int) -> bool:
        """Whether the namespace forwards packets that enter by a link."""
        values = self.state.namespaces[namespace].sysctls
        keys = [FORWARDING[family]]
        if family == 4:
            keys = [f"net/ipv4/conf/{link}/forwarding", "net/ipv4/conf/all/forwarding", *keys]
        return next((values[key] for key in keys if key in values), "0") != "0"

    # -- hop by hop ----------------------------------------------------------------------------

    def _from(
        self, at: str, address: str, by: Link | None, *, ingress: LinkName | None, hops: int
    ) -> Path:
        if address in self._held[at]:
            return Path(Outcome.ARRIVES, "", at)
        family = family_of(address)
        if ingress and not self.forwards(at, ingress.name, family):
            return Path(Outcome.NOT_FORWARDED, f"{title(at)} does not forward IPv{family}", at)
        if hops == 0:
            return Path(Outcome.NO_ROUTE, f"there is a routing loop on the path to {address}", at)
        step = (at, address, by.name if by else None, hops)
        if step not in self._found:
            self._found[step] = self._by_routes(at, address, by, hops)
        return self._found[step]

    def _by_routes(self, at: str, address: str, by: Link | None, hops: int) -> Path:
        best = self._routing.best(at, address, by)
        if not best:
            return Path(Outcome.NO_ROUTE, f"{title(at)} has no route to {address}", at)
        found = [self._along(route, at, address, hops) for route in best[:_MAX_EQUAL_ROUTES]]
        if len(best) > len(found) or len({path.outcome for path in found}) > 1:
            reason = f"{title(at)} has several equal routes to {address}"
            return replace(found[0], outcome=Outcome.OUTSIDE, reason=reason)
        return found[0]

    def _along(self, route: Route, at: str, address: str, hops: int) -> Path:
        link = self.state.namespaces[at].links[route.dev]
        if _is_layer3(link):
            found = self._without_neighbours(link, address)
            next_hop = None
        else:
            next_hop = route.via or address
            found = self._by_neighbour(link, next_hop, address, hops)
        source = self._routing.source(link, route, family_of(address))
        return replace(found, link=link.key, next_hop=next_hop, source=source)

    def _by_neighbour(self, link: Link, next_hop: str, address: str, hops: int) -> Path:
        segment = self.segments.of(link)
        blocked: Path | None = None
        for other in self._answering(segment, next_hop):
            if other.key == link.key:
                continue
            adjacency = self.segments.adjacency(link, other)
            if adjacency.joined:
                path = self._from(other.namespace, address, None, ingress=other.key, hops=hops - 1)
                if path.outcome is not Outcome.ARRIVES:
                    return path
                through = (other.key, *path.ingress_links)
                return replace(
                    path, reason=adjacency.reason, block=adjacency.block, ingress_links=through
                )
            blocked = blocked or Path(
                Outcome.BLOCKED, adjacency.reason, link.namespace, adjacency.block
            )
        if blocked:
            return blocked
        if self.segments.is_open(segment):
            beyond = "" if next_hop == address else f" via {next_hop}"
            return Path(Outcome.OUTSIDE, f"leaves through {link.key}{beyond}", link.namespace)
        return Path(
            Outcome.NOBODY, f"nobody on the segment of {link.key} has {next_hop}", link.namespace
        )

    def _without_neighbours(self, link: Link, address: str) -> Path:
        """Through a layer 3 link: to a sibling that has the address, else on from its parent."""
        for other in self._having.get((self.segments.of(link), address), ()):
            if other.key != link.key and other.parent == link.parent and other.master is None:
                adjacency = self.segments.adjacency(link, other)
                if not adjacency.joined:
                    return Path(Outcome.BLOCKED, adjacency.reason, link.namespace, adjacency.block)
                return Path(
                    Outcome.ARRIVES, adjacency.reason, other.namespace, ingress_links=(other.key,)
                )
        parent = self.state.link(link.parent)
        if parent is None:
            return Path(Outcome.OUTSIDE, f"leaves through {link.key}", link.namespace)
        held_by = self._having.get((self.segments.of(parent), address), ())
        if any(other.key == parent.key for other in held_by):
            reason = f"{link.kind} routes through {parent.key}"
            return Path(Outcome.ARRIVES, reason, parent.namespace, ingress_links=(parent.key,))
        if self.segments.is_open(self.segments.of(link)):
            return Path(
                Outcome.OUTSIDE, f"leaves through {parent.key}, as {title(parent.namespace)} routes"
            )
        return Path(Outcome.NOBODY, f"nobody on {parent.key} has {address}", link.namespace)


def _is_layer3(link: Link) -> bool:
    kind = KINDS.get(link.kind)
    return kind is not None and kind.layer3(link.settings)


def _addresses(space: Namespace) -> frozenset[str]:
    links = (link for link in space.links.values() if link.up)
    return frozenset(a.bare for link in links for a in link.addresses)
