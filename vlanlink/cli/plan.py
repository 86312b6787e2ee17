"""``vlanlink plan [FILE]``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

DIFFERS = 3
EXAMPLES = ("sudo vlanlink plan office.toml", "sudo vlanlink plan office.toml --check --json")
EXITS = {
    0: "done; with --check: the machine matches the file",
    1: "this machine doesn't allow the topology, or the kernel can't be read",
    2: "the command line or the file has errors",
    DIFFERS: "with --check: the machine differs from the file",
    4: "a privilege or a kernel feature is missing",
    130: "interrupted",
}
READ_ON = "docs/topology.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE] [--check] [--json]."""
    shared.add_default_file(parser)
    parser.add_argument("--check", action="store_true", help="exit 3 if the machine differs")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0, or 3 with ``--check`` when there is something to do."""
    topology = shared.read(shared.file_or_default(options.file))
    result = vlanlink.plan(topology)
    output.print_notes((*topology.warnings, *result.notes))
    if options.json:
        output.print_json(result.to_dict())
    else:
        output.print_plan(result)
    return DIFFERS if options.check and result.operations else 0
