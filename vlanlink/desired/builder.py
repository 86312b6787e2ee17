"""A desired State under construction, shared by ``resolve`` and its parts."""

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.desired.addressing import Addressing
from vlanlink.desired.context import Context
from vlanlink.desired.defined import defines
from vlanlink.desired.lost_record import is_lost
from vlanlink.errors import Path, Problem
from vlanlink.model import HOST, LOOPBACK, LOOPBACK_KIND, Link, LinkName, Namespace, Route, State
from vlanlink.store.record import OriginalLink, Records
from vlanlink.topology import EndpointConfig, Topology


@dataclass(slots=True)
class Builder:
    """The input (the first four fields), and the result so far."""

    topology: Topology
    observed: State
    context: Context
    addressing: Addressing
    links: dict[LinkName, Link] = field(default_factory=dict)
    routes: dict[str, set[Route]] = field(default_factory=dict)
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    parents: dict[str, OriginalLink] = field(default_factory=dict)
    """Parents that vlanlink did not make, as they were before the first ``up``."""
    ended: dict[str, Problem] = field(default_factory=dict)
    """Namespaces given by pid or path that were used before and are gone."""
    aside: set[str] = field(default_factory=set)
    """Namespaces that stay as they are."""
    may_take_parent: set[LinkName] = field(default_factory=set)
    """Links that may take their parent from the host."""
    conflicts: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    record_lost: bool = field(init=False)
    """The topology's record is lost."""

    def __post_init__(self) -> None:
        """Look for a lost record once: that walks through all links."""
        self.record_lost = is_lost(self.name, self.observed, self.records)

    @property
    def name(self) -> str:
        """The topology's name."""
        return self.topology.name

    @property
    def records(self) -> Records:
        """How things were before vlanlink changed them."""
        return self.context.records

    @property
    def has_ipv6(self) -> bool:
        """False where the kernel runs without IPv6 (ipv6.disable=1 on its command line)."""
        loopback = self.observed.host.links.get(LOOPBACK)
        return loopback is None or "disable_ipv6" in loopback.settings

    def refuse_leaving(self, key: LinkName, path: Path) -> None:
        """Add a conflict if the file names a link of ours at ``path``, but no longer defines it.

        One that was handed over to the topology, which never defined it, stays as it is.
        """
        seen = self.observed.link(key)
        if seen is None or seen.owner != self.name or key in self.links:
            return
        if not defines(self.records.own, key):
            self.keep(seen)
            return
        message = f"{key} is deleted with this change: the file no longer defines it"
        hint = f"define it again under [links.{key.name}], or name another link here"
        self.conflicts.append(Problem(path, message, hint))

    def keep(self, link: Link) -> None:
        """Desire a link as it is, with its peer, its namespace and what is below it."""
        self.links[link.key] = link
        self.keep_namespace(link.namespace, self.name)
        for key in (link.peer, link.parent):
            other = self.observed.link(key)
            if other and other.owner == self.name and other.key not in self.links:
                self.keep(other)

    def keep_namespace(self, name: str, owner: str) -> None:
        """Desire a namespace of the topology's as it is; it is of ``owner`` from now on."""
        seen = self.observed.namespaces.get(name)
        if name == HOST or seen is None or seen.owner != self.name or name in self.namespaces:
            return
        kept = replace(seen, owner=owner, links={}, routes=frozenset(), sysctls={})
        self.namespaces[name] = kept
        for loopback in seen.links.values():
            if loopback.kind == LOOPBACK_KIND:
                self.links[loopback.key] = replace(loopback, owner=owner)

    def add_route(self, namespace: str, route: Route) -> None:
        """Add a route to a namespace."""
        self.routes.setdefault(namespace, set()).add(route)

    def address_place(self, link: Link, address: str) -> Path:
        """Where the file has a link's bare address; the link's own place if it was chosen."""
        entry = self.entry(link)
        for at, text in enumerate((entry.addresses if entry else None) or ()):
            if text.partition("/")[0] == address:
                return (*link.origin, "addresses", at)
        return link.origin

    def entry(self, link: Link) -> EndpointConfig | None:
        """The entry of the file that a link comes from; None for an implied link."""
        match link.origin:
            case ("links", str(name)):
                return self.topology.links[name]
            case ("links", str(name), "peer"):
                return self.topology.links[name].peer
            case ("namespaces", str(namespace), "interfaces", str(name)):
                return self.topology.namespaces[namespace].interfaces[name]
            case ("namespaces", str(namespace), "interfaces", str(name), "peer"):
                return self.topology.namespaces[namespace].interfaces[name].peer
        return None
