"""``fmt``: one layout for TOML text. Values, their order and comments stay as they are.

The text is cut into tokens, and only what stands between them changes. A formatter from a library
was no choice: tomlkit keeps a layout but has none of its own, taplo is a program without wheels
for most platforms, and neither reads the multi-line inline tables of TOML 1.1.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from vlanlink.topology import toml

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t]+)
    | (?P<newline>\r?\n)
    | (?P<comment>\#[^\r\n]*)
    | (?P<word>
        \"{3}(?:[^\\]|\\.)*?\"{3,5} | '{3}.*?'{3,5} | "(?:[^"\\\n]|\\.)*" | '[^'\n]*'
        | [^\s\[\]{},=.\#"']+ )
    | (?P<sign>[\[\]{},=.])
    """,
    re.VERBOSE | re.DOTALL,
)
_INDENT: Final = "  "
_OPEN: Final = {"[": "]", "{": "}"}


class _Line(NamedTuple):
    """A line of the result."""

    text: str
    comment: str = ""
    depth: int = 0

    @property
    def is_header(self) -> bool:
        return self.depth == 0 and self.text.startswith("[")


def formatted(text: str) -> str:
    """``text``, which is TOML, in vlanlink's layout. Raises ValueError for a syntax error."""
    text = text.removeprefix("\ufeff")
    data = toml.loads(text)
    lines = _spaced(_aligned([_line(tokens, depth) for tokens, depth in _rows(text)]))
    found = "\n".join(lines).strip("\n") + "\n" if text.strip() else ""
    if toml.loads(found) != data:
        raise AssertionError("the layout changed the data")
    return found


def _rows(text: str) -> Iterator[tuple[list[str], int]]:
    """The tokens of each line, and how many brackets are open at its first token.

    A bracket that closes more than its own line stands at the depth of the line that opened it.
    """
    tokens: list[str] = []
    depth = now = 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        match found.lastgroup:
            case "newline":
                yield tokens, depth
                tokens, depth = [], now
            case "space":
                continue
            case _:
                now += token in _OPEN
                now -= token in _OPEN.values()
                leads = all(one in _OPEN.values() for one in tokens)
                depth = now if token in _OPEN.values() and leads else depth
                tokens.append(token)
    if tokens:
        yield tokens, depth


def _line(tokens: list[str], depth: int) -> _Line:
    comment = tokens[-1].rstrip() if tokens and tokens[-1].startswith("#") else ""
    words = tokens[:-1] if comment else tokens
    if depth == 0 and words[:1] == ["["]:  # a header
        return _Line("".join(words), comment, depth)
    gaps = map(_gap, ["", *words], words)
    return _Line(
        "".join(f"{gap}{word}" for gap, word in zip(gaps, words, strict=True)), comment, depth
    )


def _gap(before: str, word: str) -> str:
    """The space between two tokens of a key and its value."""
    pair = before + word
    tight = "." in (before, word) or before in ("", "[") or word in (",", "]") or pair == "{}"
    return "" if tight else " "


def _aligned(lines: list[_Line]) -> Iterator[_Line]:
    """Comments beside neighbouring lines in one column, two spaces after the longest line."""
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end].text and lines[end].comment:
            end += 1
        column = max((len(_indented(line)) for line in lines[start:end]), default=0) + 2
        for line in lines[start:end]:
            yield _Line(f"{_indented(line):<{column}}{line.comment}", depth=line.depth)
        if end < len(lines):
            line = lines[end]
            text = line.text or line.comment
            yield _Line(_indented(line._replace(text=text)), depth=line.depth)
        start = max(end, start) + 1


def _indented(line: _Line) -> str:
    return f"{_INDENT * line.depth}{line.text}".rstrip()


def _spaced(lines: Iterable[_Line]) -> Iterator[str]:
    """No more than one empty line, none inside brackets, one before each header and its comment."""
    rows = list(lines)
    for number, line in enumerate(rows):
        after = rows[number - 1] if number else _Line("")
        if not line.text:
            if after.text and not line.depth:
                yield ""
            continue
        if _begins_table(rows, number) and after.text and not _is_comment(after):
            yield ""
        yield line.text


def _begins_table(rows: list[_Line], number: int) -> bool:
    """Whether a line is a header, or the first of the comments that stand on one."""
    following = (row for row in rows[number:] if not _is_comment(row))
    first = next(following, _Line(""))
    return first.is_header


def _is_comment(line: _Line) -> bool:
    return line.text.startswith("#")
