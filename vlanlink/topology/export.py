"""A topology as plain data and as TOML: what ``load`` makes an equal topology of. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vlanlink.topology import mac_parents, toml
from vlanlink.topology.model import Topology
from vlanlink.topology.parts import Parent
from vlanlink.topology.tables import Entry, Kinded, keys_of


def as_mapping(topology: Topology) -> dict[str, Any]:
    """The tables and keys of a file as Python values; defaults are left out."""
    return {"topology": {"name": topology.name}} | dict(_said(topology))


def to_toml(topology: Topology) -> str:
    """The topology as the text of a file."""
    return "\n".join(_tables(as_mapping(topology)))


def text_of(topology: Topology) -> str:
    """The text that a topology was read from, or one that makes an equal topology."""
    if topology.source is not None:
        return topology.source.text
    return to_toml(topology.written or topology)


def _written(value: Any) -> Any:
    if isinstance(value, Entry):
        return dict(_said(value))
    if isinstance(value, Mapping):
        return {key: _written(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    return value if isinstance(value, str | int | float) else str(value)


def _said(entry: Entry) -> Iterator[tuple[str, Any]]:
    """The keys that say something, with their plain values."""
    rows = keys_of(type(entry))
    for key in sorted(rows, key=lambda key: key not in _FIRST):
        value = getattr(entry, key)
        if value != rows[key].default:
            by_mac = isinstance(rows[key].form, Parent)
            yield key, mac_parents.as_written(value) if by_mac else _written(value)
    for key, value in entry.options.items() if isinstance(entry, Kinded) else ():
        yield key, _option(value)


_FIRST: Final = ("network", "kind", "parent", "to", "name")


def _option(value: Any) -> Any:
    """A QoS map is a table in the file."""
    pairs = isinstance(value, tuple) and any(isinstance(one, tuple) for one in value)
    return {str(start): to for start, to in value} if pairs else _written(value)


def _tables(tables: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """The lines of a table: its values, then its tables below headings."""
    deeper = {key: one for key, one in tables.items() if _is_headed((*path, key), one)}
    plain = {key: one for key, one in tables.items() if key not in deeper}
    if path and (plain or not deeper):
        yield f"[{toml.dotted(path)}]"
        yield from (f"{toml.key(key)} = {toml.value(one)}" for key, one in plain.items())
        yield ""
    for key, one in deeper.items():
        yield from _tables(one, (*path, key))


def _is_headed(path: tuple[str, ...], value: Any) -> bool:
    named = path[0] in ("networks", "links", "namespaces") and len(path) == 2
    interface = path[0] == "namespaces" and (len(path) == 4 or path[2:] == ("interfaces",))
    return isinstance(value, Mapping) and (len(path) == 1 or named or interface)
