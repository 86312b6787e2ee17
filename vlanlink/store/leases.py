"""Leases: addresses and subnets handed out, so that they stay the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from vlanlink.store import fields
from vlanlink.store.documents import VERSION, UnreadableError

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
    def from_dict(cls, data: object) -> "Leases":
        """The leases of a JSON value. Raises UnreadableError."""
        table = fields.document(data, VERSION)
        leases = cls(
            dict(table.take("addresses", fields.many(_row))),
            table.take("subnets", fields.mapping(fields.text, fields.many(_subnet))),
        )
        table.close()
        return leases


def _row(value: object, where: str) -> tuple[LeaseKey, tuple[str, ...]]:
    network, namespace, interface, found = fields.array(value, where, 4)
    key = tuple(fields.text(one, where) for one in (network, namespace, interface))
    return (key[0], key[1], key[2]), fields.many(_address)(found, where)


def _address(value: object, where: str) -> str:
    return _canonical(value, where, ip_address)


def _subnet(value: object, where: str) -> str:
    return _canonical(value, where, ip_network)


def _canonical(value: object, where: str, form: Callable[[str], object]) -> str:
    text = fields.text(value, where)
    try:
        return str(form(text))
    except ValueError:
        raise UnreadableError(f"{where} has {text[:50]!r}") from None
