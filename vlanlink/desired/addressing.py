"""Which addresses the endpoints of a topology's networks have on this machine. Pure.

The file's entries become addresses: those that are written stand, ``auto``, a subnet, or nothing at
all ask ``ipam`` for one.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vlanlink.desired import ipam
from vlanlink.desired.reserved import addresses_in_use, written
from vlanlink.desired.shim.sources import Shim, shim_of
from vlanlink.errors import Path, Problem
from vlanlink.model import LinkName, State
from vlanlink.store.leases import Leases
from vlanlink.topology import InterfaceConfig, NetworkConfig, SubnetConfig, Topology
from vlanlink.topology import ShimConfig as ShimTable

_AUTO = "auto"
_SPARES = 32

ProbeResults = Mapping[tuple[str, str], str | None]
"""What the LAN said of bare addresses, by (network, address): the MAC that has one, None if
nobody answered. A link without network stands there by its own name."""


@dataclass(frozen=True, slots=True)
class _AddressOwner:
    """Who has addresses of a network: an endpoint, or the host's shim."""

    key: LinkName
    words: tuple[str, ...]
    auto: frozenset[int]
    """The families that "auto" stands for."""
    origin: Path
    listed: bool
    """The words are written in the file, at ``origin``."""
    shim: bool = False


@dataclass(slots=True)
class Addressing:
    """What the endpoints get, what is to be remembered of it, and what can't be had."""

    addresses: dict[LinkName, tuple[str, ...]] = field(default_factory=dict)
    """With prefix, in the order of the file."""
    chosen: dict[LinkName, frozenset[str]] = field(default_factory=dict)
    """Those of them that were worked out and are not written in the file."""
    spares: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By network, the bare addresses that would be chosen next, where the LAN has taken some."""
    subnets: dict[str, tuple[SubnetConfig, ...]] = field(default_factory=dict)
    """By network."""
    shims: dict[str, Shim] = field(default_factory=dict)
    shim_addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By network, what its shim has of its own: a prefix of one address each."""
    leased: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)
    leased_subnets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    conflicts: list[Problem] = field(default_factory=list)

    @property
    def leases(self) -> Leases:
        """What is to be remembered."""
        return Leases(self.leased, self.leased_subnets)


def work_out_addresses(
    topology: Topology, observed: State, leases: Leases, heard: ProbeResults
) -> Addressing:
    """The addresses of every endpoint; none that ``heard`` says is taken is chosen."""
    result = Addressing()
    for name, network in topology.networks.items():
        result.subnets[name] = _subnets(name, network, topology, observed, leases, result)
    for name, network in topology.networks.items():
        stations = {ip: mac for (of, ip), mac in heard.items() if of == name and mac}
        _fill(name, network, topology, observed, leases, stations, result)
    return result


def _subnets(
    name: str,
    network: NetworkConfig,
    topology: Topology,
    observed: State,
    leases: Leases,
    result: Addressing,
) -> tuple[SubnetConfig, ...]:
    if network.subnets is not None:
        return network.subnets
    if network.parent is not None:
        return ()
    kept = leases.subnets.get(name, ())
    chosen = ipaddress.ip_network(kept[0]) if kept else None
    if chosen is None:
        chosen = ipam.free_subnet(list(_prefixes_in_use(topology, observed, result)))
    if chosen is None:
        message = f"no private subnet of {ipam.PRIVATE} is free for network {name}"
        result.conflicts.append(Problem(("networks", name), message, "write subnets"))
        return ()
    result.leased_subnets[name] = (str(chosen),)
    return (SubnetConfig.model_validate({"subnet": str(chosen)}),)


def _prefixes_in_use(
    topology: Topology, observed: State, result: Addressing
) -> Iterator[ipam.Prefix]:
    for namespace in observed.namespaces.values():
        for link in namespace.links.values():
            for address in link.addresses if link.owner != topology.name else ():
                yield ipaddress.ip_interface(address.text).network
    for route in observed.host.routes:
        yield ipaddress.ip_network(route.to)
    for network in topology.networks.values():
        yield from (subnet.subnet for subnet in network.subnets or ())
    for subnets in result.subnets.values():
        yield from (subnet.subnet for subnet in subnets)


def _fill(
    name: str,
    network: NetworkConfig,
    topology: Topology,
    observed: State,
    leases: Leases,
    stations: Mapping[str, str],
    result: Addressing,
) -> None:
    subnets = result.subnets[name]
    askers = list(_endpoints(name, topology))
    shim = shim_of(name, topology, observed, subnets)
    if shim:
        result.shims[name] = shim
        askers.append(_of_shim(shim, network))
    wishes = {asker: list(_wishes(asker, subnets)) for asker in askers}
    used = _used(name, askers, topology, observed, leases, stations, result)
    held = {
        (asker.key.namespace, asker.key.name): [a.bare for a in link.addresses if a.ours]
        for asker in askers
        if (link := observed.link(asker.key)) and link.owner == topology.name
    }
    leased = {
        (space, interface): list(found)
        for (of, space, interface), found in leases.addresses.items()
        if of == name
    }
    every = [wish for found in wishes.values() for wish in found]
    spares = _SPARES if stations else 0
    allocation = ipam.allocate(subnets, every, used, held, leased, spares=spares)
    result.spares[name] = allocation.spares
    for asker in askers:
        _settle(name, asker, wishes[asker], allocation, subnets, result)


