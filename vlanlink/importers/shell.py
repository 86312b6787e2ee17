"""Shell scripts, history and command lines to commands whose words know their places. Pure."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from vlanlink.importers.node import Node, Place
from vlanlink.topology.positions import Source, Span

_PART: Final = (
    r"""'[^']*' | "(?:\\.|[^"\\])*" | \\. | \$\([^()]*\) | \$\{[^{}]*\} | [^\s;&|<>()'"\\]"""
)
_TOKEN: Final = re.compile(
    rf"""(?P<join>\\\r?\n) | (?P<space>[ \t\r]+) | (?P<comment>(?<![^\s;&|(])\#[^\n]*)
    | (?P<end>\n|;|&&|\|\||\||&(?!>)|\(|\)) | (?P<redirect>[0-9]*&?(?:>>?|<<?<?)&?[0-9-]*)
    | (?P<word>(?:{_PART})+) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(
    r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^{}]*))?\})"
)
_LONGEST: Final = 100_000
"""Characters of a word."""


class Command(NamedTuple):
    """A simple command: its words, decoded as a shell does."""

    words: tuple[Node, ...]


def commands(source: Source) -> Iterator[Command]:
    """The simple commands of a text, with the variables that it sets to plain words filled in."""
    known: dict[str, str] = {}
    for words in _split(source):
        at = 0
        while at < len(words) and (found := _ASSIGNMENT.fullmatch(words[at][0])):
            known[found[1]] = _decoded(found[2], known)
            at += 1
        if at < len(words):
            yield Command(tuple(Node(place, _decoded(word, known)) for word, place in words))


def _split(source: Source) -> Iterator[list[tuple[str, Place]]]:
    words: list[tuple[str, Place]] = []
    line, start, skip = 1, 0, False
    for token in _TOKEN.finditer(source.text):
        text = token[0]
        if token.lastgroup == "word" and not skip:
            span = Span(line, token.start() - start + 1, _width(text))
            words.append((text, Place(source, span)))
        skip = token.lastgroup == "redirect" or (skip and token.lastgroup == "space")
        if token.lastgroup == "end" and words:
            yield words
            words = []
        if "\n" in text:
            line, start = line + text.count("\n"), token.start() + text.rindex("\n") + 1
    if words:
        yield words


def _width(text: str) -> int:
    return len(text.partition("\n")[0]) or 1


def _decoded(word: str, known: Mapping[str, str]) -> str:
    """Quotes removed, known variables filled in."""
    if "'" not in word:
        word = _VARIABLE.sub(lambda found: _filled(found, known), word)
    try:
        return " ".join(shlex.split(word[:_LONGEST])) if word else word
    except ValueError:  # a quote that is never closed
        return word


def _filled(found: re.Match[str], known: Mapping[str, str]) -> str:
    name = found[1] or found[2]
    return known.get(name, found[0] if found[3] is None else found[3])


_UNKNOWN: Final = re.compile(r"\$[A-Za-z_{(]|`")


def is_unresolved(text: str) -> bool:
    """Whether a word still has a variable or a command in it."""
    return _UNKNOWN.search(text) is not None
