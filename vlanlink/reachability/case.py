"""A probe that differs, the evidence about it, and the causes that evidence can show. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from vlanlink.dataclass import dataclass, field
from vlanlink.kernel.packet.echo import EchoReply
from vlanlink.kernel.packet.neighbours import Hop
from vlanlink.kernel.policy import Policy
from vlanlink.model import Link, LinkName, State
from vlanlink.reachability.expected import GATEWAY, Pair
from vlanlink.reachability.paths import Path, Paths

Found = tuple[str, tuple[str, ...]]
"""A cause and its evidence, for messages."""


class Cause(StrEnum):
    """The causes that measurements can show."""

    MISSING = "missing on this machine"
    DOWN = "link down"
    NO_CARRIER = "parent without carrier"
    NO_ROUTE = "missing route"
    NO_RETURN_ROUTE = "missing return route"
    NOT_FORWARDED = "router does not forward"
    CHANGED = "changed by hand"
    NOT_LISTED = "MAC not in source_macs"
    EXTRA_MACS = "switch drops extra MACs"
    GATEWAY_SILENT = "gateway silent"
    HAIRPIN_OFF = "switch does not reflect frames (hairpin off)"
    HAIRPIN_ON = "switch reflects frames (hairpin on)"
    BRIDGE_VLAN = "VLAN closed on the bridge"
    RP_FILTER = "rp_filter"
    INPUT_FILTER = "packet filter (input)"
    FORWARD_FILTER = "packet filter (forward)"
    IP_RULE = "ip rule ahead of main"
    MAC_TWICE = "MAC used twice"
    OWN_ROUTER = "the host's router is its own endpoint"
    ARP_IGNORE = "arp_ignore"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measurements other than the probe itself."""

    paths: Paths
    """The paths of the observed State."""
    arp_replies: Mapping[tuple[LinkName, str], str | None] = field(default_factory=dict)
    """By parent and address, the MAC that answered; None if nobody did."""
    gateways: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By namespace, the gateways that it reached."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By namespace, packets that its reverse path filter dropped during the retry."""
    undelivered: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """By namespace and family, packets that came in during the retry and were not delivered."""
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """Rules and filters of the namespaces on the paths."""
    routes: Mapping[tuple[str, str], Hop | None] = field(default_factory=dict)
    """By namespace and address, the route that the kernel chooses, where a rule may decide it."""
    doubles: frozenset[tuple[LinkName, str]] = frozenset()
    """Parents, and MACs of links on them that a station on their LAN has, too."""

    @property
    def state(self) -> State:
        """The observed namespaces of the topology."""
        return self.paths.state


@dataclass(frozen=True, slots=True)
class Case:
    """A probe that differs; ``answer`` is None if it could not be sent."""

    pair: Pair
    answer: EchoReply | None
    evidence: Evidence

    @property
    def link(self) -> Link | None:
        """The expected egress link, as observed."""
        return self.evidence.state.link(self.pair.path.link)

    @property
    def parent(self) -> Link | None:
        """The parent of that link."""
        return self.evidence.state.link(self.link.parent) if self.link else None

    @property
    def path(self) -> Path:
        """The observed path."""
        pair, paths = self.pair, self.evidence.paths
        if pair.target == GATEWAY:
            return paths.path(pair.source, pair.address, self.link)
        return paths.round_trip(pair.source, pair.address)
