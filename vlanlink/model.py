"""The values that travel between the stages: a machine's network, observed or desired.

A ``State`` is a set of network namespaces with links, addresses, routes and sysctls. The snapshot
of a machine and the resolved topology are both States. An observed State has everything that is
there, a desired one only what is asked for.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from vlanlink.dataclass import dataclass, field
from vlanlink.errors import Path
from vlanlink.host import HOST as HOST  # noqa: PLC0414 - part of a State's vocabulary
from vlanlink.host import is_topology_name

LOOPBACK: Final = "lo"
LOOPBACK_KIND: Final = "loopback"

TABLE_MAIN: Final = 254
TABLE_LOCAL: Final = 255
"""linux/rtnetlink.h. Lookups ask table local first (ip-rule(8))."""

_PROTOCOLS: Final = {
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    9: "ra",
    11: "zebra",
    12: "bird",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}

VLAN_AWARE: Final = "vlan_filtering"
"""The setting of a bridge that filters by VLAN."""


def self_vlan(vlan: int) -> str:
    """The setting of a VLAN-aware bridge that opens a VLAN to the host itself."""
    return f"{SELF_VLAN}{vlan} self"


SELF_VLAN: Final = "bridge vlan "

NAMELESS: Final = "?"
"""Begins the name of an owner that is not a topology of this host: six hex digits of its mark
follow, and the name in its alias."""


def owner_in_words(owner: str) -> str:
    """``topology office``, or what is known of an owner that is not this host's."""
    if not owner.startswith(NAMELESS):
        return f"topology {owner}"
    name = owner.partition(" ")[2]
    return f"topology {name} of another network namespace" if name else "an unknown topology"


Setting = str | int | bool | tuple[str, ...] | tuple[tuple[int, int], ...] | None


class LinkName(NamedTuple):
    """A link by the namespace that it is in (``HOST`` for the host's own) and its name there."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """``web/eth0``, or ``eth0`` for a link on the host; else ``eth0 of pid 4711 (sleep)``."""
        if {" ", "/"} & set(self.namespace):
            return f"{self.name} of {self.namespace}"
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Address:
    """An address with its prefix, in canonical text: ``192.0.2.1/24``.

    ``ours`` tells whether vlanlink put it there, ``tentative`` whether the kernel still asks the
    LAN if it is taken (RFC 4862). Two addresses are equal when their text and broadcast are.
    """

    text: str
    broadcast: str | None = None
    """IPv4: another broadcast address than the subnet's; empty: none, though the subnet has one."""
    ours: bool = field(default=True, compare=False)
    tentative: bool = field(default=False, compare=False)
    permanent: bool = field(default=True, compare=False)
    """Neither learnt from a router advertisement nor with a lifetime."""
    nodad: bool = field(default=False, compare=False)
    """Put there without the kernel's own duplicate detection (IFA_F_NODAD)."""
    unproven: bool = field(default=False, compare=False)
    """Desired: the LAN was not asked yet whether it is free."""
    chosen: bool = field(default=False, compare=False)
    """Desired: derived, not written in the file."""
    global_scope: bool = field(default=False, compare=False)
    """An IPv4 link-local address that may be the source of packets to anywhere (NAT)."""
    temporary: bool = field(default=False, compare=False)
    """One of those that change by the day (IFA_F_TEMPORARY, RFC 8981)."""
    seconds: int | None = field(default=None, compare=False)
    """Seconds that it stays valid; None: forever. Not compared."""
    by_dhcp: bool = field(default=False, compare=False)
    """Desired: a DHCP server gave it."""

    @property
    def family(self) -> int:
        """4 or 6."""
        return family_of(self.text)

    @property
    def link_local(self) -> bool:
        """Whether it is an fe80::/10 address, which the kernel gives every link that is up."""
        return self.text.startswith(("fe8", "fe9", "fea", "feb"))

    @property
    def bare(self) -> str:
        """The address without its prefix."""
        return self.text.partition("/")[0]


