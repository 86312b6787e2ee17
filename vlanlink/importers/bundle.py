"""What a source says about networks and containers, whatever its format. Frozen values."""

from collections.abc import Mapping

from vlanlink.dataclass import dataclass, field
from vlanlink.importers.node import Node, Place

KINDS = ("macvlan", "ipvlan")
"""Drivers whose networks are carried over."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A subnet of a network, with Docker's key names."""

    place: Place
    subnet: Node
    gateway: Node
    ip_range: Node
    aux_addresses: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Network:
    """A network."""

    name: str
    place: Place
    driver: str = "bridge"
    options: Mapping[str, Node] = field(default_factory=dict)
    pools: tuple[Pool, ...] = ()
    internal: bool = False
    ipv6: bool = True
    """False: its IPv6 subnets are not used."""
    ipam_driver: str = "default"
    external: bool = False
    """Defined in another place, under ``real_name``."""
    real_name: str = ""
    config_from: str = ""
    """The network whose options and subnets it has."""
    config_only: bool = False
    implied_gateway: bool = True
    """A gateway left out is the first address."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A container's interface on a network."""

    network: str
    place: Place
    addresses: tuple[Node, ...] = ()
    mac: Node | None = None
    running: tuple[Node, ...] = ()
    """The addresses that it has now, ADDRESS/LENGTH."""
    running_mac: Node | None = None
    link_local: tuple[Node, ...] = ()
    priority: int = 0
    gateway_priority: int = 0
    interface: str = ""
    sysctls: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Container:
    """A container or service, and what it wants of the network."""

    name: str
    place: Place
    attachments: tuple[Attachment, ...] = ()
    mode: Node | None = None
    """A network mode that isn't a network: host, none, container:NAME."""
    sysctls: Mapping[str, Node] = field(default_factory=dict)
    ports: tuple[Node, ...] = ()
    hosts: tuple[Node, ...] = ()
    dns: tuple[Node, ...] = ()
    search: tuple[Node, ...] = ()
    mac: Node | None = None
    """Of its first interface."""
    replicas: int = 1
    service: str = ""
    """Its name in a compose file, where the container has another one."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """All networks and containers of a source, in the order in which they start."""

    networks: Mapping[str, Network] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    name: str = ""
    has_running: bool = False
    """The source knows the present addresses of containers."""
