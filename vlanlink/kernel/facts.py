"""Facts about a machine that `doctor` judges."""

from collections.abc import Mapping
from typing import Literal

from vlanlink.dataclass import dataclass, field
from vlanlink.kernel.policy import Policy
from vlanlink.model import Link, State

Presence = Literal["there", "loadable", "missing", "unknown"]
Manager = Literal["NetworkManager", "systemd-networkd"]


@dataclass(frozen=True, slots=True)
class Nic:
    """Facts about a link of the host that netlink doesn't provide."""

    driver: str = ""
    """Driver name, as in `ethtool -i`; empty if there is none."""
    virtual_function: bool = False
    """True for an SR-IOV virtual function."""
    promiscuous: bool = False
    """Set manually; a running packet capture doesn't count."""
    managers: tuple[Manager, ...] = ()


@dataclass(frozen=True, slots=True)
class DockerNetwork:
    """A Docker network with a parent."""

    name: str
    kind: str
    parent: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the link kind under our names: ``mode``, ``flag``."""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """A machine as observed. Unknown facts are absent and not judged."""

    state: State
    kernel: tuple[int, int]
    root: bool = True
    missing_capabilities: tuple[str, ...] = ()
    kinds: Mapping[str, Presence] = field(default_factory=dict)
    """Availability of each link kind, built in or as a module."""
    nics: Mapping[str, Nic] = field(default_factory=dict)
    vendor: str = ""
    """Vendor and product name from the firmware (DMI)."""
    docker: tuple[DockerNetwork, ...] = ()
    identity: str = ""
    policy: Policy = field(default_factory=Policy)
    """Rules and packet filters of the host's namespace."""

    @property
    def whole(self) -> bool:
        """True if every namespace could be read."""
        return not self.missing_capabilities

    def sysctl(self, space: str, key: str) -> str | None:
        """Value of a sysctl, by path; None if unknown."""
        namespace = self.state.namespaces.get(space)
        return namespace.sysctls.get(key) if namespace else None

    def nic(self, link: Link) -> Nic:
        """The further facts about a link."""
        return self.nics.get(link.name, Nic())
