"""``vlanlink init``."""

import argparse
from pathlib import Path

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

EXAMPLES = (
    "vlanlink init",
    "vlanlink init --parent eth0.50 -o office.toml",
    "vlanlink init --kind ipvlan -o -",
)
EXITS = {
    0: "written",
    1: "the file can't be written, the link can't be a parent, or the kernel can't be read",
    2: "the command line has errors, the file exists, or the parent is unknown",
}
READ_ON = "docs/topology.md"
_NAME = "lan"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[--parent LINK] [--kind KIND] [-o FILE]."""
    parser.add_argument(
        "--parent", metavar="LINK", help="the parent (default: the link with the default route)"
    )
    parser.add_argument(
        "--kind", metavar="KIND", help="macvlan or ipvlan (default: what the parent can carry)"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default=shared.DEFAULT_FILE,
        help="the new file, or - for stdout (default: %(default)s here)",
    )


def run(options: argparse.Namespace) -> int:
    """Exit 0 when the file is written."""
    file = options.output
    name = Path(file).stem if file not in ("-", shared.DEFAULT_FILE) else _NAME
    if Path(file).exists():
        hint = "write another: -o FILE; vlanlink init never overwrites"
        raise vlanlink.UsageError(vlanlink.Diagnostic(f"{file} exists", hint=hint))
    text = vlanlink.first_topology(name, options.parent, options.kind)
    if file == "-":
        output.write(text, None)
        return 0
    with open(file, "x", encoding="utf-8") as stream:
        stream.write(text)
    given = "" if file == shared.DEFAULT_FILE else f" {file}"
    output.say(f"{file} written. Read it, then:")
    for words in ("vlanlink validate", "sudo vlanlink plan", "sudo vlanlink up"):
        output.say(f"  {words}{given}")
    return 0
