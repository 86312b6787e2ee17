"""Addresses and subnets that were handed out, so that they are the same the next time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

VERSION: Final = 1

LeaseKey = tuple[str, str, str]
"""(network, namespace, interface)."""


@dataclass(frozen=True, slots=True)
class Leases:
    """What a topology's endpoints were given. Losing it is no error: addresses may change then."""

    addresses: Mapping[LeaseKey, tuple[str, ...]] = field(default_factory=dict)
    """Bare addresses."""
    subnets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The subnets chosen for networks that leave theirs out."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        rows = [[*endpoint, list(found)] for endpoint, found in self.addresses.items()]
        subnets = {name: list(found) for name, found in self.subnets.items()}
        return {"version": VERSION, "addresses": rows, "subnets": subnets}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Leases":
        """The leases of a JSON object. Raises KeyError, TypeError or ValueError if it has none."""
        if data["version"] != VERSION:
            raise ValueError(f"lease version {data['version']}")
        return cls(
            {
                (str(network), str(namespace), str(interface)): tuple(map(str, found))
                for network, namespace, interface, found in data["addresses"]
            },
            {str(name): tuple(map(str, found)) for name, found in data["subnets"].items()},
        )
