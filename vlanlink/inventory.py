"""Networks and their endpoints as they are now: what ``ls`` and ``inspect`` tell. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vlanlink.errors import Diagnostic, UsageError, nearest
from vlanlink.model import LinkName, State
from vlanlink.topology import Network, Topology


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An interface on a network, as the kernel has it."""

    namespace: str
    interface: str
    mac: str | None
    addresses: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "namespace": self.namespace,
            "interface": self.interface,
            "mac": self.mac,
            "addresses": list(self.addresses),
        }


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """A network in a line."""

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
    """A network, its subnets as written, and its endpoints."""

    summary: NetworkSummary
    subnets: tuple[dict[str, object], ...]
    endpoints: tuple[Endpoint, ...]

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            **self.summary.to_dict(),
            "subnets": [dict(subnet) for subnet in self.subnets],
            "endpoints": [endpoint.to_dict() for endpoint in self.endpoints],
        }


def list_networks(topologies: Iterable[Topology], state: State) -> Iterator[NetworkSummary]:
    """A summary of each network of the topologies that are up."""
    for topology in topologies:
        for name, network in topology.networks.items():
            yield _summary(topology, name, network, len(_endpoints(topology, name, state)))


def describe_network(name: str, topologies: Iterable[Topology], state: State) -> NetworkDetail:
    """One network whole. Raises UsageError if no topology has it, or more than one."""
    known = list(topologies)
    owner, _, short = name.rpartition("/")
    found = [
        topology
        for topology in known
        if short in topology.networks and owner in ("", topology.name)
    ]
    if len(found) != 1:
        raise UsageError(_not_one(name, short, found, known))
    topology = found[0]
    network = topology.networks[short]
    endpoints = _endpoints(topology, short, state)
    subnets: tuple[dict[str, object], ...] = tuple(
        {
            "subnet": str(subnet.subnet),
            "gateway": str(subnet.gateway) if subnet.gateway else None,
            "ip_range": str(subnet.ip_range) if subnet.ip_range else None,
            "aux_addresses": {k: str(v) for k, v in subnet.aux_addresses.items()},
        }
        for subnet in network.subnets or ()
    )
    return NetworkDetail(
        _summary(topology, short, network, len(endpoints)), subnets, tuple(endpoints)
    )


def _not_one(name: str, short: str, found: list[Topology], known: list[Topology]) -> Diagnostic:
    if found:
        choices = ", ".join(f"{topology.name}/{short}" for topology in found)
        return Diagnostic(f"several topologies have a network {short}", hint=f"write {choices}")
    names = [network for topology in known for network in topology.networks]
    meant = nearest(short, names)
    hint = f"did you mean {meant}?" if meant else "vlanlink ls lists the networks that are up"
    return Diagnostic(f"there is no network {name} here", hint=hint)


def _summary(topology: Topology, name: str, network: Network, endpoints: int) -> NetworkSummary:
    return NetworkSummary(
        topology=topology.name,
        name=name,
        kind=network.kind,
        mode=str(network.options.get("mode", "")),
        parent=network.parent,
        subnets=tuple(str(subnet.subnet) for subnet in network.subnets or ()),
        endpoints=endpoints,
    )


def _endpoints(topology: Topology, network: str, state: State) -> list[Endpoint]:
    found = []
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            link = state.link(LinkName(space, name)) if interface.network == network else None
            if link is not None and link.owner == topology.name:
                mac = link.settings.get("mac")
                addresses = tuple(a.text for a in link.addresses if not a.link_local)
                found.append(Endpoint(space, name, str(mac) if mac else None, addresses))
    return found
