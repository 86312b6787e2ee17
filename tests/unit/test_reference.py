"""docs/reference.md is what the parser says; ``VLANLINK_GOLDEN_UPDATE=1`` writes it again."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from vlanlink.cli.parser import Parser, parser, parsers, usage
from vlanlink.cli.verbs import VERBS, module

PAGE = Path(__file__).parents[2] / "docs/reference.md"
HEAD = """\
# Command reference

`vlanlink help VERB` prints the same. FILE ends in `.toml`, contains a `/`, or is `-` (standard
input); anything else is the NAME of a topology. Results go to stdout, progress and diagnostics to
stderr. With `--json`, stdout gets one JSON object and nothing else; errors are
`{"errors": [{"file", "line", "column", "path", "message", "hint"}]}`. Every document has a JSON
schema in [json.schema.json](json.schema.json). Output is coloured on a terminal unless `NO_COLOR`
is set.
"""


def test_the_reference_is_what_the_parser_says() -> None:
    text = "\n".join(lines()) + "\n"
    if os.environ.get("VLANLINK_GOLDEN_UPDATE"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text


def lines() -> Iterator[str]:
    yield HEAD
    yield "| verb | |"
    yield "|---|---|"
    for name, text in VERBS.items():
        yield f"| [{name}](#vlanlink-{name}) | {text} |"
    for name, sub in parsers(parser()).items():
        yield from _verb(name, module(name), sub)


def _verb(name: str, verb: ModuleType, sub: Parser) -> Iterator[str]:
    yield f"\n## vlanlink {name}\n"
    yield f"{VERBS[name][0].upper()}{VERBS[name][1:]}.\n"
    yield f"```\n{usage(sub).removeprefix('usage: ')}\n```\n"
    yield "| argument | meaning |"
    yield "|---|---|"
    for action in sub._actions:
        yield f"| `{_form(action)}` | {_meaning(sub, action)} |"
    yield "\n| exit code | meaning |"
    yield "|---|---|"
    for code, meaning in verb.EXITS.items():
        yield f"| {code} | {meaning} |"
    yield "\nExamples:\n\n```"
    yield from verb.EXAMPLES
    yield "```\n"
    yield f"Read on: {_links(verb.READ_ON)}."


def _form(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar).replace("|", "\\|")
    value = f" {action.metavar}" if action.nargs != 0 else ""
    return ", ".join(action.option_strings) + value


def _meaning(sub: Parser, action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default, "prog": sub.prog}


def _links(read_on: str) -> str:
    pages = read_on.split(", ")
    return ", ".join(
        f"[{page.removeprefix('docs/')}]({page.removeprefix('docs/')})"
        if page.startswith("docs/")
        else page
        for page in pages
    )
