"""Active networks and their endpoints, for ``ls`` and ``inspect``. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

from vlanlink.dataclass import dataclass
from vlanlink.errors import JSON_VERSION, Diagnostic, UsageError, nearest
from vlanlink.model import HOST, Link, LinkName, State
from vlanlink.store.attached import AttachmentKey
from vlanlink.store.dhcp_leases import DhcpLeases, Endpoint
from vlanlink.store.leases import Leases
from vlanlink.topology import NamespaceConfig, Topology


@dataclass(frozen=True, slots=True)
class ActiveTopology:
    """An active topology, with the subnets picked for networks without any, as observed."""

    topology: Topology
    chosen: Mapping[str, tuple[str, ...]]
    state: State

    def subnets(self, network: str) -> tuple[dict[str, Any], ...]:
        """The subnets of a network, written or picked."""
        written = self.topology.networks[network].subnets
        if written is None:
            return tuple(_subnet(one) for one in self.chosen.get(network, ()))
        return tuple(
            _subnet(
                str(one.subnet),
                str(one.gateway) if one.gateway else None,
                str(one.ip_range) if one.ip_range else None,
                {name: str(ip) for name, ip in one.aux_addresses.items()},
            )
            for one in written
        )


def _subnet(
    subnet: str,
    gateway: str | None = None,
    ip_range: str | None = None,
    aux_addresses: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "subnet": subnet,
        "gateway": gateway,
        "ip_range": ip_range,
        "aux_addresses": aux_addresses or {},
    }


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """An interface on a network, as observed."""

    namespace: str
    interface: str
    mac: str | None
    addresses: tuple[str, ...]
    by_dhcp: tuple[str, ...] = ()
    """Those of the addresses that a DHCP server gave."""

    @property
    def name(self) -> str:
        """``web/eth0``."""
        return str(LinkName(self.namespace, self.interface))

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "namespace": self.namespace,
            "interface": self.interface,
            "mac": self.mac,
            "addresses": list(self.addresses),
            "by_dhcp": list(self.by_dhcp),
        }


@dataclass(frozen=True, slots=True)
class HostLink:
    """A link of the host that a network uses, as observed."""

    name: str
    role: Literal["parent", "shim", "link"]
    """``link``: one of the file's own, on the same parent."""
    kind: str
    mac: str | None
    addresses: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "name": self.name,
            "role": self.role,
            "kind": self.kind,
            "mac": self.mac,
            "addresses": list(self.addresses),
        }


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """A network in one line."""

    topology: str
    name: str
    kind: str
    mode: str
    parent: str | None
    subnets: tuple[str, ...]
    endpoints: int

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "topology": self.topology,
            "name": self.name,
            "kind": self.kind,
            "mode": self.mode,
            "parent": self.parent,
            "subnets": list(self.subnets),
            "endpoints": self.endpoints,
        }


@dataclass(frozen=True, slots=True)
class NetworkDetail:
    """A network with its subnets, its endpoints, and the host's links that it uses."""

    summary: NetworkSummary
    subnets: tuple[dict[str, Any], ...]
    endpoints: tuple[EndpointStatus, ...]
    host_links: tuple[HostLink, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "version": JSON_VERSION,
            **self.summary.to_dict(),
            "subnets": [dict(subnet) for subnet in self.subnets],
            "endpoints": [endpoint.to_dict() for endpoint in self.endpoints],
            "host_links": [link.to_dict() for link in self.host_links],
        }


@dataclass(frozen=True, slots=True)
class Lease:
    """An address that an endpoint, an attachment or a shim keeps."""

    topology: str
    network: str | None
    """None, by DHCP alone: the link has no network, or the topology is down."""
    parent: str | None
    """None: the network has a dummy parent, or is not known."""
    namespace: str | None
    """None: the host, which has the shim."""
    interface: str
    address: str
    in_use: bool
    """The endpoint has it now."""
    attached: bool = False
    """The endpoint is an attachment; ``namespace`` is its id."""
    server: str | None = None
    """The DHCP server that gave it; None: it was chosen here."""
    seconds: int | None = None
    """How long the server's lease goes on, 0 if it has ended; None: for ever, or not known."""

    @property
    def endpoint(self) -> str:
        """``web/eth0``."""
        return str(LinkName(self.namespace or HOST, self.interface))

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "topology": self.topology,
            "network": self.network,
            "parent": self.parent,
            "namespace": self.namespace,
            "interface": self.interface,
            "address": self.address,
            "in_use": self.in_use,
            "attached": self.attached,
            "server": self.server,
            "seconds": self.seconds,
        }


def list_leases(
    leases: Mapping[str, Leases], state: State, live: Collection[tuple[str, AttachmentKey]]
) -> Iterator[Lease]:
    """Every leased address, by topology; ``live`` are the attachments that have theirs now."""
    for topology, found in leases.items():
        for (network, space, interface), addresses in found.addresses.items():
            held = _held(state.link(LinkName(space, interface)), topology)
            for address in addresses:
                where = (topology, network, found.parents.get(network))
                yield Lease(*where, space or None, interface, address, address in held)
        for key, lease in found.attachments.items():
            network, name = key
            for address in lease.bare:
                where = (topology, network, found.parents.get(network))
                in_use = (topology, key) in live
                yield Lease(*where, name, lease.interface, address, in_use, attached=True)


