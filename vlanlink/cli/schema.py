"""``vlanlink schema``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

EXAMPLES = ("vlanlink schema -o vlanlink.schema.json",)
EXITS = {0: "done", 1: "the file can't be written", 2: "the command line has errors"}
READ_ON = "docs/editors.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[-o FILE]."""
    shared.add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the schema; exit 0."""
    output.write(output.json_text(vlanlink.schema(), indent=2) + "\n", options.output)
    return 0
