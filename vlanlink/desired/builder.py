"""A desired State in the making: what ``resolve`` and its helpers write on together."""

from dataclasses import dataclass, field

from vlanlink.desired.addressing import Addressing
from vlanlink.desired.lost_record import is_lost
from vlanlink.errors import Path, Problem
from vlanlink.model import LOOPBACK, Link, LinkName, Namespace, Route, State
from vlanlink.store.record import OriginalLink, Records
from vlanlink.topology import EndpointConfig, Topology


@dataclass(slots=True)
class Builder:
    """What is known (the first five fields), and what it has come to so far."""

    topology: Topology
    observed: State
    records: Records
    identity: str
    addressing: Addressing
    links: dict[LinkName, Link] = field(default_factory=dict)
    routes: dict[str, set[Route]] = field(default_factory=dict)
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    raised: dict[str, OriginalLink] = field(default_factory=dict)
    """Parents that are to be set up, as they were."""
    may_take_parent: set[LinkName] = field(default_factory=set)
    """Links that may take their parent from the host."""
    conflicts: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    lost: bool = field(init=False)
    """The record of how things were is lost."""

    def __post_init__(self) -> None:
        """Look once: it takes a walk through all links."""
        self.lost = is_lost(self.name, self.observed, self.records)

    @property
    def name(self) -> str:
        """The topology's name."""
        return self.topology.name

    @property
    def has_ipv6(self) -> bool:
        """Whether the kernel has IPv6 at all (ipv6.disable=1 on its command line)."""
        loopback = self.observed.host.links.get(LOOPBACK)
        return loopback is None or "disable_ipv6" in loopback.settings

    def add_route(self, space: str, route: Route) -> None:
        """Want a route in a namespace."""
        self.routes.setdefault(space, set()).add(route)

    def address_place(self, link: Link, address: str) -> Path:
        """Where a bare address of a link is written; the link's own place if it was chosen."""
        entry = self.entry(link)
        for at, text in enumerate((entry.addresses if entry else None) or ()):
            if text.partition("/")[0] == address:
                return (*link.origin, "addresses", at)
        return link.origin

    def entry(self, link: Link) -> EndpointConfig | None:
        """The entry of the file that a link comes from; None for one that the file only names."""
        match link.origin:
            case ("links", str(name)):
                return self.topology.links[name]
            case ("links", str(name), "peer"):
                return self.topology.links[name].peer
            case ("namespaces", str(space), "interfaces", str(name)):
                return self.topology.namespaces[space].interfaces[name]
            case ("namespaces", str(space), "interfaces", str(name), "peer"):
                return self.topology.namespaces[space].interfaces[name].peer
        return None
