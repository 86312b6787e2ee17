"""``vlanlink export FILE|NAME --to FORMAT``."""

import argparse
from pathlib import Path

import vlanlink
from vlanlink import Diagnostic, UsageError
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

EXAMPLES = (
    "vlanlink export office.toml --to iproute2",
    "vlanlink export office.toml --to iproute2 --undo -o undo.sh",
    "vlanlink export office --to networkd -o /tmp/office",
)
EXITS = {
    **exits.READING,
    0: "done; warnings name what the format can't say",
    1: "the file can't be written, or the kernel can't be read",
}
READ_ON = "docs/export.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME --to FORMAT [--undo] [-o FILE] [--json]."""
    shared.add_file_or_name(parser)
    parser.add_argument(
        "--to",
        metavar="FORMAT",
        required=True,
        choices=("iproute2", "networkd", "cni"),
        help="iproute2 (a script), networkd (the host's part) or cni (a conflist per network)",
    )
    parser.add_argument(
        "--undo", action="store_true", help="iproute2: the script that takes it away again"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write to this file; several files: to this directory (default: stdout)",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0."""
    if options.undo and options.to != "iproute2":
        raise UsageError(Diagnostic("--undo is for --to iproute2"))
    found = vlanlink.export(shared.read_or_name(options.topology), options.to, undo=options.undo)
    if options.json:
        output.print_json(found.to_dict())
        return 0
    output.print_notes(found.warnings)
    if options.output is None or len(found.files) == 1:
        output.write(found.text, options.output)
        return 0
    for name, text in found.files.items():
        path = Path(options.output) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        output.write(text, str(path))
        output.say(str(path))
    return 0
