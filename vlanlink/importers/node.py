"""A source as a tree whose every value knows its place, whatever the format. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from vlanlink.dataclass import dataclass, field
from vlanlink.errors import Diagnostic, TopologyError
from vlanlink.topology.positions import Severity, Source, Span

DEEPEST: Final = 64
"""Levels of nesting; real sources have fewer than ten."""
MOST: Final = 400_000
"""Values of one source, aliases expanded."""


class Place(NamedTuple):
    """A place in a source."""

    source: Source
    span: Span

    def diagnose(
        self, message: str, hint: str | None = None, severity: Severity = "error"
    ) -> Diagnostic:
        """A diagnostic that shows this place."""
        return self.source.at(self.span, message, hint, severity=severity)

    def error(self, message: str, hint: str | None = None) -> TopologyError:
        """The error of a source that can't be read from here on."""
        return TopologyError(self.diagnose(message, hint))

    @property
    def label(self) -> str:
        """``compose.yml:12``."""
        return f"{self.source.file}:{self.span.line}"


Value = str | None | Mapping[str, "Node"] | list["Node"]


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A value and its place. Scalars are text as written; null and nothing are None."""

    place: Place
    value: Value = None
    keys: Mapping[str, Place] = field(default_factory=dict)
    """Of a table: the places of its keys."""

    def __bool__(self) -> bool:
        """False if there is nothing here."""
        return self.value not in (None, "", {}, [])

    @property
    def text(self) -> str | None:
        """A scalar's text."""
        return self.value if isinstance(self.value, str) else None

    @property
    def truth(self) -> bool:
        """True for the words that YAML and Docker read as true."""
        return (self.text or "").lower() in ("true", "yes", "on", "y", "1", "t")

    def number(self, default: int = 0) -> int:
        """A whole number; ``default`` for anything else."""
        text = (self.text or "").strip()
        digits = text.removeprefix("-")
        valid = digits.isascii() and digits.isdigit() and len(digits) < 10
        return int(text) if valid else default

    def get(self, *keys: str) -> "Node":
        """The value of the first of ``keys`` that a table has; an empty node if none."""
        if isinstance(self.value, Mapping):
            found = (self.value[key] for key in keys if key in self.value)
            return next(found, Node(self.place))
        return Node(self.place)

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """The entries of a table; nothing for anything else."""
        if isinstance(self.value, Mapping):
            yield from self.value.items()

    def key_place(self, key: str) -> Place:
        """The place of a key."""
        return self.keys.get(key, self.place)

    def entries(self) -> Iterator["Node"]:
        """The entries of a list; a scalar stands for a list of one."""
        if isinstance(self.value, str):
            yield self
        elif isinstance(self.value, list):
            yield from self.value

    def pairs(self, *signs: str) -> Iterator[tuple[str, "Node"]]:
        """Entries of a table, or of a list of ``KEY=VALUE``, by the first sign in each."""
        yield from self.items()
        for one in self.entries() if not isinstance(self.value, Mapping) else ():
            key, value = split_pair(one.text or "", signs or ("=",))
            if key:
                yield key, Node(one.place, value)


def split_pair(text: str, signs: Sequence[str]) -> tuple[str, str]:
    """Split at the first of the signs; without one, the whole text is the key."""
    at = min((at for sign in signs if (at := text.find(sign)) >= 0), default=len(text))
    return text[:at].strip(), text[at + 1 :].strip()


def storable(text: str) -> str:
    """The text without lone surrogates, which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
