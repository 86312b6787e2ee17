"""What is known of a machine, and what a topology asks of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlanlink.desired.conflicts import stands_on
from vlanlink.errors import Diagnostic
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, State
from vlanlink.topology import Topology

FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
"""What makes a namespace a router, by family."""
ROUTER_SYSCTLS = frozenset(FORWARDING.values())

Presence = Literal["there", "loadable", "missing", "unknown"]
Manager = Literal["NetworkManager", "systemd-networkd"]


@dataclass(frozen=True, slots=True)
class Nic:
    """What netlink does not tell of a link of the host."""

    driver: str = ""
    """As `ethtool -i` names it; empty where the link has none."""
    virtual_function: bool = False
    """A slice of another NIC (SR-IOV)."""
    promiscuous: bool = False
    """Set so by hand; what a capture asks for while it runs does not count."""
    managers: tuple[Manager, ...] = ()


@dataclass(frozen=True, slots=True)
class DockerNetwork:
    """A network that Docker's daemon keeps on a parent."""

    name: str
    kind: str
    parent: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Those of the link kind, under our names: ``mode``, ``flag``."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A machine as found. What could not be found out is absent, and is not judged."""

    state: State
    kernel: tuple[int, int]
    root: bool = True
    missing_capabilities: tuple[str, ...] = ()
    kinds: Mapping[str, Presence] = field(default_factory=dict)
    """Whether the kernel has each link kind, or a module of it."""
    nics: Mapping[str, Nic] = field(default_factory=dict)
    vendor: str = ""
    """Who made the machine and what it is called, as the firmware tells (DMI)."""
    docker: tuple[DockerNetwork, ...] = ()
    identity: str = ""

    @property
    def whole(self) -> bool:
        """Whether every namespace could be looked into."""
        return not self.missing_capabilities

    def sysctl(self, space: str, key: str) -> str | None:
        """The value of a sysctl, by slashed key; None where it is unknown."""
        namespace = self.state.namespaces.get(space)
        return namespace.sysctls.get(key) if namespace else None

    def nic(self, link: Link) -> Nic:
        """What is known besides of a link."""
        return self.nics.get(link.name, Nic())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a topology asks of the machine."""

    topology: Topology
    wanted: Mapping[LinkName, Link]
    """Its links as they shall be."""
    conflicts: tuple[Diagnostic, ...] = ()
    """What `up` would refuse it for."""
    sysctls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What it writes, by namespace and slashed key."""


def standing_on(facts: Facts, asked: Asked | None) -> Iterator[tuple[Link, tuple[Link, ...]]]:
    """The host's links that matter as parents, each with what stands on it, or shall.

    For a topology those are its parents; else every device, and whatever carries something.
    """
    links = tuple(asked.wanted.values()) if asked else tuple(facts.state.links())
    wanted = asked.wanted if asked else {}
    above: dict[LinkName, list[Link]] = {}
    for link in links:
        for below in stands_on(link, wanted, facts.state):
            above.setdefault(below.key, []).append(link)
    for link in facts.state.host.links.values():
        mine = tuple(above.get(link.key, ()))
        device = link.kind == "device" and link.name != LOOPBACK and not asked
        if link.key.namespace == HOST and (mine or device):
            yield link, mine


def has_own_mac(link: Link) -> bool:
    """Whether a link sends under a MAC that is not its parent's."""
    kind = KINDS.get(link.kind)
    return kind is not None and kind.has_parent and kind.mac(link.settings) == "derived"
