"""A bundle as the tables of a topology, each entry with its place in the source. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vlanlink.dataclass import dataclass, field
from vlanlink.errors import Path
from vlanlink.importers.bundle import KINDS, Bundle, Network
from vlanlink.importers.node import Node, Place
from vlanlink.importers.notes import Notes
from vlanlink.importers.shell import is_unresolved

_LONGEST_NAME: Final = 100
_RESERVED: Final = ("host", "gateway", ".", "..")


@dataclass(slots=True)
class Draft:
    """The tables, the places they come from, and comments by path."""

    tables: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Place] = field(default_factory=dict)
    comments: dict[Path, list[str]] = field(default_factory=dict)

    def put(self, path: Path, value: Any, place: Place) -> None:
        """Set an entry of the topology."""
        table: Any = self.tables
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = value
        self.origins.setdefault(path, place)

    def comment(self, path: Path, text: str) -> None:
        """Explain a table, or one of its keys."""
        self.comments.setdefault(path, []).append(text)

    def place(self, path: Path, default: Place) -> Place:
        """The place that the entry, or the nearest table around it, comes from."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return default


@dataclass(frozen=True, slots=True)
class Names:
    """The names of networks and containers here, by their names in the source."""

    networks: Mapping[str, str]
    containers: Mapping[str, str]


def names_for(bundle: Bundle) -> Names:
    """Valid names, each once."""
    taken: set[str] = set(_RESERVED)
    networks = {name: _free(_word(name), taken) for name in bundle.networks}
    taken = set(_RESERVED)
    containers = {one.name: _free(_word(one.name), taken) for one in bundle.containers}
    return Names(networks, containers)


def _word(name: str) -> str:
    """The name with what no name can hold replaced."""
    plain = "".join(c if c.isprintable() and not c.isspace() and c != "/" else "-" for c in name)
    return plain.strip("-")[:_LONGEST_NAME] or "unnamed"


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    taken.add(found)
    return found


def topology_name(text: str) -> str:
    """A valid topology name near ``text``."""
    near = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")[:63].rstrip(".-")
    while near.endswith(".toml"):
        near = near.removesuffix(".toml").rstrip(".-")
    return near or "imported"


def resolved(node: Node | None, what: str, notes: Notes) -> str | None:
    """The text of a node; None, and a decision, where a variable is still in it."""
    text = node.text if node else None
    if node is None or not text:
        return None
    if is_unresolved(text):
        hint = "run `docker compose config` first, or write the value"
        notes.decide(node.place, f"the value of {what}, {text}, depends on a variable", hint)
        return None
    return text.strip()


def final(bundle: Bundle, name: str) -> Network | None:
    """A network, with what another one configures for it."""
    network = bundle.networks.get(name)
    if network is None or not network.config_from:
        return network
    base = bundle.networks.get(network.config_from)
    if base is None:
        return network
    return Network(
        network.name,
        network.place,
        driver=network.driver,
        options={**base.options, **network.options},
        pools=network.pools or base.pools,
        internal=network.internal or base.internal,
        ipv6=network.ipv6 or base.ipv6,
        ipam_driver=base.ipam_driver,
        real_name=network.real_name,
        implied_gateway=network.implied_gateway,
    )


def carried(bundle: Bundle) -> Iterator[tuple[str, Network]]:
    """The networks that vlanlink can make."""
    for name in bundle.networks:
        network = final(bundle, name)
        if network and network.driver in KINDS and not (network.external or network.config_only):
            yield name, network
