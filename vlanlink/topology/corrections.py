"""A line that is not TOML → the line that was meant. Pure.

A correction is offered only if TOML reads it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from unicodedata import category

from vlanlink.topology import toml

_LONGEST: Final = 120
"""Longer lines are not repeated in hints."""

_STRAIGHT: Final = str.maketrans("“”„‟«»‘’‚‛`´", "\"\"\"\"\"\"''''''")
_COMMENT: Final = re.compile(r"\s*(//|/\*|\*|--|;|<!--|%)")
_NAME: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER: Final = re.compile(rf"\s*\[\[?\s*{_KEY}\s*\]")
_PAIR: Final = re.compile(rf"\s*(?P<key>{_KEY})\s*=(?P<value>.*)")
_STATEMENT: Final = re.compile(rf"(?P<key>{_KEY})\s*(:=|=>|->|=\s*=|=|:)\s*(?P<value>.*)")
_WORD: Final = r"""[^\s\[\]{},;=\#"']+"""
_TOKEN: Final = re.compile(
    rf""""(?:\\.|[^"\\])*"|'[^']*'|\#.*|[\[\]{{}},;=]|\s+|{_WORD}(?:[ \t]+{_WORD})*|."""
)
_NO_SIGN: Final = re.compile(rf"(?P<key>{_KEY})[ \t]+(?P<value>[\"'\[{{].*|true|false|[0-9]+)")
_BOOLEANS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "false": False,
    "no": False,
    "off": False,
}
_NOTHING: Final = frozenset({"null", "none", "nil", "~", "undefined"})


def correction(line: str) -> str | None:
    """A hint for a line that TOML can't read; None if it can't be told what was meant."""
    if len(line) > _LONGEST:
        return None
    if found := _COMMENT.match(line):
        return f"write # {line[found.end() :].strip(' */->')}".rstrip()
    if pair := _PAIR.match(line):
        value = pair["value"].partition("#")[0].strip()
        if value.lower() in _NOTHING:
            return f"remove {pair['key']}: TOML has no null"
        if not value:
            return f"write a value: {pair['key']} = …"
    closed = _closed(line)
    for fixed in (
        _header(line),
        _signed(line),
        _statement(closed),
        _statement(line.replace('"', "")),
    ):
        if fixed is not None and fixed != line.strip() and _is_read(fixed):
            return f"write {fixed}"
    return None


def has_statement(text: str) -> bool:
    """Whether any line is a table header or ``key = value``."""
    return any(_HEADER.match(line) or _PAIR.match(line) for line in text.split("\n"))


def format_of(text: str) -> str | None:
    """The format that a text without any statement seems to have."""
    if re.match(r"\s*[\[{]", text):
        return "JSON"
    found = re.search(r"^(---|\s*(- )?[A-Za-z0-9_-]+:(\s|$))", text, re.MULTILINE)
    return "YAML" if found else None


def _is_read(fixed: str) -> bool:
    """Whether TOML reads it as a statement, or as a line of an array or inline table."""
    part = fixed.endswith(",") or fixed.startswith(("{", "["))
    around = ("{}", "x = [\n{}\n]", "x = {{\n{}\n}}") if part else ("{}",)
    return any(_parses(outer.format(fixed)) for outer in around)


def is_whole(line: str) -> bool:
    """True if a line is a whole header or pair, not part of an array or table."""
    return bool(line.strip()) and not line.lstrip().startswith("#") and _parses(line)


def _parses(text: str) -> bool:
    try:
        toml.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _header(line: str) -> str | None:
    """The header that ``[networks.lan`` was meant to be; its names may lack quotes."""
    text = line.translate(_STRAIGHT).partition("#")[0].strip()
    if not text or not (text[0] in "[{<" or text[-1] in "]}>") or set(text) & set("=,\\"):
        return None
    inner = text.strip("[]{}<> \t")
    if not inner:
        return None
    names = [name.strip() for name in re.findall(r'"[^"]*"|[^.]+', inner)]
    header = ".".join(one if re.fullmatch(_NAME, one) else toml.string(one) for one in names)
    return f"[[{header}]]" if text.startswith("[[") else f"[{header}]"


def _statement(line: str) -> str | None:
    """The pair that ``key: value`` was meant to be; its value may lack quotes."""
    text = line.translate(_STRAIGHT).strip()
    found = _STATEMENT.match(text)
    if found is None:
        return "".join(_rewritten(text, "")).rstrip()
    value = "".join(_rewritten(found["value"], found["key"])).rstrip(", ")
    return f"{found['key']} = {value}"


def _signed(line: str) -> str | None:
    """The pair that ``key "value"`` was meant to be: it lacks its equals sign."""
    found = _NO_SIGN.fullmatch(line.strip())
    return f"{found['key']} = {found['value']}" if found else None


def without_invisible(line: str) -> tuple[str, str] | None:
    """The line without characters that look like a space or nothing, and the ones that it had."""
    strange = [one for one in line if one != " " and category(one) in ("Zs", "Cf")]
    if not strange:
        return None
    shown = "".join(" " if category(one) == "Zs" else one for one in line)
    plain = "".join(one for one in shown if category(one) != "Cf")
    return plain, f"U+{ord(strange[0]):04X}"


def opening(lines: Sequence[str]) -> int | None:
    """The number of the last line whose bracket none of the lines closes; None if there is none."""
    opened: list[int] = []
    for at, line in enumerate(lines, 1):
        for token in _TOKEN.findall(line):
            if token in "[{":
                opened.append(at)
            elif token in "]}" and opened:
                opened.pop()
    return opened[-1] if opened else None


def _closed(line: str) -> str:
    """The line with the closing quote that a string lacks."""
    line = line.translate(_STRAIGHT)
    if line.count('"') % 2 == 0:
        return line
    at = len(line.rstrip(" \t]},;"))
    return f'{line[:at]}"{line[at:]}'


def _rewritten(text: str, key: str) -> Iterator[str]:
    """The tokens of a value; bare words become keys, strings, numbers or booleans."""
    tables: list[bool] = []
    before = ""
    for token in _TOKEN.findall(text):
        if token.isspace() or token.startswith("#"):
            yield token
            continue
        if token in "[{":
            tables.append(token == "{")
        elif token in "]}" and tables:
            tables.pop()
        is_key = bool(tables) and tables[-1] and before in ("{", ",")
        yield from _token(token, key, before, is_key=is_key)
        before = token


def _token(token: str, key: str, before: str, *, is_key: bool) -> Iterator[str]:
    if token[0] in "\"'" and len(token) > 1:
        yield f", {token}" if before[:1] in ('"', "'") else token
    elif token in '";':
        return
    elif token[0] == ":":
        yield f" = {_value(token[1:].strip(), before)}" if token[1:] else " ="
    elif token in "[]{},=" or not token:
        yield token
    elif is_key:
        name, colon, value = token.partition(":")
        yield f"{name} = {_value(value.strip(), name)}" if colon and value else name
    else:
        yield _value(token, key)


def _value(word: str, key: str) -> str:
    if word.lower() in _BOOLEANS and key != "ipv6":
        return str(_BOOLEANS[word.lower()]).lower()
    if re.fullmatch(r"[-+]?[0-9]+", word):
        return str(int(word))
    return word if _parses(f"x = {word}") else toml.string(word)
