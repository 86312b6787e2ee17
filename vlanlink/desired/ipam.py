"""Addresses that the file leaves out: which endpoint gets which. Pure.

Authority is file, then living kernel, then lease, then the lowest free address of ``ip_range``. An
address once handed out is kept as long as the file allows it: what endpoints hold and what they
are promised is set aside first, for all of them, before a new one is chosen. No list of all
addresses of a range is ever made, so a /8 is as good as a /28.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from vlanlink.topology import SubnetConfig

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network
Interface = tuple[str, str]
"""(namespace, interface)."""

PRIVATE = ipaddress.ip_network("172.16.0.0/12")
"""Where subnets are chosen from (RFC 1918); PREFIX is their size."""
PREFIX = 24


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """An interface wants an address of one of ``subnets``, numbers of its network's list."""

    interface: Interface
    subnets: tuple[int, ...]
    entry: int = 0
    """Which of the interface's entries asks for it."""


@dataclass(slots=True)
class Allocation:
    """What was chosen, and which wishes could not be met."""

    chosen: dict[AddressRequest, str] = field(default_factory=dict)
    """The address with its subnet's prefix."""
    unmet: dict[AddressRequest, str] = field(default_factory=dict)
    """What used the ranges up."""
    spares: tuple[str, ...] = ()
    """The bare addresses that would be chosen next."""


def allocate(
    subnets: Sequence[SubnetConfig],
    wishes: Sequence[AddressRequest],
    used: Mapping[Ip, str],
    *promises: Mapping[Interface, Sequence[str]],
    spares: int = 0,
) -> Allocation:
    """Choose an address for each wish.

    ``used`` are addresses that nobody may get, each with who has it. ``promises`` are the bare
    addresses that interfaces have or had, the stronger claims first. ``spares`` is how many more
    to name of each subnet.
    """
    pools = [_Pool(subnet, used) for subnet in subnets]
    result = Allocation()
    for promised in promises:
        for wish in wishes:
            if wish not in result.chosen:
                _keep(wish, promised.get(wish.interface, ()), pools, result)
    for wish in wishes:
        if wish not in result.chosen:
            _choose(wish, pools, result)
    result.spares = tuple(str(ip) for pool in pools for ip in islice(pool.free(), spares))
    return result


def _keep(
    wish: AddressRequest, promised: Sequence[str], pools: Sequence["_Pool"], result: Allocation
) -> None:
    for text in promised:
        ip = ipaddress.ip_address(text)
        for number in wish.subnets:
            if pools[number].take(ip):
                result.chosen[wish] = pools[number].with_prefix(ip)
                return


def _choose(wish: AddressRequest, pools: Sequence["_Pool"], result: Allocation) -> None:
    for number in wish.subnets:
        ip = pools[number].lowest_free()
        if ip is not None and pools[number].take(ip):
            result.chosen[wish] = pools[number].with_prefix(ip)
            return
    result.unmet[wish] = "; ".join(pools[number].why_full() for number in wish.subnets)


class _Pool:
    """The addresses of one subnet that may be handed out."""

    def __init__(self, subnet: SubnetConfig, used: Mapping[Ip, str]) -> None:
        self.subnet = subnet.subnet
        self.range = subnet.ip_range or subnet.subnet
        self.used = {ip: who for ip, who in used.items() if ip.version == self.subnet.version}
        for edge in edges(subnet.subnet):
            self.used.setdefault(edge, "the subnet itself (its network or broadcast address)")
        if subnet.gateway is not None:
            self.used.setdefault(subnet.gateway, "the gateway")
        for address in subnet.aux_addresses.values():
            self.used.setdefault(address, "aux_addresses")
        self._next = int(self.range.network_address)
        self._last = int(self.range.broadcast_address)

    def take(self, ip: Ip) -> bool:
        """Whether ``ip`` is of this subnet and free; from now on it is an endpoint's."""
        if ip.version != self.subnet.version or ip not in self.subnet or ip in self.used:
            return False
        self.used[ip] = "endpoints of this network"
        return True

    def lowest_free(self) -> Ip | None:
        """The lowest free address of the range."""
        return next(self.free(), None)

    def free(self) -> Iterator[Ip]:
        """The free addresses of the range, from the lowest on."""
        make = ipaddress.IPv4Address if self.range.version == 4 else ipaddress.IPv6Address
        while self._next <= self._last:
            ip = make(self._next)
            if ip not in self.used:
                yield ip
            self._next += 1

    def with_prefix(self, ip: Ip) -> str:
        """The address with the subnet's prefix length."""
        return f"{ip}/{self.subnet.prefixlen}"

    def why_full(self) -> str:
        """What used the range up, in words."""
        counts = Counter(who for ip, who in self.used.items() if ip in self.range)
        words = ", ".join(f"{count} by {who}" for who, count in sorted(counts.items()))
        return f"{self.range} is used up: {words}"


def edges(subnet: Prefix) -> tuple[Ip, ...]:
    """The addresses that stand for the subnet itself.

    IPv4: the network and the broadcast address (RFC 919); IPv6: the subnet-router anycast address
    (RFC 4291, 2.6.1). None where the prefix leaves no room for them (RFC 3021, RFC 6164).
    """
    if subnet.prefixlen >= subnet.max_prefixlen - 1:
        return ()
    if subnet.version == 6:
        return (subnet.network_address,)
    return (subnet.network_address, subnet.broadcast_address)


def free_subnet(used: Sequence[Prefix]) -> Prefix | None:
    """The first private subnet that overlaps none of ``used``."""
    blocked = [prefix for prefix in used if prefix.version == 4 and prefix.prefixlen > 0]
    for candidate in PRIVATE.subnets(new_prefix=PREFIX):
        if not any(candidate.overlaps(prefix) for prefix in blocked):
            return candidate
    return None
