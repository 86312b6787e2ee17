"""TOML text to plain data, past what is wrong with it.

tomllib alone says what the data are. Where it stops, its message and tree-sitter's idea of the
damage say which lines to leave out, and it starts again: so all syntax errors come in one run.
What is written twice is left out too, but that does not keep the rest from being checked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from vlanlink.errors import Path, Problem
from vlanlink.topology import toml
from vlanlink.topology.positions import DEEPEST, Doubled, Source, Span, Tree
from vlanlink.topology.problems import quote

if TYPE_CHECKING:
    from tree_sitter import Node

MOST: Final = 20
"""So many syntax errors are enough."""

LARGE: Final = 256 * 1024
"""In a text with more characters the first one is."""

_TOO_DEEP: Final = "arrays or tables stand too deep in each other"

_CHAIN: Final = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){200}""")
"""A key with so many dots that tomllib would be long over it."""


@dataclass
class Reading:
    """What could be read of a text, and what could not."""

    data: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[Span, Problem]] = field(default_factory=list)
    """Syntax errors: with any of them, ``data`` mean nothing."""
    doubled: list[tuple[Span, Problem]] = field(default_factory=list)
    left_out: set[Path] = field(default_factory=set)


def read(source: Source) -> Reading:
    """Read a text as TOML, as far as it goes."""
    reading = Reading()
    lines = list(source.lines)
    if _CHAIN.search(source.text):
        _note(reading, _deepest(lines), _TOO_DEEP)
        return reading
    while len(reading.faults) < (MOST if len(source.text) <= LARGE else 1):
        try:
            reading.data = _within_depth(toml.loads("\n".join(lines)))
            break
        except (ValueError, RecursionError) as error:
            if not _leave_out(error, lines, reading):
                break
    broken = {span.line for span, _ in reading.faults}
    reading.doubled = [
        one for one in reading.doubled if _heading(source.lines, one[0].line) not in broken
    ]
    return reading


def _heading(lines: Sequence[str], line: int) -> int | None:
    """The line of the heading above: what follows a broken one stands under another."""
    above = range(line - 1, 0, -1)
    return next((at for at in above if lines[at - 1].lstrip().startswith("[")), None)


def _within_depth(data: dict[str, Any]) -> dict[str, Any]:
    """The data themselves. What stands deeper than any key belongs is a danger to recursion."""
    level: list[Any] = [data]
    for _ in range(DEEPEST):
        level = [item for one in level for item in _below(one)]
        if not level:
            return data
    raise RecursionError


def _below(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _leave_out(error: Exception, lines: list[str], reading: Reading) -> bool:
    """Note what is wrong, blank its lines; False when there is nothing left to try."""
    if isinstance(error, RecursionError):
        return _note(reading, _deepest(lines), _TOO_DEEP)
    tree = Tree("\n".join(lines))
    damage = _damaged(tree)
    if str(error).startswith(("Cannot ", "Duplicate ")):
        doubled = Source("\n".join(lines)).index.doubled
        if damage:  # then only what tomllib doubts too
            stopped = _stopped(error, lines)
            doubled = [one for one in doubled if stopped and one.key.line == stopped.line]
        for one in doubled:
            _note_doubled(reading, one)
            _blank(lines, one.first, one.last)
        if doubled:
            return True
    span, opened = _place(error, lines, damage)
    _note(reading, span, *_words(error, opened, span))
    first = min(opened.line, span.line) if opened else span.line
    ends = [end for one, end in damage if one.line == first]
    last = max([span.line, *ends]) if opened else span.line
    return _blank(lines, first, last)


def _blank(lines: list[str], first: int, last: int) -> bool:
    there = any(line.strip() for line in lines[first - 1 : last])
    lines[first - 1 : last] = [""] * len(lines[first - 1 : last])
    return there


def _note(reading: Reading, span: Span, message: str, hint: str | None = None) -> bool:
    reading.faults.append((span, Problem((), message, hint)))
    return False


def _note_doubled(reading: Reading, one: Doubled) -> None:
    dotted = ".".join(str(part) for part in one.path)
    problem = Problem(
        one.path,
        f"{quote(dotted)} is written twice, here and on line {one.before.line}",
        "give one of the two another name, or make them one",
        at_key=True,
    )
    reading.doubled.append((one.key, problem))
    if one.before.line >= one.first:  # both in one statement, which is left out whole
        reading.left_out.add(one.path[:-1])


def _damaged(tree: Tree) -> list[tuple[Span, int]]:
    """Where tree-sitter finds no sense in the text: first lines and numbers of last ones."""
    return [(tree.span(one), tree.last_line(one)) for one in _errors(tree.root)]


def _errors(node: "Node") -> "list[Node]":
    """The outermost nodes that are errors."""
    if node.is_error or node.is_missing:
        return [node]
    return [found for one in node.children if one.has_error for found in _errors(one)]


def _place(
    error: Exception, lines: list[str], damage: list[tuple[Span, int]]
) -> tuple[Span, Span | None]:
    """Where the reader stopped, and where what it stopped in began, if on a line before."""
    span = _stopped(error, lines)
    if span is None:
        last = damage[-1][0] if damage else None
        return last or Span(len(lines), 1), last
    return span, next(
        (one for one, end in damage if one.line < span.line and end >= span.line), None
    )


def _stopped(error: Exception, lines: list[str]) -> Span | None:
    found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    if found:
        return Span(int(found[1]), int(found[2]))
    if not isinstance(error, toml.TOMLDecodeError):  # int() takes no number that long
        return next(
            (
                Span(at, digits.start() + 1)
                for at, line in enumerate(lines, 1)
                if (digits := re.search(r"[\d_]{4000,}", line))
            ),
            None,
        )
    return None


def _words(error: Exception, opened: Span | None, span: Span) -> tuple[str, str | None]:
    if not isinstance(error, toml.TOMLDecodeError):
        return "a number with too many digits", None
    message = re.sub(r" \(at .*\)$", "", str(error))
    hint = next((hint for start, hint in _HINTS if message.startswith(start)), None)
    if opened and opened.line < span.line:
        hint = f"something that begins on line {opened.line} has no end"
    return f"no valid TOML: {message[:1].lower()}{message[1:]}", hint


_HINTS: Final = (
    ("Invalid value", "names, addresses and other text stand in quotes"),
    ("Expected newline", "one key = value a line; names, addresses and other text stand in quotes"),
    ("Illegal character '\\n'", "the string has no closing quote on its line"),
    ("Unescaped", "write \\\\ for a backslash"),
    ("Expected '=' after", "a line is a [table] or key = value; a key with '/' or ':' is quoted"),
)


def _deepest(lines: list[str]) -> Span:
    at = max(range(len(lines)), key=lambda at: sum(map(lines[at].count, "[{.")))
    return Span(at + 1, 1)
