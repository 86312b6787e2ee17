"""Which addresses the endpoints of a topology's networks have on this machine. Pure.

Addresses written in the file stand; ``auto``, a subnet, or a missing list become requests to
``ipam``.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence

from vlanlink.dataclass import dataclass, field
from vlanlink.desired import ipam
from vlanlink.desired.context import Context
from vlanlink.desired.reserved import (
    addresses_in_use,
    avoided_addresses,
    ended_first,
    kept_by_attachments,
    leased_by_others,
    reserved_by_networks,
    reserved_by_others,
    written,
)
from vlanlink.desired.shim.sources import Shim, shim_of
from vlanlink.errors import Path, Problem
from vlanlink.model import LinkName, State
from vlanlink.store.attached import AttachmentKey
from vlanlink.store.leases import Leases
from vlanlink.topology import InterfaceConfig, NetworkConfig, ShimConfig, SubnetConfig, Topology
from vlanlink.topology.dhcp import address_entries
from vlanlink.topology.values import AUTO, DHCP, WORDS, Ip, Prefix

_CANDIDATES = 32


@dataclass(frozen=True, slots=True)
class _AddressOwner:
    """What has addresses in a network: an endpoint, or the host's shim."""

    key: LinkName
    entries: tuple[str, ...]
    auto: frozenset[int]
    """The families that "auto" stands for."""
    origin: Path
    listed: bool
    """The entries are written in the file, at ``origin``."""
    shim: bool = False

    @property
    def interface(self) -> ipam.Interface:
        """The owner as ``ipam`` knows it."""
        return self.key.namespace, self.key.name


@dataclass(slots=True)
class Addressing:
    """The addresses of every endpoint, the leases to keep, and the conflicts found."""

    addresses: dict[LinkName, tuple[str, ...]] = field(default_factory=dict)
    """With prefix, in the order of the file."""
    chosen: dict[LinkName, frozenset[str]] = field(default_factory=dict)
    """Those of ``addresses`` that are not written in the file."""
    candidates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By network, the bare addresses next in line, once the LAN has turned some down."""
    subnets: dict[str, tuple[SubnetConfig, ...]] = field(default_factory=dict)
    """By network."""
    shims: dict[str, Shim] = field(default_factory=dict)
    shim_addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By network, the shim's own addresses, each with a full-length prefix."""
    leased: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)
    leased_subnets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    """By network, the parent on which addresses are leased."""
    taken_back: set[AttachmentKey] = field(default_factory=set)
    """Ended attachments whose addresses others need, the ranges being full."""
    conflicts: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def leases(self) -> Leases:
        """The leases to keep."""
        return Leases(self.leased, self.leased_subnets, self.parents)


def assign_addresses(topology: Topology, observed: State, context: Context) -> Addressing:
    """The addresses of every endpoint; none is chosen that a probe found taken."""
    return _Assignment(topology, observed, context).run()