def list_dhcp_leases(
    topology: Topology,
    found: DhcpLeases,
    attached: Mapping[Endpoint, tuple[str, bool]],
    clock: tuple[str, float],
    state: State,
) -> Iterator[Lease]:
    """Every address that a server gave.

    ``attached`` are the network of each attachment and whether it is live; ``clock`` is the boot,
    and the seconds since then.
    """
    boot, now = clock
    for key, lease in found.held.items():
        entry = topology.namespaces.get(key[0], NamespaceConfig()).interfaces.get(key[1])
        of_entry = entry.network if entry else None
        name, live = attached.get(key, (of_entry, False))
        network = topology.networks.get(name or "")
        seconds = lease.left(now) if boot == found.boot else None
        valid = boot == found.boot and seconds != 0
        yield Lease(
            topology.name,
            name,
            network.parent if network else entry.parent if entry else None,
            *key,
            lease.bare,
            (live and valid) or lease.bare in _held(state.link(LinkName(*key)), topology.name),
            attached=key in attached,
            server=lease.server,
            seconds=seconds,
        )


def _held(link: Link | None, topology: str) -> frozenset[str]:
    """The addresses of a link, if it is the topology's."""
    ours = link is not None and link.owner == topology
    return frozenset(address.bare for address in link.addresses) if link and ours else frozenset()


def list_networks(known: Iterable[ActiveTopology]) -> Iterator[NetworkSummary]:
    """A summary of each network of the active topologies."""
    for one in known:
        for name in one.topology.networks:
            yield _summary(one, name, len(list(_endpoint_links(one, name))))


def describe_network(name: str, known: Iterable[ActiveTopology]) -> NetworkDetail:
    """One network in detail. Raises UsageError if no topology has it, or more than one."""
    everything = list(known)
    owner, _, short = name.rpartition("/")
    found = [
        one
        for one in everything
        if short in one.topology.networks and owner in ("", one.topology.name)
    ]
    if len(found) != 1:
        raise UsageError(_not_one(name, short, found, everything))
    return _detail(found[0], short)


def describe_networks(known: Iterable[ActiveTopology]) -> Iterator[NetworkDetail]:
    """Every network of the active topologies in detail."""
    for one in known:
        for name in one.topology.networks:
            yield _detail(one, name)


def _detail(known: ActiveTopology, name: str) -> NetworkDetail:
    links = list(_endpoint_links(known, name))
    endpoints = tuple(_endpoint(link) for link in links)
    summary = _summary(known, name, len(endpoints))
    host_links = tuple(_host_links(known, name, links))
    return NetworkDetail(summary, known.subnets(name), endpoints, host_links)


def _not_one(
    name: str, short: str, found: list[ActiveTopology], known: list[ActiveTopology]
) -> Diagnostic:
    if found:
        choices = ", ".join(f"{one.topology.name}/{short}" for one in found)
        return Diagnostic(f"several topologies have a network {short}", hint=f"write {choices}")
    names = [network for one in known for network in one.topology.networks]
    meant = nearest(short, names)
    hint = f"did you mean {meant}?" if meant else "vlanlink ls lists the active networks"
    return Diagnostic(f"unknown network: {name}", hint=hint)


def _summary(known: ActiveTopology, name: str, endpoints: int) -> NetworkSummary:
    network = known.topology.networks[name]
    return NetworkSummary(
        topology=known.topology.name,
        name=name,
        kind=network.kind,
        mode=str(network.options.get("mode", "")),
        parent=network.parent,
        subnets=tuple(str(subnet["subnet"]) for subnet in known.subnets(name)),
        endpoints=endpoints,
    )


def _endpoint(link: Link) -> EndpointStatus:
    # vlanlink gives other IPv4 addresses no lifetime.
    leased = (a.text for a in link.addresses if a.family == 4 and a.seconds is not None)
    found = _addresses(link)
    return EndpointStatus(link.namespace, link.name, _mac(link), found, tuple(leased))


def _endpoint_links(known: ActiveTopology, network: str) -> Iterator[Link]:
    """The links of a network's endpoints."""
    for space, namespace in known.topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            link = known.state.link(LinkName(space, name)) if interface.network == network else None
            if link is not None and link.owner == known.topology.name:
                yield link


def _host_links(known: ActiveTopology, network: str, endpoints: list[Link]) -> Iterator[HostLink]:
    """The parent, the shim, and the topology's links on the host beside it."""
    topology, state = known.topology, known.state
    found = topology.networks[network]
    parent = next((link.parent for link in endpoints), None)
    if parent is None and found.parent:
        parent = LinkName(HOST, found.parent)
    below = state.link(parent)
    if below is None or below.namespace != HOST:
        return
    yield _host_link(below, "parent")
    for link in state.namespaces[HOST].links.values():
        if link.parent == parent and link.owner == topology.name:
            if link.name in topology.links:
                yield _host_link(link, "link")
            elif link.kind == found.kind:  # else a VLAN that another network implies
                yield _host_link(link, "shim")


def _host_link(link: Link, role: Literal["parent", "shim", "link"]) -> HostLink:
    return HostLink(link.name, role, link.kind, _mac(link), _addresses(link))


def _mac(link: Link) -> str | None:
    mac = link.settings.get("mac")
    return str(mac) if mac else None


def _addresses(link: Link) -> tuple[str, ...]:
    return tuple(address.text for address in link.addresses if not address.link_local)
