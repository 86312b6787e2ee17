"""The topology file: read, checked, and kept as it was written.

``load`` and ``parse`` give a ``Topology`` or raise a TopologyError with everything that is wrong,
each at its line and column. Nothing here asks the machine.
"""

from vlanlink.topology.load import empty, load, parse, settled
from vlanlink.topology.model import (
    DefaultRoute,
    Endpoint,
    HostRoute,
    HostSection,
    Interface,
    Link,
    Namespace,
    Network,
    Peer,
    Probe,
    Route,
    Shim,
    Subnet,
    Topology,
)
from vlanlink.topology.positions import Source

__all__ = [
    "DefaultRoute",
    "Endpoint",
    "HostRoute",
    "HostSection",
    "Interface",
    "Link",
    "Namespace",
    "Network",
    "Peer",
    "Probe",
    "Route",
    "Shim",
    "Source",
    "Subnet",
    "Topology",
    "empty",
    "load",
    "parse",
    "settled",
]