@dataclass(frozen=True, slots=True)
class _Assignment:
    topology: Topology
    observed: State
    context: Context
    result: Addressing = field(default_factory=Addressing)
    avoided: dict[str, str] = field(default_factory=dict)
    """Bare addresses that no new choice takes, each with its holder."""

    def run(self) -> Addressing:
        if self.topology.networks:
            self.avoided.update(avoided_addresses(self.topology, self.observed))
            self.avoided.update(self.context.avoided)
        for name, network in self.topology.networks.items():
            self.result.subnets[name] = self._subnets(name, network)
        for name in self.topology.networks:
            self._assign(name)
        return self.result

    def _subnets(self, name: str, network: NetworkConfig) -> tuple[SubnetConfig, ...]:
        if network.subnets is not None:
            return network.subnets
        if network.parent is not None:
            return ()
        kept = self.context.leases.subnets.get(name, ())
        chosen = ipaddress.ip_network(kept[0]) if kept else None
        if chosen is None:
            chosen = ipam.free_subnet(list(self._prefixes_in_use()))
        if chosen is None:
            message = f"no private subnet of {ipam.PRIVATE} is free for network {name}"
            self.result.conflicts.append(Problem(("networks", name), message, "write subnets"))
            return ()
        self.result.leased_subnets[name] = (str(chosen),)
        return (SubnetConfig(subnet=chosen),)

    def _prefixes_in_use(self) -> Iterator[Prefix]:
        for link in self.observed.links():
            for address in link.addresses if link.owner != self.topology.name else ():
                yield ipaddress.ip_interface(address.text).network
        for route in self.observed.host.routes:
            yield ipaddress.ip_network(route.to)
        for network in self.topology.networks.values():
            yield from (subnet.subnet for subnet in network.subnets or ())
        for subnets in self.result.subnets.values():
            yield from (subnet.subnet for subnet in subnets)

    def _assign(self, network: str) -> None:
        subnets = self.result.subnets[network]
        owners = list(self._owners(network))
        requests = {owner: list(_requests(owner, subnets)) for owner in owners}
        lan_hosts, held = self._lan_hosts(network), self._held(owners)
        used = self._leased_by_others(network, held) | self._used(network, owners, lan_hosts)
        every = [request for found in requests.values() for request in found]
        claims = (held, self._leased(network))
        candidates = _CANDIDATES if lan_hosts else 0

        def allocate(taken: Mapping[Ip, str]) -> ipam.Allocation:
            return ipam.allocate(
                subnets, every, taken, claims, avoided=self.avoided, candidates=candidates
            )

        allocation = self._with_ended(network, used, allocate)
        self.result.candidates[network] = allocation.candidates
        for owner in owners:
            self._settle(network, owner, requests[owner], allocation)

    def _with_ended(
        self,
        network: str,
        used: Mapping[Ip, str],
        allocate: Callable[[Mapping[Ip, str]], ipam.Allocation],
    ) -> ipam.Allocation:
        """Where the ranges are full, take the leases of ended attachments back, oldest first."""
        first = allocate(used)
        if not first.unmet:
            return first
        left = dict(used)
        holders: dict[str, AttachmentKey] = {}
        for key, lease in ended_first(self.context, network):
            for bare in lease.bare:
                left.pop(ipaddress.ip_address(bare), None)
                holders[bare] = key
            allocation = allocate(left)
            if not allocation.unmet:
                chosen = (text.partition("/")[0] for text in allocation.chosen.values())
                self.result.taken_back |= {holders[bare] for bare in chosen if bare in holders}
                return allocation
        return first

    def _owners(self, network: str) -> Iterator[_AddressOwner]:
        yield from _endpoints(network, self.topology)
        subnets = self.result.subnets[network]
        shim = shim_of(network, self.topology, self.observed, subnets)
        if shim:
            self.result.shims[network] = shim
            yield _of_shim(shim, self.topology.networks[network])

    def _lan_hosts(self, network: str) -> dict[str, str]:
        """The addresses that the LAN's hosts have, and their MACs."""
        answers = self.context.probe_results.items()
        return {ip: mac for (of, ip), mac in answers if of == network and mac}

    def _held(self, owners: Sequence[_AddressOwner]) -> dict[ipam.Interface, list[str]]:
        """The addresses that the topology's own links have on the machine."""
        return {
            owner.interface: [
                a.bare
                for a in link.addresses
                if a.ours and a.permanent and a.bare not in _listed(owner)
            ]
            for owner in owners
            if (link := self.observed.link(owner.key)) and link.owner == self.topology.name
        }

    def _leased(self, network: str) -> dict[ipam.Interface, list[str]]:
        return {
            (namespace, interface): list(found)
            for (of, namespace, interface), found in self.context.leases.addresses.items()
            if of == network
        }

    def _leased_by_others(
        self, network: str, held: Mapping[ipam.Interface, Sequence[str]]
    ) -> dict[Ip, str]:
        """Other topologies' leases on the parent, but for what the topology's own links have."""
        parent = self.topology.networks[network].parent
        own = {text for found in held.values() for text in found}
        found = leased_by_others(parent, self.context.other_leases) if parent else ()
        return {ip: who for ip, who in found if str(ip) not in own}

    def _used(
        self, network: str, owners: Sequence[_AddressOwner], lan_hosts: Mapping[str, str]
    ) -> dict[Ip, str]:
        """The addresses that nobody may be given, each with its holder."""
        used: dict[Ip, str] = {}
        for text, mac in lan_hosts.items():
            used[ipaddress.ip_address(text)] = f"hosts on the LAN ({mac})"
        leases, given = self.context.leases, self.result.addresses
        used.update(addresses_in_use(network, self.topology, self.observed, leases, given))
        used.update(reserved_by_networks(network, self.topology))
        parent = self.topology.networks[network].parent
        if parent is not None:
            used.update(reserved_by_others(parent, self.context.records.others))
        spaces = {owner.key.namespace for owner in owners}
        used.update(kept_by_attachments(network, self.topology, self.context, spaces))
        for owner in owners:
            for text in _listed(owner):
                used[ipaddress.ip_address(text)] = "addresses that the file lists"
        return used

    def _settle(
        self,
        network: str,
        owner: _AddressOwner,
        requests: Sequence[ipam.AddressRequest],
        allocation: ipam.Allocation,
    ) -> None:
        """Enter an owner's addresses into the result, in the order of its entries."""
        found: list[str] = []
        chosen: list[str] = []
        for i, entry in enumerate(owner.entries):
            asked = [request for request in requests if request.entry == i]
            for request in asked:
                if request in allocation.chosen:
                    text = allocation.chosen[request]
                    chosen.append(_standalone(text) if owner.shim else text)
                    found.append(chosen[-1])
                    self._tell_move(owner, request, allocation)
                else:
                    self._refuse(network, owner, request, allocation)
            lease = self.context.dhcp.get(owner.interface) if entry == DHCP else None
            if lease is not None:
                found.append(lease.address)
            if not asked and entry not in WORDS:
                subnets = self.result.subnets[network]
                found.append(_standalone(entry) if owner.shim else with_prefix(entry, subnets))
        if owner.shim:
            self.result.shim_addresses[network] = tuple(found)
            self.avoided.update((text.partition("/")[0], "the host") for text in found)
        else:
            self.result.addresses[owner.key] = tuple(found)
        if chosen:
            self._lease(network, owner, chosen)

    def _refuse(
        self,
        network: str,
        owner: _AddressOwner,
        request: ipam.AddressRequest,
        allocation: ipam.Allocation,
    ) -> None:
        path = (*owner.origin, request.entry) if owner.listed else owner.origin
        message = f"no address is left for {owner.key}: {allocation.unmet[request]}"
        self.result.conflicts.append(Problem(path, message, self._more_room(network, request)))

    def _more_room(self, network: str, request: ipam.AddressRequest) -> str:
        hint = "widen ip_range, or add another subnet to the network"
        subnets = [self.result.subnets[network][number] for number in request.subnets]
        ranges = [subnet.ip_range or subnet.subnet for subnet in subnets]
        parent = self.topology.networks[network].parent
        for topology, leases in self.context.other_leases.items() if parent else ():
            leased = map(ipaddress.ip_address, leases.on(str(parent)))
            if any(ip in prefix for ip in leased for prefix in ranges):
                return f"{hint}; or release a lease: vlanlink leases {topology} --release ADDRESS"
        return hint

    def _tell_move(
        self, owner: _AddressOwner, request: ipam.AddressRequest, allocation: ipam.Allocation
    ) -> None:
        if request in allocation.moved:
            old, why = allocation.moved[request]
            new = allocation.chosen[request].partition("/")[0]
            message = f"{owner.key} moves from {old} to {new}: {why}"
            path = (*owner.origin, request.entry) if owner.listed else owner.origin
            self.result.warnings.append(Problem(path, message, at_key=not owner.listed))

    def _lease(self, network: str, owner: _AddressOwner, chosen: Sequence[str]) -> None:
        before = self.result.chosen.get(owner.key, frozenset())
        self.result.chosen[owner.key] = before | frozenset(chosen)
        bare = tuple(text.partition("/")[0] for text in chosen)
        self.result.leased[network, owner.key.namespace, owner.key.name] = bare
        parent = self.topology.networks[network].parent
        if parent is not None:
            self.result.parents[network] = parent


