"""``vlanlink enable FILE``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

EXAMPLES = ("sudo vlanlink enable --now office.toml", "sudo vlanlink enable --watch office.toml")
EXITS = {
    0: "enabled",
    1: "systemd, or a file that is not ours, is in the way; rolled back",
    2: "the command line or the file has errors; nothing was changed",
    4: "a privilege is missing, or others than root can write the program; nothing was changed",
    130: "interrupted; rolled back",
}
READ_ON = "docs/boot.md, docs/watch.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE [--watch] [--now] [--json]."""
    shared.add_file(parser)
    parser.add_argument(
        "--watch", action="store_true", help="also repair drift, as `vlanlink watch` does"
    )
    parser.add_argument("--now", action="store_true", help="also bring it up now")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is enabled."""
    topology = shared.read(options.file)
    result = vlanlink.enable(topology, now=options.now, watch=options.watch)
    output.print_notes((*topology.warnings, *result.notes))
    if options.json:
        output.print_json(result.to_dict())
        return 0
    output.print_lines(result.lines)
    how = "enabled" if result.steps else "already enabled"
    watched = " and watches it" if options.watch else ""
    output.say(f"{result.topology} {how}: every boot brings it up{watched}.")
    return 0
