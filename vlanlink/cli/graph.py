"""``vlanlink graph FILE|NAME``."""

import argparse
import sys
from pathlib import PurePath

import vlanlink
from vlanlink import Diagnostic, UsageError, printable
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

MOST = 40
"""Endpoints of a network that a terminal shows."""
EXAMPLES = (
    "vlanlink graph office.toml",
    "vlanlink graph office.toml -o office.svg",
    "sudo vlanlink graph office --live -o office.html",
)
EXITS = {
    **exits.READING,
    0: "done",
    1: "the file can't be written, or the kernel can't be read",
}
READ_ON = "docs/graph.md"
_STYLES = {"ok": "32", "drifted": "33", "down": "90", "differs": "31"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME [-o FILE] [--live]."""
    shared.add_file_or_name(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write a picture, FILE.svg or FILE.html (default: a tree on stdout)",
    )
    parser.add_argument(
        "--live", action="store_true", help="colour by status and verify on this machine"
    )


def run(options: argparse.Namespace) -> int:
    """Exit 0."""
    suffix = PurePath(options.output or "x.svg").suffix
    if suffix not in (".svg", ".html"):
        hint = "write -o office.svg or -o office.html"
        raise UsageError(Diagnostic(f"{options.output} ends in neither .svg nor .html", hint=hint))
    topology = shared.read_or_name(options.topology)
    with output.progress("graph") as report:
        found = vlanlink.graph(topology, on_progress=report, live=options.live)
    if options.output:
        output.write(found.svg if suffix == ".svg" else found.html, options.output)
    elif output.is_rich(sys.stdout):
        _draw(found.tree(MOST))
    else:
        _indent(found.tree(), "")
    return 0


def _indent(branch: "vlanlink.Branch", indent: str) -> None:
    output.say(f"{indent}{branch.text}" + (f"  [{branch.condition}]" if branch.condition else ""))
    for one in branch.branches:
        _indent(one, f"{indent}  ")


def _draw(root: "vlanlink.Branch") -> None:
    output.say(root.text, style="1")
    _grow(root.branches, "")


def _grow(branches: "tuple[vlanlink.Branch, ...]", guide: str) -> None:
    for one in branches:
        first, rest = ("└── ", "    ") if one is branches[-1] else ("├── ", "│   ")
        below = f"{guide}{rest}{'│' if one.branches else ' '}   "
        parts = output.fitted(f"{guide}{first}{printable(one.text)}", sys.stdout, below)
        style = _STYLES.get(one.condition, "")
        for part in parts:
            head = len(guide) + len(first) if part is parts[0] else len(below)
            sys.stdout.write(f"{part[:head]}{output.styled(part[head:], style)}\n")
        _grow(one.branches, guide + rest)
