"""``vlanlink disable NAME``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

EXAMPLES = ("sudo vlanlink disable office", "sudo vlanlink disable --now office")
EXITS = {
    0: "disabled, or it was not enabled",
    1: "systemd refuses, or services of its namespaces are enabled",
    2: "the command line has errors, or the name is unknown",
    4: "a privilege is missing; nothing was changed",
    130: "interrupted",
}
READ_ON = "docs/boot.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE|NAME [--now] [--release-units] [--json]."""
    shared.add_file_or_name(parser)
    parser.add_argument("--now", action="store_true", help="also take it down now")
    parser.add_argument(
        "--release-units",
        action="store_true",
        help="let the services of its namespaces run in the host's own network",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is disabled."""
    result = vlanlink.disable(
        shared.heading_or_name(options.topology),
        now=options.now,
        release_units=options.release_units,
    )
    output.print_notes(result.notes)
    if options.json:
        output.print_json(result.to_dict())
        return 0
    output.print_lines(result.lines)
    how = "disabled" if result.steps else "is not enabled: nothing to do"
    output.say(f"{result.topology} {how}.")
    return 0
