"""TOML text to plain data, past syntax errors.

The TOML reader alone decides what the data are. Where it stops, its message and tree-sitter's
error nodes tell which lines to leave out, and it starts again, so that all syntax errors come in
one run. Duplicate keys and tables are left out too, but the rest of the file is still checked.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from vlanlink.errors import Path, Problem
from vlanlink.topology import toml
from vlanlink.topology.positions import DEEPEST, Doubled, Source, Span, Tree
from vlanlink.topology.problems import quote

if TYPE_CHECKING:
    from tree_sitter import Node

MOST: Final = 20
"""Syntax errors to report at most."""

LARGE: Final = 256 * 1024
"""A text with more characters gets its first syntax error only."""

_TOO_DEEP: Final = "arrays or tables are nested too deep"

_CHAIN: Final = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){200}""")
"""A key with so many dots that reading it takes long."""


class Reading:
    """The data of a text, and what could not be read."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.data: dict[str, Any] = {}
        self.faults: list[tuple[Span, Problem]] = []
        """Syntax errors; with any, ``data`` is empty."""
        self.doubled: list[tuple[Span, Problem]] = []
        self.left_out: set[Path] = set()


def read(source: Source) -> Reading:
    """Read a text as TOML, as far as possible."""
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
        one for one in reading.doubled if _header(source.lines, one[0].line) not in broken
    ]
    return reading


def _header(lines: Sequence[str], line: int) -> int | None:
    """The line of the header above: keys below a broken one land in another table."""
    above = range(line - 1, 0, -1)
    return next((at for at in above if lines[at - 1].lstrip().startswith("[")), None)


def _within_depth(data: dict[str, Any]) -> dict[str, Any]:
    """The data, unless they are nested deeper than any topology: recursion would fail."""
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
    """Record the error and blank its lines; False if nothing is left to try."""
    if isinstance(error, RecursionError):
        return _note(reading, _deepest(lines), _TOO_DEEP)
    tree = Tree("\n".join(lines))
    damage = _damaged(tree)
    if str(error).startswith(("Cannot ", "Duplicate ")):
        doubled = Source("\n".join(lines)).index.doubled
        if damage:  # then only where the reader stopped, too
            stopped = _stopped(error, lines)
            doubled = [one for one in doubled if stopped and one.key.line == stopped.line]
        for one in doubled:
            _note_doubled(reading, one)
            _blank(lines, one.first, one.last)
        if doubled:
            return True
    span, opened = _place(error, lines, damage)
    _note(reading, span, *_words(error, opened, lines[: span.line]))
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
        f"{quote(dotted)} is defined twice, here and on line {one.before.line}",
        "rename one of the two, or merge them",
        at_key=True,
    )
    reading.doubled.append((one.key, problem))
    if one.before.line >= one.first:  # both in one statement, which is left out
        reading.left_out.add(one.path[:-1])


def _damaged(tree: Tree) -> list[tuple[Span, int]]:
    """The error nodes: where each begins, and its last line."""
    return [(tree.span(one), tree.last_line(one)) for one in _errors(tree.root)]


def _errors(node: "Node") -> "list[Node]":
    """The outermost error nodes."""
    if node.is_error or node.is_missing:
        return [node]
    return [found for one in node.children if one.has_error for found in _errors(one)]


def _place(
    error: Exception, lines: list[str], damage: list[tuple[Span, int]]
) -> tuple[Span, Span | None]:
    """Where the reader stopped, and where the error node around it begins on an earlier line."""
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
    if not isinstance(error, toml.TOMLDecodeError):  # int() refuses such a long number
        return next(
            (
                Span(at, digits.start() + 1)
                for at, line in enumerate(lines, 1)
                if (digits := re.search(r"[\d_]{4000,}", line))
            ),
            None,
        )
    return None


def _words(error: Exception, opened: Span | None, lines: list[str]) -> tuple[str, str | None]:
    """The message, and the hint; ``lines`` end with the one where the reader stopped."""
    if not isinstance(error, toml.TOMLDecodeError):
        return "TOML syntax error: a number with too many digits", None
    from vlanlink.topology import corrections

    message = re.sub(r" \(at .*\)$", "", str(error))
    hint = next((hint for start, hint in _HINTS if message.startswith(start)), None)
    if opened:
        hint = f"what begins on line {opened.line} is never closed"
    above = corrections.opening(lines[:-1]) if message.startswith("Unclosed") else None
    line = lines[-1] if lines else ""
    invisible = corrections.without_invisible(line)
    if invisible:
        line, character = invisible
        hint = f"write {line.strip()}" if corrections.is_whole(line) else hint
    if above and corrections.is_whole(line):
        hint = f"close the bracket that line {above} opens"
    else:
        hint = corrections.correction(line) or hint
    if invisible:
        hint = f"the line has the invisible character {character}: {hint or 'remove it'}"
    return f"TOML syntax error: {message[:1].lower()}{message[1:]}", hint


_HINTS: Final = (
    ("Invalid value", "quote names, addresses and other text"),
    ("Expected newline", "write one key = value per line; quote names, addresses and other text"),
    ("Illegal character '\\n'", "close the string with a quote on the same line"),
    ("Unescaped", "write \\\\ for a backslash, or use single quotes"),
    ("Expected '=' after", "write [table] or key = value; quote a key that contains '/' or ':'"),
    ("Unclosed", "separate entries with commas, and close the bracket"),
)


def _deepest(lines: list[str]) -> Span:
    at = max(range(len(lines)), key=lambda at: sum(map(lines[at].count, "[{.")))
    return Span(at + 1, 1)
