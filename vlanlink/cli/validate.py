"""``vlanlink validate FILE``."""

import argparse

from vlanlink.cli import arguments as shared
from vlanlink.cli import output

NAME = "validate"
HELP = "check a topology without looking at the machine; needs no root"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE [--json]."""
    shared.add_file(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 if the file is right."""
    topology = shared.read(options.file)
    if options.json:
        warnings = [warning.to_dict() for warning in topology.warnings]
        output.print_json({"topology": topology.name, "errors": [], "warnings": warnings})
    else:
        output.print_notes(topology.warnings)
        output.say(f"{options.file}: right")
    return 0
