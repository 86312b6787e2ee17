"""A draft as the text of a topology file, with comments. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vlanlink.errors import Path, printable
from vlanlink.importers.draft import Draft
from vlanlink.topology import toml
from vlanlink.topology.json_schema import DIRECTIVE


def as_text(draft: Draft, heading: Iterable[str], decisions: Iterable[str]) -> str:
    """The file: heading, what has to be decided, tables."""
    lines = [DIRECTIVE, *map(_comment, heading)]
    lines += [_comment(f"DECIDE: {one}") for one in decisions]
    return "\n".join([*lines, "", *_tables(draft, draft.tables, ())]).rstrip() + "\n"


def _comment(text: str) -> str:
    return f"# {printable(text)}"


def _tables(draft: Draft, tables: Mapping[str, Any], path: Path) -> Iterator[str]:
    """The lines of a table: its values, then its tables below headings."""
    deeper = {key: one for key, one in tables.items() if _is_headed((*path, key), one)}
    plain = {key: one for key, one in tables.items() if key not in deeper}
    if path and (plain or not deeper):
        yield from map(_comment, draft.comments.get(path, ()))
        yield f"[{toml.dotted(path)}]"
        for key, one in plain.items():
            yield from _entry(draft, (*path, key), one)
        yield ""
    elif path in draft.comments:
        yield from map(_comment, draft.comments[path])
    for key, one in deeper.items():
        yield from _tables(draft, one, (*path, key))


def _entry(draft: Draft, path: Path, value: Any) -> Iterator[str]:
    yield from map(_comment, draft.comments.get(path, ()))
    key = toml.key(str(path[-1]))
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        yield f"{key} = ["
        yield from (f"  {toml.value(one)}," for one in value)
        yield "]"
    else:
        yield f"{key} = {toml.value(value)}"


def _is_headed(path: Path, value: Any) -> bool:
    named = path[0] in ("networks", "namespaces") and len(path) == 2
    interface = path[0] == "namespaces" and (len(path) == 4 or path[2:] == ("interfaces",))
    return isinstance(value, Mapping) and (len(path) == 1 or named or interface)
