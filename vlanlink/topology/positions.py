"""Paths to lines and columns.

tree-sitter parses the text when the first place is asked for: a valid file never loads it. Lines
and columns count from 1, columns in characters.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from vlanlink.dataclass import dataclass, field
from vlanlink.errors import Diagnostic, Path, Problem
from vlanlink.topology import toml

if TYPE_CHECKING:
    from tree_sitter import Node

Severity = Literal["error", "warning"]


DEEPEST = 32
"""More parts than any path of a topology has."""


class Span(NamedTuple):
    """A part of one line."""

    line: int
    column: int
    width: int = 1


class Doubled(NamedTuple):
    """A table or key defined twice; ``first`` to ``last`` are the lines to leave out."""

    path: Path
    key: Span
    before: Span
    first: int
    last: int


@dataclass(frozen=True)
class Source:
    """A text and the name of its file."""

    text: str = field(repr=False)
    file: str | None = None

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text."""
        return self.text.split("\n")

    @cached_property
    def index(self) -> "Index":
        """The places of all keys."""
        return Index(self)

    def place(self, path: Path, *, at_key: bool = False) -> Span:
        """The place of the deepest part of ``path`` in the text; else the first line."""
        for length in range(len(path), 0, -1):
            span = self.index.find(path[:length], at_key=at_key or length < len(path))
            if span:
                return span
        return Span(1, 1)

    def diagnose(self, problem: Problem, severity: Severity = "error") -> Diagnostic:
        """A problem at its place."""
        message = problem.message
        if problem.related is not None:
            message += f" (line {self.place(problem.related, at_key=True).line})"
        span = self.place(problem.path, at_key=problem.at_key)
        return self.at(span, message, problem.hint, path=problem.path, severity=severity)

    def at(
        self,
        span: Span,
        message: str,
        hint: str | None = None,
        *,
        path: Path = (),
        severity: Severity = "error",
    ) -> Diagnostic:
        """A diagnostic that shows a part of the text."""
        return Diagnostic(
            message=message,
            hint=hint,
            path=path,
            file=self.file,
            line=span.line,
            column=span.column,
            source=self._shown(span) if span.width else None,
            width=span.width,
            severity=severity,
        )

    def _shown(self, span: Span) -> str | None:
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        if not line.strip() or span.column > _WIDEST:
            return None
        # One column a character, so that the caret fits, and no terminal control characters.
        shown = "".join(one if one.isprintable() else " " for one in line)
        end = max(_WIDEST, span.column + span.width)
        return shown if len(shown) <= end else shown[:end] + "…"


_WIDEST = 160


def without_source(problem: Problem, severity: Severity = "error") -> Diagnostic:
    """The diagnostic of a topology that was made in code: it shows the path instead."""
    dotted = ".".join(str(part) for part in problem.path)
    message = f"{dotted}: {problem.message}" if dotted else problem.message
    return Diagnostic(message=message, hint=problem.hint, path=problem.path, severity=severity)


class Tree:
    """The syntax tree of a TOML text, and the places of its nodes in the text."""

    def __init__(self, text: str) -> None:
        """Parse with tree-sitter, whose grammar is TOML 1.0."""
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        self._data = text.encode("utf-8", "surrogatepass")
        self._starts = [0, *(found.end() for found in re.finditer(b"\n", self._data))]
        parser = Parser(Language(tree_sitter_toml.language()))
        self.root: Node = parser.parse(as_toml_1_0(self._data)).root_node

    def span(self, node: "Node") -> Span:
        """The first line of a node; tree-sitter counts bytes, people count characters."""
        row = self._row(node.start_byte)
        start = self._starts[row]
        line = (
            self._data[start:].partition(b"\n")[0]
            if row + 1 == len(self._starts)
            else (self._data[start : self._starts[row + 1] - 1])
        )
        first = _characters(line[: node.start_byte - start])
        last = _characters(line[: node.end_byte - start])
        return Span(row + 1, first + 1, max(1, last - first))

    def last_line(self, node: "Node") -> int:
        """The last line that a node has text on; some end on the start of the line after."""
        return self._row(max(node.start_byte, node.end_byte - 1)) + 1

    def key(self, node: "Node") -> str:
        """The name that a part of a key spells; its text if that is not valid TOML."""
        word = self._data[node.start_byte : node.end_byte].decode("utf-8", "surrogatepass")
        if node.type == "bare_key":
            return word
        try:
            return next(iter(toml.loads(f"{word} = 0")), word)
        except toml.TOMLDecodeError:
            return word

    def _row(self, byte: int) -> int:
        return bisect_right(self._starts, byte) - 1


def _characters(data: bytes) -> int:
    return len(data.decode("utf-8", "replace"))


_TOKEN: Final = (
    rb'"""(?:\\.|[^\\])*?"""'
    rb'|"(?:\\[^\n]|[^"\\\n])*"'
    rb"|'{3}.*?'{3}"
    rb"|'[^'\n]*'"
    rb"|\#[^\n]*|[{}\n,]"
    rb"""|[^\s{},"'\#]+"""
)


