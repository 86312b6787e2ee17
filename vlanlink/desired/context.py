"""Inputs of ``resolve`` other than the topology and the observed State. Pure."""

from collections.abc import Mapping

from vlanlink.dataclass import dataclass, field
from vlanlink.desired.attached import Attached
from vlanlink.store.advertised import Advertised
from vlanlink.store.attached import AttachmentKey
from vlanlink.store.dhcp_leases import DhcpLease, DhcpLeases, Endpoint
from vlanlink.store.keeper_file import Keeper
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
    dhcp: Mapping[Endpoint, DhcpLease] = field(default_factory=dict)
    """The DHCP leases that have not ended."""
    advertised: Mapping[Endpoint, Advertised] = field(default_factory=dict)
    """What routers say of DNS on links that are there, as far as it has not ended."""
    known: DhcpLeases = field(default_factory=DhcpLeases)
    """All DHCP leases that are remembered."""
    keeper: Keeper | None = None
    """The process that renews them."""
    now: float = 0.0
    """Seconds since boot, which leases count in."""
    probe_results: ProbeResults = field(default_factory=dict)
    nsswitch: str = ""
    """The host's nsswitch.conf(5)."""
    aside: frozenset[str] = frozenset()
    """Namespaces to leave as they are."""
    attached: tuple[Attached, ...] = ()
    """The topology's live attachments."""
    lost: tuple[AttachmentKey, ...] = ()
    """Attachments that were live when their record was lost."""
    reserved: Mapping[str, str] = field(default_factory=dict)
    """Bare addresses that nobody may be given, each with its holder."""
    avoided: Mapping[str, str] = field(default_factory=dict)
    """Bare addresses that no new choice takes, each with its holder."""
