"""``vlanlink graph FILE|NAME``."""

import argparse
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING

import vlanlink
from vlanlink import Diagnostic, UsageError, printable
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

if TYPE_CHECKING:
    from rich.tree import Tree

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
_STYLES = {"ok": "green", "drifted": "yellow", "down": "bright_black", "differs": "red"}


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


def _draw(branch: "vlanlink.Branch") -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    def grow(tree: "Tree", below: "vlanlink.Branch") -> None:
        for one in below.branches:
            grow(tree.add(Text(printable(one.text), _STYLES.get(one.condition, ""))), one)

    root = Tree(Text(printable(branch.text), "bold"))
    grow(root, branch)
    Console().print(root)