def _listed(owner: _AddressOwner) -> set[str]:
    """The bare addresses that the file writes for an owner."""
    return {text.partition("/")[0] for text in written(owner.entries)}


def _endpoints(network: str, topology: Topology) -> Iterator[_AddressOwner]:
    for namespace, entry in topology.namespaces.items():
        for name, interface in entry.interfaces.items():
            if interface.network == network:
                key = LinkName(namespace, name)
                yield _of_interface(key, interface, topology.networks[network])


def _of_interface(key: LinkName, entry: InterfaceConfig, network: NetworkConfig) -> _AddressOwner:
    origin: Path = ("namespaces", key.namespace, "interfaces", key.name)
    listed = entry.addresses is not None
    return _AddressOwner(
        key=key,
        entries=address_entries(entry, network),
        auto=frozenset({4} if entry.ipv6 == "off" else {4, 6}),
        origin=(*origin, "addresses") if listed else origin,
        listed=listed,
    )


def _of_shim(shim: Shim, network: NetworkConfig) -> _AddressOwner:
    listed = isinstance(network.shim, ShimConfig) and network.shim.addresses is not None
    origin = (*shim.origin, "addresses") if listed else shim.origin
    return _AddressOwner(shim.key, shim.entries, shim.auto, origin, listed, shim=True)


def _requests(
    owner: _AddressOwner, subnets: Sequence[SubnetConfig]
) -> Iterator[ipam.AddressRequest]:
    for i, entry in enumerate(owner.entries):
        if entry == AUTO:
            for family in _families_left(owner, subnets):
                numbers = [n for n, s in enumerate(subnets) if s.subnet.version == family]
                yield ipam.AddressRequest(owner.interface, tuple(numbers), i)
        else:
            exact = [n for n, s in enumerate(subnets) if str(s.subnet) == entry]
            if exact:
                yield ipam.AddressRequest(owner.interface, tuple(exact), i)


def _families_left(owner: _AddressOwner, subnets: Sequence[SubnetConfig]) -> Iterator[int]:
    """The families of the subnets that no other entry of the list has."""
    named = {6 if ":" in entry else 4 for entry in owner.entries if entry != AUTO}
    for family in (4, 6):
        there = any(subnet.subnet.version == family for subnet in subnets)
        if there and family in owner.auto - named:
            yield family


def _standalone(text: str) -> str:
    """An address with a full-length prefix, which brings no route to its subnet."""
    ip = ipaddress.ip_interface(text).ip
    return f"{ip}/{ip.max_prefixlen}"


def with_prefix(text: str, subnets: Sequence[SubnetConfig]) -> str:
    """An address with its prefix; a bare one takes its subnet's."""
    if "/" in text:
        return str(ipaddress.ip_interface(text))
    ip = ipaddress.ip_address(text)
    for subnet in subnets:
        if ip in subnet.subnet:
            return f"{ip}/{subnet.subnet.prefixlen}"
    return f"{ip}/{ip.max_prefixlen}"
