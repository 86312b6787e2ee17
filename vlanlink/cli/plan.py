"""``vlanlink plan FILE``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

NAME = "plan"
HELP = "show what up would do; change nothing"
DIFFERS = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE [--check] [--json]."""
    shared.add_file(parser)
    parser.add_argument("--check", action="store_true", help="exit 3 if the machine differs")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0, or 3 with ``--check`` when there is something to do."""
    topology = shared.read(options.file)
    result = vlanlink.plan(topology)
    output.print_notes((*topology.warnings, *result.notes))
    if options.json:
        output.print_json(result.to_dict())
    else:
        output.print_plan(result)
    return DIFFERS if options.check and result.operations else 0
