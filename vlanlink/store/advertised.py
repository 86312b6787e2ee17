"""Name servers and domains that routers advertise, and when each of them ends (RFC 8106)."""

from collections.abc import Mapping
from typing import Any, Final

from vlanlink.dataclass import dataclass, field
from vlanlink.store import fields
from vlanlink.store.documents import UnreadableError

MOST: Final = 8
"""Of servers, and of domains, that are remembered for a link."""


@dataclass(frozen=True, slots=True)
class Advertised:
    """What the routers of a link say of DNS, in the order in which it was heard.

    Each name has the time at which it ends, in seconds since boot.
    """

    servers: Mapping[str, float] = field(default_factory=dict)
    search: Mapping[str, float] = field(default_factory=dict)

    def at(self, now: float) -> "Advertised":
        """What has not ended."""
        return Advertised(_alive(self.servers, now), _alive(self.search, now))

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Without the times."""
        return tuple(self.servers), tuple(self.search)

    @property
    def ends(self) -> dict[tuple[int, str], float]:
        """The times of all of them."""
        both = enumerate((self.servers, self.search))
        return {(which, name): until for which, part in both for name, until in part.items()}


def _alive(names: Mapping[str, float], now: float) -> dict[str, float]:
    return {name: until for name, until in names.items() if until > now}


def advertised_row(found: Advertised) -> list[list[list[Any]]]:
    """The JSON form."""
    return [[[*item] for item in part.items()] for part in (found.servers, found.search)]


def advertised_from(value: object, where: str) -> Advertised:
    """What a JSON value holds. Raises UnreadableError."""
    servers, search = fields.array(value, where, 2)
    return Advertised(
        dict(fields.many(_server)(servers, where)), dict(fields.many(_domain)(search, where))
    )


def _server(value: object, where: str) -> tuple[str, float]:
    address, until = fields.array(value, where, 2)
    found = fields.address(address, where)
    if ":" not in found or "%" in found:
        raise UnreadableError(f"{where} has {found[:50]!r}")
    return found, fields.number(until, where)


def _domain(value: object, where: str) -> tuple[str, float]:
    name, until = fields.array(value, where, 2)
    return fields.domain(name, where), fields.number(until, where)
