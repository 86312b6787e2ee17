"""Leases: addresses and subnets handed out, so that they stay the same."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.store import fields
from vlanlink.store.attached import AttachmentKey, AttachmentLease, lease_row
from vlanlink.store.documents import VERSION

LeaseKey = tuple[str, str, str]
"""(network, namespace, interface)."""


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of a topology. Losing them is not an error: addresses may change then."""

    addresses: Mapping[LeaseKey, tuple[str, ...]] = field(default_factory=dict)
    """Bare addresses."""
    subnets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By network, the subnets picked for networks without any."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """By network, the parent on which its leases are taken; a dummy parent is not listed."""
    attachments: Mapping[AttachmentKey, AttachmentLease] = field(default_factory=dict)
    nics: Mapping[str, str] = field(default_factory=dict)
    """By name, the MACs of the NICs that ``parents`` are, or are VLANs of."""

    def on(self, parent: str) -> dict[str, LeaseKey]:
        """The bare addresses leased on a parent, and the endpoints that they are leased to."""
        attached = {
            address: (network, name, lease.interface)
            for (network, name), lease in self.attachments.items()
            if self.parents.get(network) == parent
            for address in lease.bare
        }
        return attached | {
            address: key
            for key, found in self.addresses.items()
            if self.parents.get(key[0]) == parent
            for address in found
        }

    def without(self, addresses: Collection[str]) -> "Leases":
        """These leases, but for some bare addresses."""
        kept = {
            key: left
            for key, found in self.addresses.items()
            if (left := tuple(address for address in found if address not in addresses))
        }
        attached = {
            key: lease
            for key, lease in self.attachments.items()
            if not set(lease.bare) & set(addresses)
        }
        networks = {network for network, *_ in (*kept, *attached)}
        parents = {name: parent for name, parent in self.parents.items() if name in networks}
        return replace(self, addresses=kept, parents=parents, attachments=attached)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        rows = [[*endpoint, list(found)] for endpoint, found in self.addresses.items()]
        subnets = {name: list(found) for name, found in self.subnets.items()}
        parents = dict(self.parents)
        attached = [lease.to_row(key) for key, lease in self.attachments.items()]
        return {
            "version": VERSION,
            "addresses": rows,
            "subnets": subnets,
            "parents": parents,
            "attachments": attached,
            **({"nics": dict(self.nics)} if self.nics else {}),
        }

    @classmethod
    def from_dict(cls, data: object) -> "Leases":
        """The leases of a JSON value. Raises UnreadableError."""
        table = fields.document(data, VERSION)
        leases = cls(
            dict(table.take("addresses", fields.many(_row))),
            table.take("subnets", fields.mapping(fields.text, fields.many(fields.subnet))),
            table.take("parents", fields.mapping(fields.text, fields.file_name)),
            dict(table.take("attachments", fields.many(lease_row))),
            table.take("nics", _NICS) if table.has("nics") else {},
        )
        table.close()
        return leases


def _row(value: object, where: str) -> tuple[LeaseKey, tuple[str, ...]]:
    network, namespace, interface, found = fields.array(value, where, 4)
    key = tuple(fields.text(one, where) for one in (network, namespace, interface))
    return (key[0], key[1], key[2]), fields.many(fields.address)(found, where)


_NICS: Final = fields.mapping(fields.file_name, fields.text)
