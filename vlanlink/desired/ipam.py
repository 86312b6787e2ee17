"""Address allocation: which endpoint gets which free address. Pure.

Precedence: the file, the live kernel, the lease, the lowest free address of ``ip_range``. An
address once handed out is kept as long as the file allows it: the addresses that endpoints hold or
lease are claimed for all of them before a new one is chosen. No range is ever enumerated, so a /8
costs as little as a /28.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from vlanlink.dataclass import dataclass, field
from vlanlink.topology import SubnetConfig
from vlanlink.topology.values import Ip, Prefix

Interface = tuple[str, str]
"""(namespace, interface)."""

PRIVATE = ipaddress.ip_network("172.16.0.0/12")
"""Where free subnets are chosen from (RFC 1918)."""
PREFIX_LENGTH = 24
"""The prefix length of a chosen subnet."""


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """A request for an address in one of ``subnets`` (indexes into the network's list)."""

    interface: Interface
    subnets: tuple[int, ...]
    entry: int = 0
    """Index of the ``addresses`` entry that makes the request."""


@dataclass(slots=True)
class Allocation:
    """The addresses chosen, and the requests that could not be met."""

    chosen: dict[AddressRequest, str] = field(default_factory=dict)
    """The address with its subnet's prefix length."""
    unmet: dict[AddressRequest, str] = field(default_factory=dict)
    """What exhausted the ranges."""
    moved: dict[AddressRequest, tuple[str, str]] = field(default_factory=dict)
    """Claims that could not be kept: the bare address, and why."""
    candidates: tuple[str, ...] = ()
    """The bare addresses next in line."""


def allocate(
    subnets: Sequence[SubnetConfig],
    requests: Sequence[AddressRequest],
    used: Mapping[Ip, str],
    claims: Sequence[Mapping[Interface, Sequence[str]]] = (),
    *,
    avoided: Mapping[str, str] = MappingProxyType({}),
    candidates: int = 0,
) -> Allocation:
    """Choose an address for each request.

    ``used`` maps each unavailable address to its holder. ``claims`` are the bare addresses that
    interfaces hold or held, the strongest claims first. ``avoided`` maps bare addresses that only a
    claim may take to their holders. ``candidates``: how many further free addresses to name for
    each subnet.
    """
    pools = [_Pool(subnet, used) for subnet in subnets]
    result = Allocation()
    for claimed in claims:
        for request in requests:
            if request not in result.chosen:
                _keep(request, claimed.get(request.interface, ()), pools, result)
    if candidates or len(result.chosen) < len(requests):
        for pool in pools:
            pool.avoid(avoided)
    for request in requests:
        if request not in result.chosen:
            _explain_move(request, claims, pools, result)
            _choose(request, pools, result)
    result.candidates = tuple(str(ip) for pool in pools for ip in islice(pool.free(), candidates))
    return result


def _keep(
    request: AddressRequest, claimed: Sequence[str], pools: Sequence["_Pool"], result: Allocation
) -> None:
    for text in claimed:
        ip = ipaddress.ip_address(text)
        for number in request.subnets:
            if pools[number].take(ip):
                result.chosen[request] = pools[number].with_prefix(ip)
                return


def _explain_move(
    request: AddressRequest,
    claims: Sequence[Mapping[Interface, Sequence[str]]],
    pools: Sequence["_Pool"],
    result: Allocation,
) -> None:
    """Note the first claim of the request's family that no other request of the owner keeps."""
    own = [pools[number] for number in request.subnets]
    kept = {
        text.partition("/")[0]
        for other, text in result.chosen.items()
        if other.interface == request.interface
    }
    for claimed in claims:
        for text in claimed.get(request.interface, ()):
            ip = ipaddress.ip_address(text)
            if text not in kept and own and ip.version == own[0].subnet.version:
                pool = next((pool for pool in own if ip in pool.subnet), own[0])
                result.moved[request] = text, pool.why_not(ip)
                return


def _choose(request: AddressRequest, pools: Sequence["_Pool"], result: Allocation) -> None:
    for number in request.subnets:
        ip = pools[number].lowest_free()
        if ip is not None and pools[number].take(ip):
            result.chosen[request] = pools[number].with_prefix(ip)
            return
    result.unmet[request] = "; ".join(pools[number].why_full() for number in request.subnets)


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
        """Claim ``ip`` for an endpoint; False if it is outside the range or in use."""
        if ip.version != self.subnet.version or ip not in self.range or ip in self.used:
            return False
        self.used[ip] = "endpoints of this network"
        return True

    def avoid(self, avoided: Mapping[str, str]) -> None:
        """Leave these addresses out from now on."""
        for text, who in avoided.items():
            if (":" in text) == (self.subnet.version == 6):
                self.used.setdefault(ipaddress.ip_address(text), who)

    def why_not(self, ip: Ip) -> str:
        """Why ``take`` refuses an address."""
        if ip not in self.subnet:
            return f"it is outside {self.subnet}"
        if ip not in self.range:
            return f"it is outside ip_range {self.range}"
        return f"it belongs to {self.used.get(ip, 'endpoints of this network')}"

    def lowest_free(self) -> Ip | None:
        """The lowest free address of the range."""
        return next(self.free(), None)

    def free(self) -> Iterator[Ip]:
        """The free addresses of the range, in ascending order."""
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
        """What exhausted the range, for messages."""
        counts = Counter(who for ip, who in self.used.items() if ip in self.range)
        words = ", ".join(f"{count} by {who}" for who, count in sorted(counts.items()))
        return f"{self.range} is exhausted: {words}"


def edges(subnet: Prefix) -> tuple[Ip, ...]:
    """The addresses of a subnet that no host may have.

    IPv4: the network and the broadcast address (RFC 919). IPv6: the subnet-router anycast address
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
    for candidate in PRIVATE.subnets(new_prefix=PREFIX_LENGTH):
        if not any(candidate.overlaps(prefix) for prefix in blocked):
            return candidate
    return None
