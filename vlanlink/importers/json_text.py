"""JSON to nodes. Python's own reader drops the places that warnings need."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Final

from vlanlink.importers.node import DEEPEST, Node, Place, storable
from vlanlink.topology.positions import Source, Span

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_WORD: Final = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")


def read_json(source: Source) -> Iterator[Node]:
    """The documents of a text: one, or several in a row. Raises TopologyError."""
    reader = _Reader(source)
    while not reader.at_end():
        yield reader.value(0)


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source, self.text, self.at = source, source.text, 0
        self.starts = [0, *(found.end() for found in re.finditer("\n", source.text))]

    def place(self, at: int) -> Place:
        line = bisect_right(self.starts, at)
        return Place(self.source, Span(line, at - self.starts[line - 1] + 1))

    def skip(self) -> str:
        """The next character that isn't a space."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def at_end(self) -> bool:
        return not self.skip()

    def value(self, depth: int) -> Node:
        character, start = self.skip(), self.at
        if depth > DEEPEST:
            raise self.place(start).error("the source is nested too deeply")
        if character == "{":
            return self.table(depth)
        if character == "[":
            return self.array(depth)
        if character == '"':
            return Node(self.place(start), self.string())
        return self.word()

    def word(self) -> Node:
        found, place = _WORD.match(self.text, self.at), self.place(self.at)
        if found is None:
            raise place.error("not valid JSON: a value is missing here")
        self.at = found.end()
        return Node(place, None if found[0] == "null" else found[0])

    def string(self) -> str:
        place = self.place(self.at)
        if self.skip() != '"':
            raise place.error("not valid JSON: a string is missing here")
        try:
            found, self.at = scanstring(self.text, self.at + 1, True)
        except JSONDecodeError as error:
            raise self.place(error.pos).error(
                f"not valid JSON: {error.msg.removesuffix(' at').lower()}"
            ) from error
        return storable(found)

    def take(self, wanted: str) -> bool:
        """Whether the next character is ``wanted``; it is passed over."""
        found = self.skip() == wanted
        self.at += found
        return found

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.place(self.at).error(f"not valid JSON: {wanted} is missing here")

    def table(self, depth: int) -> Node:
        place, found, keys = self.place(self.at), dict[str, Node](), dict[str, Place]()
        self.need("{")
        while not self.take("}"):
            if found:
                self.need(",")
            self.skip()
            at = self.place(self.at)
            key = self.string()
            self.need(":")
            found[key], keys[key] = self.value(depth + 1), at
        return Node(place, found, keys)

    def array(self, depth: int) -> Node:
        place, found = self.place(self.at), list[Node]()
        self.need("[")
        while not self.take("]"):
            if found:
                self.need(",")
            found.append(self.value(depth + 1))
        return Node(place, found)
