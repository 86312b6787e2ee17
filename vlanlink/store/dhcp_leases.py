"""DHCP leases: what servers gave the endpoints of a topology, kept over ``down`` and a reboot.

With them, until it ends, what routers advertise of DNS.

Times are seconds since boot, with the boot's id: a wall clock jumps. After a reboot a lease is no
more than the address to ask for again.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.store import fields
from vlanlink.store.advertised import Advertised, advertised_from, advertised_row
from vlanlink.store.documents import VERSION, UnreadableError

Endpoint = tuple[str, str]
"""(namespace, interface)."""
LeaseRoute = tuple[str, str | None]
"""Destination and next hop; None: on-link."""
ClientWords = tuple[str, str, str]
"""What a client says of itself: its identifier in hex, its host name, its vendor class."""
FOREVER: Final = 0xFFFFFFFF
"""The lease time that means no end (RFC 2131, 3.3)."""


@dataclass(frozen=True, slots=True)
class DhcpLease:
    """The terms of one lease."""

    address: str
    """With its prefix."""
    server: str
    server_mac: str
    """The server's MAC, or that of the relay or router that its messages come through."""
    obtained: float
    seconds: int
    renew: int
    rebind: int
    """T1 and T2, like ``seconds`` counted from ``obtained``."""
    routes: tuple[LeaseRoute, ...] = ()
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    mtu: int | None = None
    client: ClientWords | None = None
    """Who was given it; None: an earlier release wrote it down."""

    @property
    def bare(self) -> str:
        """The address without its prefix."""
        return self.address.partition("/")[0]

    @property
    def expires(self) -> float:
        """When it ends."""
        return float("inf") if self.seconds == FOREVER else self.obtained + self.seconds

    def left(self, now: float) -> int | None:
        """Seconds left, begun ones too, 0 if it has ended; None: it never ends."""
        if self.seconds == FOREVER:
            return None
        return max(0, min(self.seconds, math.ceil(self.expires - now)))

    @property
    def terms(self) -> tuple[object, ...]:
        """What a renewal can change, apart from the times."""
        return self.address, self.routes, self.dns, self.search, self.mtu


@dataclass(frozen=True, slots=True)
class DhcpLeases:
    """The DHCP leases of a topology."""

    boot: str = ""
    """The boot that the times count from."""
    held: Mapping[Endpoint, DhcpLease] = field(default_factory=dict)
    lost: Mapping[Endpoint, float] = field(default_factory=dict)
    """Endpoints without a lease, and since when no server has answered."""
    advertised: Mapping[Endpoint, Advertised] = field(default_factory=dict)
    """What routers say of DNS to endpoints that listen to them."""

    def valid(self, boot: str, now: float) -> dict[Endpoint, DhcpLease]:
        """The leases that have not ended."""
        if boot != self.boot:
            return {}
        return {key: lease for key, lease in self.held.items() if lease.left(now) != 0}

    @property
    def endpoints(self) -> frozenset[Endpoint]:
        """Those that something is known of."""
        return frozenset((*self.held, *self.lost, *self.advertised))

    def without(self, gone: Collection[Endpoint]) -> "DhcpLeases":
        """These, but for some endpoints."""
        return replace(
            self,
            held={key: lease for key, lease in self.held.items() if key not in gone},
            lost={key: since for key, since in self.lost.items() if key not in gone},
            advertised={key: one for key, one in self.advertised.items() if key not in gone},
        )

    def heard(self, boot: str, now: float) -> dict[Endpoint, Advertised]:
        """What routers say of DNS, as far as it has not ended."""
        if boot != self.boot:
            return {}
        return {key: one.at(now) for key, one in self.advertised.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        advertised = [[*key, advertised_row(one)] for key, one in self.advertised.items()]
        more = {"advertised": advertised} if advertised else {}
        return {
            "version": VERSION,
            "boot": self.boot,
            "held": [[*key, _row(lease)] for key, lease in self.held.items()],
            "lost": [[*key, since] for key, since in self.lost.items()],
            **more,
        }

    @classmethod
    def from_dict(cls, data: object) -> "DhcpLeases":
        """The leases of a JSON value. Raises UnreadableError."""
        table = fields.document(data, VERSION)
        found = cls(
            table.take("boot", fields.text),
            dict(table.take("held", fields.many(_held))),
            dict(table.take("lost", fields.many(_lost))),
            dict(table.take("advertised", fields.many(_heard)) if table.has("advertised") else ()),
        )
        table.close()
        return found


_KEYS: Final = (
    "address",
    "server",
    "server_mac",
    "obtained",
    "seconds",
    "renew",
    "rebind",
    "routes",
    "dns",
    "search",
    "mtu",
)


def _row(lease: DhcpLease) -> dict[str, Any]:
    row = {key: getattr(lease, key) for key in _KEYS}
    client = {"client": list(lease.client)} if lease.client else {}
    return {**row, "routes": [list(route) for route in lease.routes], **client}


def lease_from(value: object, where: str) -> DhcpLease:
    """A lease of a JSON value. Raises UnreadableError."""
    table = fields.Table(value, where)
    lease = DhcpLease(
        address=table.take("address", fields.interface_address),
        server=table.take("server", fields.address),
        server_mac=table.take("server_mac", fields.mac),
        obtained=table.take("obtained", fields.number),
        seconds=table.take("seconds", _seconds),
        renew=table.take("renew", _seconds),
        rebind=table.take("rebind", _seconds),
        routes=table.take("routes", fields.many(_route)),
        dns=table.take("dns", fields.many(fields.address)),
        search=table.take("search", fields.many(fields.domain)),
        mtu=table.take("mtu", _mtu),
        client=table.take("client", _client) if table.has("client") else None,
    )
    table.close()
    return lease


def lease_row(lease: DhcpLease) -> dict[str, Any]:
    """The JSON form of a lease."""
    return _row(lease)


def _endpoint(namespace: object, interface: object, where: str) -> Endpoint:
    return fields.file_name(namespace, where), fields.file_name(interface, where)


def _held(value: object, where: str) -> tuple[Endpoint, DhcpLease]:
    namespace, interface, lease = fields.array(value, where, 3)
    return _endpoint(namespace, interface, where), lease_from(lease, where)


def _lost(value: object, where: str) -> tuple[Endpoint, float]:
    namespace, interface, since = fields.array(value, where, 3)
    return _endpoint(namespace, interface, where), fields.number(since, where)


def _heard(value: object, where: str) -> tuple[Endpoint, Advertised]:
    namespace, interface, heard = fields.array(value, where, 3)
    return _endpoint(namespace, interface, where), advertised_from(heard, where)


def _route(value: object, where: str) -> LeaseRoute:
    to, via = fields.array(value, where, 2)
    return fields.subnet(to, where), None if via is None else fields.address(via, where)


def _client(value: object, where: str) -> ClientWords:
    words = fields.array(value, where, 3)
    identifier, hostname, vendor_class = (fields.text(word, where) for word in words)
    return identifier, hostname, vendor_class


def _seconds(value: object, where: str) -> int:
    found = fields.whole(value, where)
    if not 0 < found <= FOREVER:
        raise UnreadableError(f"{where} is not a duration")
    return found


def _mtu(value: object, where: str) -> int | None:
    if value is None:
        return None
    found = fields.whole(value, where)
    if not 68 <= found <= 65535:
        raise UnreadableError(f"{where} is not an MTU")
    return found
