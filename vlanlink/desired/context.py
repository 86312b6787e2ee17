"""What ``resolve`` knows besides the topology and the observed State. Pure."""

from collections.abc import Mapping
from dataclasses import field

from vlanlink.dataclass import dataclass
from vlanlink.model import Resolver
from vlanlink.store.leases import Leases
from vlanlink.store.record import Records

ProbeResults = Mapping[tuple[str, str], str | None]
"""The LAN's answers by (network, bare address): the MAC that has the address, None if nobody
answered. A link without a network has its own name in place of the network's."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is kept about the machine, and what the LAN has said so far."""

    records: Records = field(default_factory=Records)
    """How things were before vlanlink changed them."""
    identity: str = ""
    """The machine's identity (machine-id(5))."""
    leases: Leases = field(default_factory=Leases)
    """Addresses that the topology's endpoints were given before."""
    other_leases: Mapping[str, Leases] = field(default_factory=dict)
    """The leases of the host's other topologies."""
    probe_results: ProbeResults = field(default_factory=dict)
    resolvers: Mapping[str, Resolver] = field(default_factory=dict)
    """By namespace, what DHCP answered about name servers."""
    nsswitch: str = ""
    """The host's nsswitch.conf(5)."""
    aside: frozenset[str] = frozenset()
    """Namespaces to leave as they are."""
