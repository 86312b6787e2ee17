"""Tables that fit the terminal: addresses, MACs, prefixes and names are never broken.

rich breaks or cuts cells by their place in the table, not by what they mean. Here a table that is
too wide first cuts its text columns with …, then drops columns, least important first; if that is
not enough, it becomes a list with a line per value. In a pipe nothing is left out.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from vlanlink import printable
from vlanlink.cli import output, terminal

_GAP: Final = "  "
_SHORTEST: Final = 12
"""A text column is not cut below this width; it is dropped."""

Rows = list[list[tuple[str, ...]]]
Cell = str | Sequence[str]
"""Several values stand below each other on a terminal, and side by side in a pipe."""


class Column(NamedTuple):
    """A column. Without ``drop`` it always stays; the lowest ``drop`` goes first."""

    name: str
    drop: int = 0
    text: bool = False
    """May be cut."""
    style: Callable[[str], str] | None = None
    """SGR of a cell by its value."""


def print_table(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table, fitted to the terminal if stdout is one."""
    heads = [Column(one) if isinstance(one, str) else one for one in columns]
    found = [[_values(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        joined: Rows = [[(" ".join(cell),) for cell in row] for row in found]
        _draw(heads, joined, [_width(head, joined, i) for i, head in enumerate(heads)])
        return
    _fit(heads, found, terminal.width())


def print_tree(title: str, branches: Mapping[str, Iterable[str]]) -> None:
    """A title, and two levels below it."""
    output.say(title, style="1" if output.is_rich(sys.stdout) else "")
    for branch, leaves in branches.items():
        output.say(f"  {branch}", *(f"    {leaf}" for leaf in leaves))


def _values(cell: Cell) -> tuple[str, ...]:
    values = (cell,) if isinstance(cell, str) else cell
    return tuple(map(printable, filter(None, values))) or ("-",)


def _width(head: Column, rows: Rows, index: int) -> int:
    return max([len(head.name), *(len(value) for row in rows for value in row[index])])


def _fit(heads: list[Column], rows: Rows, limit: int) -> None:
    widths = [_width(head, rows, i) for i, head in enumerate(heads)]
    kept = list(range(len(heads)))
    while _total(widths, kept) > limit:
        longest = [i for i in kept if heads[i].text and widths[i] > _SHORTEST]
        dropped = sorted((i for i in kept if heads[i].drop), key=lambda i: heads[i].drop)
        if longest:
            excess = _total(widths, kept) - limit
            widest = max(longest, key=lambda i: widths[i])
            widths[widest] = max(_SHORTEST, widths[widest] - excess)
        elif dropped:
            kept.remove(dropped[0])
        else:
            _list(heads, rows)
            return
    shown = [[row[i] for i in kept] for row in rows]
    _draw([heads[i] for i in kept], shown, [widths[i] for i in kept])
    gone = [heads[i].name for i in range(len(heads)) if i not in kept]
    if gone:
        style = "2" if output.is_rich(sys.stdout) else ""
        output.say(f"(too narrow for {', '.join(gone)}; --json has all)", style=style)


def _total(widths: list[int], kept: list[int]) -> int:
    return sum(widths[i] for i in kept) + len(_GAP) * (len(kept) - 1)


def _draw(heads: list[Column], rows: Rows, widths: list[int]) -> None:
    rich = output.is_rich(sys.stdout)
    names = [_padded(h.name.upper(), w) for h, w in zip(heads, widths, strict=True)]
    output.say(_GAP.join(names).rstrip(), style="1" if rich else "")
    for row in rows:
        for i in range(max(map(len, row))):
            cells = [cell[i] if i < len(cell) else "" for cell in row]
            padded = [_padded(cell, w) for cell, w in zip(cells, widths, strict=True)]
            padded[-1] = padded[-1].rstrip()
            colours = zip(heads, cells, strict=True)
            styles = [head.style(c) if head.style and rich else "" for head, c in colours]
            line = _GAP.join(map(output.styled, padded, styles))
            sys.stdout.write(f"{line.rstrip()}\n")


def _padded(cell: str, width: int) -> str:
    short = cell if len(cell) <= width else f"{cell[: width - 1]}…"
    return short.ljust(width)


def _list(heads: list[Column], rows: Rows) -> None:
    """A paragraph a row: the first value, and a line for each value of the other columns."""
    rich = output.is_rich(sys.stdout)
    for row in rows:
        output.say(" ".join(row[0]), style="1" if rich else "")
        for head, cell in zip(heads[1:], row[1:], strict=True):
            name = head.name
            for value in cell:
                output.say(f"  {name:<{max(len(h.name) for h in heads)}} {value}")
                name = ""
