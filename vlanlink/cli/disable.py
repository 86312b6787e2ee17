"""``vlanlink disable NAME``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

NAME = "disable"
HELP = "bring a topology up at boot no longer"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME [--now] [--json]."""
    shared.add_file_or_name(parser)
    parser.add_argument("--now", action="store_true", help="and take it down at once")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is not enabled, or was not before."""
    result = vlanlink.disable(shared.name(options.topology), now=options.now)
    output.print_notes(result.notes)
    if options.json:
        output.print_json(result.to_dict())
        return 0
    output.print_lines(result.lines)
    how = "no longer comes up at boot" if result.steps else "is not enabled: nothing to do"
    output.say(f"{result.topology} {how}.")
    return 0