def as_toml_1_0(data: bytes) -> bytes:
    """A text of the same length that TOML 1.0 reads alike: what 1.1 added is blanked.

    That is line breaks, comments and a last comma in inline tables, and new escapes in strings.
    """
    text = bytearray(data)
    opened: list[list[tuple[int, int]]] = []
    """For each table that is still open, what to blank once it is closed."""
    comma = None
    for token in re.finditer(_TOKEN, data, re.DOTALL):
        first = data[token.start()]
        if first == _QUOTE:
            text[token.start() : token.end()] = re.sub(rb"\\.", b"__", token[0], flags=re.DOTALL)
        if first == _OPEN:
            opened.append([])
        elif first == _CLOSE and opened:
            blanks = opened.pop()
            blanks += [comma] if comma else []
            for start, end in blanks:
                text[start:end] = b" " * (end - start)
            if opened:
                opened[-1] += blanks
        elif first in _BLANKED and opened:
            opened[-1].append(token.span())
        comma = token.span() if first == _COMMA else comma if first in _BLANKED else None
    return bytes(text)


_QUOTE, _OPEN, _CLOSE, _COMMA, *_BLANKED = b'"{},\n#'


class Index:
    """Every key of a text by path, and the keys that are defined twice."""

    def __init__(self, source: Source) -> None:
        """Walk the whole text once."""
        self._tree = Tree(source.text)
        self._keys: dict[Path, Span] = {}
        self._values: dict[Path, Span] = {}
        self._shape: dict[Path, Literal["value", "table", "array", "dotted", "implied"]] = {}
        self._lengths: dict[Path, int] = {}
        self.doubled: list[Doubled] = []
        for node in self._tree.root.children:
            self._statement(node)

    def find(self, path: Path, *, at_key: bool) -> Span | None:
        """The place of a path's value; of its key if asked for, or if no value is there."""
        if at_key:
            return self._keys.get(path) or self._values.get(path)
        return self._values.get(path) or self._keys.get(path)

    def _statement(self, node: "Node") -> None:
        match node.type:
            case "pair":
                self._pair((), node, node)
            case "table" | "table_array_element":
                self._table(node)

    def _table(self, node: "Node") -> None:
        header = next((one for one in node.children if one.type in _KEYS), None)
        if header is None:
            return
        path = self._header(header, of_array=node.type == "table_array_element", table=node)
        if path is None:
            return
        for one in node.children:
            if one.type == "pair":
                self._pair(path, one, one)

    def _header(self, node: "Node", *, of_array: bool, table: "Node") -> Path | None:
        """Record a table header. Returns its path, None if already defined."""
        *outer, (name, span) = self._parts(node)
        path: Path = ()
        for part, at in outer:
            path = self._inside((*path, part))
            if self._shape.get(path) == "value":
                self._double(path, at, table)
                return None
            self._enter(path, at, "implied")
        path = (*path, name)
        before = self._shape.get(path)
        if before not in ({None, "array"} if of_array else {None, "implied"}):
            self._double(path, span, table)
            return None
        self._keys[path] = span if before != "array" else self._keys[path]
        self._shape[path] = "array" if of_array else "table"
        if not of_array:
            return path
        self._lengths[path] = self._lengths.get(path, 0) + 1
        element = self._inside(path)
        self._keys[element] = span
        return element

    def _inside(self, path: Path) -> Path:
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _enter(self, path: Path, span: Span, shape: Literal["implied", "dotted"]) -> None:
        self._keys.setdefault(path, span)
        self._shape.setdefault(path, shape)

    def _pair(self, base: Path, node: "Node", statement: "Node") -> None:
        if len(node.children) < 3 or node.children[0].type not in _KEYS:
            return
        key, _, value = node.children[:3]
        *outer, (name, span) = self._parts(key)
        path = base
        for part, at in outer:
            path = (*path, part)
            if self._shape.get(path) == "value":
                self._double(path, at, statement)
                return
            self._enter(path, at, "dotted")
        path = (*path, name)
        if path in self._shape:
            self._double(path, span, statement)
            return
        self._keys[path], self._shape[path] = span, "value"
        self._value(path, value, statement)

    def _value(self, path: Path, node: "Node", statement: "Node") -> None:
        self._values[path] = self._tree.span(node)
        if len(path) > DEEPEST:
            return
        if node.type == "inline_table":
            for one in node.children:
                if one.type == "pair":
                    self._pair(path, one, statement)
        elif node.type == "array":
            for at, one in enumerate(_items(node)):
                self._value((*path, at), one, statement)

    def _double(self, path: Path, span: Span, statement: "Node") -> None:
        first, last = self._tree.span(statement).line, self._tree.last_line(statement)
        self.doubled.append(Doubled(path, span, self._keys[path], first, last))

    def _parts(self, node: "Node") -> list[tuple[str, Span]]:
        return [(self._tree.key(one), self._tree.span(one)) for one in _words(node)][:DEEPEST]


_KEYS = ("bare_key", "quoted_key", "dotted_key")


def _words(node: "Node") -> list["Node"]:
    """The parts of a key; tree-sitter nests dotted ones."""
    found: list[Node] = []
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.type == "dotted_key":
            waiting += [part for part in one.children if part.is_named]
        else:
            found.append(one)
    return found[::-1]


def _items(node: "Node") -> Iterator["Node"]:
    return (one for one in node.children if one.is_named and one.type != "comment")
