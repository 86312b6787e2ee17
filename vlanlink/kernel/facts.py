"""What is known of a machine, and what a topology asks of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlanlink.model import Link, State

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
class MachineFacts:
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
        """The value of a sysctl, by path; None where it is unknown."""
        namespace = self.state.namespaces.get(space)
        return namespace.sysctls.get(key) if namespace else None

    def nic(self, link: Link) -> Nic:
        """What is known besides of a link."""
        return self.nics.get(link.name, Nic())
