"""Leases: addresses and subnets handed out, so that they stay the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlanlink.store.documents import VERSION, checked, wrong_types

LeaseKey = tuple[str, str, str]
"""(network, namespace, interface)."""


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of a topology. Losing them is no error: addresses may change then."""

    addresses: Mapping[LeaseKey, tuple[str, ...]] = field(default_factory=dict)
    """Bare addresses."""
    subnets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By network, the subnets picked for networks without any."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        rows = [[*endpoint, list(found)] for endpoint, found in self.addresses.items()]
        subnets = {name: list(found) for name, found in self.subnets.items()}
        return {"version": VERSION, "addresses": rows, "subnets": subnets}

    @classmethod
    def from_dict(cls, data: Any) -> "Leases":
        """The leases of a JSON object. Raises UnreadableError."""
        document = checked(data, ("addresses", "subnets"))
        with wrong_types():
            return cls(
                {
                    (str(network), str(namespace), str(interface)): tuple(map(str, found))
                    for network, namespace, interface, found in document["addresses"]
                },
                {str(name): tuple(map(str, found)) for name, found in document["subnets"].items()},
            )
