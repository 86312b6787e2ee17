"""``vlanlink enable FILE``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

NAME = "enable"
HELP = "bring a topology up at every boot, by a systemd unit"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE [--watch] [--now] [--json]."""
    shared.add_file(parser)
    parser.add_argument(
        "--watch", action="store_true", help="and watch it from then on, as vlanlink watch does"
    )
    parser.add_argument("--now", action="store_true", help="and bring it up at once")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is enabled, or was so before."""
    topology = shared.read(options.file)
    result = vlanlink.enable(topology, now=options.now, watch=options.watch)
    output.print_notes((*topology.warnings, *result.notes))
    if options.json:
        output.print_json(result.to_dict())
        return 0
    output.print_lines(result.lines)
    how = "comes up" if result.steps else "came up already"
    watched = ", and is watched" if options.watch else ""
    output.say(f"{result.topology} {how} at every boot{watched}.")
    return 0