def family_of(text: str) -> int:
    """4 or 6, for an address or a prefix in text."""
    return 6 if ":" in text else 4


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route. ``to`` is a prefix; the default route is ``0.0.0.0/0`` or ``::/0``."""

    to: str
    dev: str
    via: str | None = None
    metric: int = 0
    src: str | None = None
    table: int = TABLE_MAIN
    onlink: bool = False
    ours: bool = field(default=True, compare=False)
    origin: Path = field(default=(), compare=False)
    by_advertisement: bool = field(default=False, compare=False)
    """Learnt from a router advertisement (RTPROT_RA)."""
    protocol: int = field(default=0, compare=False)
    """Observed, of a foreign route: who added it (linux/rtnetlink.h RTPROT_*)."""
    selective: bool = field(default=False, compare=False)
    """Observed: only for packets with a TOS or from a source prefix."""

    @property
    def family(self) -> int:
        """4 or 6."""
        return family_of(self.to)

    @property
    def slot(self) -> tuple[str, int, int]:
        """Destination, metric and table: a namespace has at most one route for each."""
        return self.to, self.metric, self.table

    @property
    def whose(self) -> str:
        """``protocol dhcp``: the protocol as `ip route` names it."""
        return f"protocol {_PROTOCOLS.get(self.protocol, self.protocol)}"

    def __str__(self) -> str:
        """As `ip route` writes it."""
        words = ["default" if self.to in ("0.0.0.0/0", "::/0") else self.to]
        words += ["via", self.via] if self.via else []
        words += ["dev", self.dev]
        words += ["src", self.src] if self.src else []
        words += ["metric", str(self.metric)] if self.metric else []
        table = "local" if self.table == TABLE_LOCAL else str(self.table)
        words += ["table", table] if self.table != TABLE_MAIN else []
        words += ["onlink"] if self.onlink else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class DhcpClient:
    """How an endpoint asks for its address."""

    client_id: bytes | None = None
    """Option 61; None: the MAC."""
    hostname: str | None = None
    vendor_class: str | None = None
    shares_mac: bool = False
    """Other links have the same MAC (ipvlan); the transaction id identifies replies."""
    timeout: float = 15.0
    """How long ``up`` waits for a lease."""
    probes: int = 2
    """ARP probes for an address before it is used; 0: none."""
    probe_seconds: float = 1.0
    hears_routers: bool = False
    """It takes name servers from router advertisements, too (RFC 8106)."""


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface.

    ``settings`` holds ``up``, ``mtu``, ``mac``, ``altnames``, the options of the kind, the IPv6
    policy (``disable_ipv6``, ``accept_ra``, ``accept_dad``: the sysctls of these names) and the
    ARP policy of a shim (``arp_filter``, ``arp_announce``, ``arp_ignore``, also sysctls). An
    observed link has all that are known, a desired one only those asked for.

    ``owner`` is the topology whose mark it bears, None for what vlanlink did not make. A desired
    link without owner is foreign: only its named settings are asked for.
    """

    name: str
    kind: str
    namespace: str = HOST
    parent: LinkName | None = None
    peer: LinkName | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    defaults: Mapping[str, Setting] = field(default_factory=dict, compare=False)
    """Desired: the value of a setting that is not asked for any more (the parent's MTU)."""
    addresses: tuple[Address, ...] = ()
    owner: str | None = None
    labelled: bool = field(default=True, compare=False)
    """The mark is whole. A kill between its two halves leaves a link owned but not labelled."""
    index: int = field(default=0, compare=False)
    """Interface index; 0 if not created yet."""
    parent_index: int = field(default=0, compare=False)
    master: str | None = field(default=None, compare=False)
    """The bridge or bond that it is a port of."""
    carrier: bool = field(default=True, compare=False)
    wifi_client: bool = field(default=False, compare=False)
    """A Wi-Fi link that sends under its own MAC alone."""
    nic_mac: str | None = field(default=None, compare=False)
    """Observed, of a NIC: the MAC that tells it from all others, whatever MAC is set."""
    dhcp: DhcpClient | None = field(default=None, compare=False)
    """Desired: it asks for an address by DHCP."""
    origin: Path = field(default=(), compare=False)
    """The entry of the topology that it comes from, for messages."""
    key: LinkName = field(init=False, compare=False, repr=False)
    """Where it is and what it is called."""

    def __post_init__(self) -> None:
        """Compute the key once: it is used often."""
        object.__setattr__(self, "key", LinkName(self.namespace, self.name))

    @property
    def awaits_lease(self) -> bool:
        """Desired: it is to have an address by DHCP, and no server gave one yet."""
        return self.dhcp is not None and not any(one.by_dhcp for one in self.addresses)

    def to_dict(self) -> dict[str, object]:
        """The JSON form. Parent and peer are written ``NAMESPACE/NAME``, the host's bare."""
        return {
            "name": self.name,
            "kind": self.kind,
            "parent": str(self.parent) if self.parent else None,
            "peer": str(self.peer) if self.peer else None,
            "settings": dict(self.settings),
            "addresses": [address.text for address in self.addresses],
            "owner": self.owner,
        }

    @property
    def up(self) -> bool:
        """Whether it is set up (IFF_UP), whatever its carrier."""
        return bool(self.settings.get("up"))


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace and what is in it.

    ``path`` is where it is found, None for the host's own. ``owner`` is the topology that made
    it (the mark stands on its ``lo``), None for one that was there before.
    """

    name: str
    path: str | None = None
    links: Mapping[str, Link] = field(default_factory=dict)
    routes: frozenset[Route] = frozenset()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """By path, ``net/ipv4/ip_forward``; observed: only those that were read."""
    owner: str | None = None
    made: bool = True
    """Observed: it is there. One that is not has only the sysctls that a new one starts with."""
    origin: Path = field(default=(), compare=False)
    pids: tuple[int, ...] = field(default=(), compare=False)
    """Observed: the processes that run in it."""
    aliases: tuple[str, ...] = field(default=(), compare=False)
    """Observed: its other names."""
    identity: int = field(default=0, compare=False)
    """Observed: a number that no other namespace has until the next boot."""
    recorded: bool = field(default=False, compare=False)
    """Observed: a topology's record says what in it is ours, whatever its marks say."""
    stranger: bool = field(default=False, compare=False)
    """Observed: it has no name of its own; ``name`` is that of its holder."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form; routes are written as `ip route` has them."""
        return {
            "path": self.path,
            "owner": self.owner,
            "links": [link.to_dict() for link in self.links.values()],
            "routes": sorted(map(str, self.routes)),
        }


