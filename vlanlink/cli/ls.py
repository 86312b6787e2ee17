"""``vlanlink ls``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

EXAMPLES = ("sudo vlanlink ls", "sudo vlanlink ls --json")
EXITS = {0: "done", **exits.READING}
READ_ON = "docs/topology.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[--json]."""
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0."""
    found, warnings = vlanlink.networks(), vlanlink.file_problems()
    if options.json:
        networks = {"networks": [one.to_dict() for one in found]}
        output.print_json(output.with_warnings(networks, warnings))
        return 0
    output.print_notes(warnings)
    if found:
        columns = ("topology", "network", "kind", "mode", "parent", "subnets", "endpoints")
        rows = [
            (
                n.topology,
                n.name,
                n.kind,
                n.mode,
                n.parent or "-",
                " ".join(n.subnets) or "-",
                str(n.endpoints),
            )
            for n in found
        ]
        output.print_table("", columns, rows)
    else:
        output.say("No network is up.")
    return 0
