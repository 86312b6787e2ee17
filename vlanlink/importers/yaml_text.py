"""YAML to nodes, every scalar as it is written: a MAC address is not a number in base 60."""

from collections.abc import Iterator
from typing import Any, Final

from vlanlink.errors import Diagnostic, UsageError
from vlanlink.importers.node import DEEPEST, MOST, Node, Place, storable
from vlanlink.topology.positions import Source, Span

LARGEST: Final = 1024 * 1024
"""Characters. A compose file has a few thousand."""
_NULLS: Final = ("", "~", "null", "Null", "NULL")


def read_yaml(source: Source) -> Node:
    """The first document of a text. Raises TopologyError, UsageError without ruamel.yaml."""
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
    except ImportError as error:
        raise UsageError(_MISSING) from error
    if len(source.text) > LARGEST:
        raise _place(source).error(f"the source is larger than {LARGEST // 1024} KiB")
    try:
        root = next(iter(YAML(typ="safe", pure=True).compose_all(source.text)), None)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _place(source, mark).error(f"not valid YAML: {error.problem}") from error
    except (YAMLError, ValueError) as error:
        raise _place(source).error(f"not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise _place(source).error("the source is nested too deeply") from error
    return Node(_place(source)) if root is None else _Tree(source).node(root, 0)


_MISSING: Final = Diagnostic(
    "reading YAML needs ruamel.yaml, which is not installed",
    hint="pip install 'vlanlink[import]', or import the output of "
    "`docker compose config --format json`",
)


def _place(source: Source, mark: Any = None) -> Place:
    return Place(source, Span(mark.line + 1, mark.column + 1) if mark else Span(1, 1))


class _Tree:
    """Expands a graph of YAML nodes, which may share and contain each other."""

    def __init__(self, source: Source) -> None:
        self.source, self.left = source, MOST

    def node(self, yaml: Any, depth: int) -> Node:
        place = _place(self.source, yaml.start_mark)
        self.left -= 1
        if depth > DEEPEST or self.left < 0:
            raise place.error("the source is nested too deeply, or an alias contains itself")
        if yaml.id == "scalar":
            null = yaml.style is None and yaml.value in _NULLS
            return Node(place, None if null else storable(yaml.value))
        if yaml.id == "sequence":
            return Node(place, [self.node(one, depth + 1) for one in yaml.value])
        found, keys = dict[str, Node](), dict[str, Place]()
        for key, value, at in self.pairs(yaml, depth):
            found.setdefault(key, value)
            keys.setdefault(key, at)
        return Node(place, found, keys)

    def pairs(self, yaml: Any, depth: int) -> Iterator[tuple[str, Node, Place]]:
        """A mapping's own entries, then those that ``<<`` merges in."""
        merged = []
        for key, value in yaml.value:
            if key.id != "scalar":
                continue
            if key.value == "<<" and key.style is None:
                merged += [self.node(value, depth + 1)]
            else:
                at = _place(self.source, key.start_mark)
                yield storable(key.value), self.node(value, depth + 1), at
        for one in merged:
            for table in [one] if isinstance(one.value, dict) else one.entries():
                for name, node in table.items():
                    yield name, node, table.key_place(name)