@dataclass(frozen=True, slots=True)
class Resolver:
    """Name servers, and the domains in which short names are looked up (resolv.conf(5))."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


NETNS_FILES: Final = ("resolv.conf", "hosts", "nsswitch.conf")
"""The files that vlanlink writes for a namespace."""

FileKey = tuple[str, str]
"""A namespace's name, and the name of a file."""

_FILE_MARK: Final = r"# Written by vlanlink for topology (\S+): .*\n"


def marked_file(text: str, topology: str) -> str:
    """``text`` below the line that says whose file it is."""
    return f"# Written by vlanlink for topology {topology}: edits are overwritten.\n{text}"


@dataclass(frozen=True, slots=True)
class NetnsFile:
    """A file in /etc/netns/NAMESPACE, which replaces that in /etc for the namespace's processes."""

    namespace: str
    name: str
    text: str
    path: str = field(default="", compare=False)
    """Observed: where it is."""
    origin: Path = field(default=(), compare=False)

    @property
    def key(self) -> FileKey:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def owner(self) -> str | None:
        """The topology that the first line names; None for a file that vlanlink did not write."""
        found = re.match(_FILE_MARK, self.text)
        return found[1] if found and is_topology_name(found[1]) else None

    @property
    def body(self) -> str:
        """The text without its mark."""
        return re.sub(_FILE_MARK, "", self.text, count=1)


@dataclass(frozen=True, slots=True)
class Stray:
    """A link of a topology's in a namespace without a name, where it was moved."""

    owner: str
    holder: str
    """Who holds the namespace: ``pid 4711 (sleep 1000)``."""
    path: str
    """Of the namespace."""
    link: str
    mac: str | None = None
    addresses: frozenset[str] = frozenset()
    """Bare."""


@dataclass(frozen=True, slots=True)
class State:
    """A machine's network: observed or desired."""

    namespaces: Mapping[str, Namespace]
    unread: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Observed: names in the netns directory that can't be read as a network, and why."""
    files: Mapping[FileKey, NetnsFile] = field(default_factory=dict)
    """Files of single namespaces; observed, also those of namespaces that don't exist."""
    strays: tuple[Stray, ...] = field(default=(), compare=False)
    """Observed, where namespaces without a name were looked through."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form: the namespaces by name, the host's own under ``""``."""
        spaces = self.namespaces.items()
        return {"namespaces": {name: namespace.to_dict() for name, namespace in spaces}}

    @property
    def host(self) -> Namespace:
        """The namespace that vlanlink is started in."""
        return self.namespaces[HOST]

    def links(self) -> Iterator[Link]:
        """Every link of every namespace."""
        for namespace in self.namespaces.values():
            yield from namespace.links.values()

    def link(self, key: LinkName | None) -> Link | None:
        """The link of that namespace and name, if there is one."""
        if key is None or key.namespace not in self.namespaces:
            return None
        return self.namespaces[key.namespace].links.get(key.name)

    def children(self, parent: LinkName) -> Iterator[Link]:
        """Links on ``parent``, in any namespace."""
        return (link for link in self.links() if link.parent == parent)


def show(value: Setting) -> str:
    """A setting as a user would write it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        parts = [f"{p[0]}:{p[1]}" if isinstance(p, tuple) else p for p in value]
        return ",".join(parts) or "none"
    return str(value)