def _endpoints(network: str, topology: Topology) -> Iterator[_AddressOwner]:
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            if interface.network == network:
                yield _of_interface(LinkName(space, name), interface)


def _of_interface(key: LinkName, entry: InterfaceConfig) -> _AddressOwner:
    origin: Path = ("namespaces", key.namespace, "interfaces", key.name)
    listed = entry.addresses is not None
    return _AddressOwner(
        key=key,
        words=(_AUTO,) if entry.addresses is None else entry.addresses,
        auto=frozenset({4} if entry.ipv6 == "off" else {4, 6}),
        origin=(*origin, "addresses") if listed else origin,
        listed=listed,
    )


def _of_shim(shim: Shim, network: NetworkConfig) -> _AddressOwner:
    listed = isinstance(network.shim, ShimTable) and network.shim.addresses is not None
    origin = (*shim.origin, "addresses") if listed else shim.origin
    return _AddressOwner(shim.key, shim.words, shim.auto, origin, listed, shim=True)


def _wishes(asker: _AddressOwner, subnets: Sequence[SubnetConfig]) -> Iterator[ipam.AddressRequest]:
    for i, word in enumerate(asker.words):
        place = (asker.key.namespace, asker.key.name)
        if word == _AUTO:
            for family in _families_left(asker, subnets):
                numbers = [n for n, s in enumerate(subnets) if s.subnet.version == family]
                yield ipam.AddressRequest(place, tuple(numbers), i)
        else:
            exact = [n for n, s in enumerate(subnets) if str(s.subnet) == word]
            if exact:
                yield ipam.AddressRequest(place, tuple(exact), i)


def _families_left(asker: _AddressOwner, subnets: Sequence[SubnetConfig]) -> Iterator[int]:
    """The families of the subnets that no other entry of the list is of."""
    named = {6 if ":" in word else 4 for word in asker.words if word != _AUTO}
    for family in (4, 6):
        there = any(subnet.subnet.version == family for subnet in subnets)
        if there and family in asker.auto - named:
            yield family


def _used(
    network: str,
    askers: Sequence[_AddressOwner],
    topology: Topology,
    observed: State,
    leases: Leases,
    stations: Mapping[str, str],
    result: Addressing,
) -> dict[ipam.Ip, str]:
    """Who has which address of the network already."""
    used: dict[ipam.Ip, str] = {}
    for text, mac in stations.items():
        used[ipaddress.ip_address(text)] = f"stations on the LAN ({mac})"
    used.update(addresses_in_use(network, topology, observed, leases, result.addresses))
    for asker in askers:
        for word in written(asker.words):
            used[ipaddress.ip_address(word.partition("/")[0])] = "addresses that the file writes"
    return used


def _settle(
    network: str,
    asker: _AddressOwner,
    wishes: Sequence[ipam.AddressRequest],
    allocation: ipam.Allocation,
    subnets: Sequence[SubnetConfig],
    result: Addressing,
) -> None:
    key = asker.key
    found: list[str] = []
    chosen: list[str] = []
    for i, word in enumerate(asker.words):
        asked = [wish for wish in wishes if wish.entry == i]
        for wish in asked:
            if wish in allocation.chosen:
                text = allocation.chosen[wish]
                chosen.append(_by_itself(text) if asker.shim else text)
                found.append(chosen[-1])
            else:
                why = allocation.unmet[wish]
                path = (*asker.origin, i) if asker.listed else asker.origin
                result.conflicts.append(Problem(path, f"no address is left for {key}: {why}"))
        if not asked and word != _AUTO:
            found.append(_by_itself(word) if asker.shim else with_prefix(word, subnets))
    if asker.shim:
        result.shim_addresses[network] = tuple(found)
    else:
        result.addresses[key] = tuple(found)
    if chosen:
        result.chosen[key] = result.chosen.get(key, frozenset()) | frozenset(chosen)
        leased = tuple(text.partition("/")[0] for text in chosen)
        result.leased[network, key.namespace, key.name] = leased


def _by_itself(text: str) -> str:
    """An address with a prefix that brings no route to its subnet."""
    ip = ipaddress.ip_interface(text).ip
    return f"{ip}/{ip.max_prefixlen}"


def with_prefix(word: str, subnets: Sequence[SubnetConfig]) -> str:
    """An address with its prefix; a bare one takes that of its subnet."""
    if "/" in word:
        return str(ipaddress.ip_interface(word))
    ip = ipaddress.ip_address(word)
    for subnet in subnets:
        if ip in subnet.subnet:
            return f"{ip}/{subnet.subnet.prefixlen}"
    return f"{ip}/{ip.max_prefixlen}"
