"""The topology file: read, checked, and kept as written.

``load`` and ``parse`` return a ``Topology`` or raise a TopologyError with everything that is
wrong, each problem at its line and column. Nothing here asks the machine.
"""

from vlanlink.topology.load import empty, load, parse, validated
from vlanlink.topology.model import (
    EndpointConfig,
    HostConfig,
    InterfaceConfig,
    LinkConfig,
    NamespaceConfig,
    NetworkConfig,
    PeerConfig,
    Topology,
)
from vlanlink.topology.parts import (
    DefaultRouteConfig,
    DhcpConfig,
    HostRouteConfig,
    InterfaceDhcpConfig,
    ProbeConfig,
    RouteConfig,
    ShimConfig,
    SubnetConfig,
)
from vlanlink.topology.positions import Source

__all__ = [
    "DefaultRouteConfig",
    "DhcpConfig",
    "EndpointConfig",
    "HostConfig",
    "HostRouteConfig",
    "InterfaceConfig",
    "InterfaceDhcpConfig",
    "LinkConfig",
    "NamespaceConfig",
    "NetworkConfig",
    "PeerConfig",
    "ProbeConfig",
    "RouteConfig",
    "ShimConfig",
    "Source",
    "SubnetConfig",
    "Topology",
    "empty",
    "load",
    "parse",
    "validated",
]
