"""Values by prefix, looked up by the addresses in it. Pure.

A lookup takes a step for each prefix length in use, however many prefixes there are.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Prefixes(Generic[_T]):
    """A value for each prefix of one family; ``make`` makes that of a new one."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._values: dict[int, dict[int, _T]] = {}
        """By length, and by the bits of that length."""

    def at(self, prefix: str) -> _T:
        """The value of a prefix."""
        network = ip_network(prefix, strict=False)
        bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
        values = self._values.setdefault(network.prefixlen, {})
        if bits not in values:
            values[bits] = self._make()
        return values[bits]

    def containing(self, address: IPv4Address | IPv6Address) -> Iterator[_T]:
        """The values of the prefixes that contain an address, the longest prefix first."""
        number = int(address)
        for length in sorted(self._values, reverse=True):
            value = self._values[length].get(number >> (address.max_prefixlen - length))
            if value is not None:
                yield value
