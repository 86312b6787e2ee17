"""``vlanlink attachments [TOPOLOGY[/NETWORK]]``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output
from vlanlink.cli.tables import Column, print_table

EXAMPLES = ("sudo vlanlink attachments", "sudo vlanlink attachments office/pub --json")
EXITS = {0: "done", **exits.READING}
READ_ON = "docs/containers.md"
_COLUMNS = (
    Column("topology", drop=3),
    Column("network", drop=2),
    Column("id"),
    Column("interface", drop=1),
    Column("mac", drop=4),
    Column("addresses"),
    Column("state", drop=5),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """[TOPOLOGY[/NETWORK]] [--json]."""
    parser.add_argument(
        "scope",
        metavar="TOPOLOGY[/NETWORK]",
        nargs="?",
        help="only those of this topology or network",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when they are listed."""
    found = vlanlink.attachments(options.scope)
    if options.json:
        rows = [one.to_dict() for one in found]
        output.print_json({"attachments": rows})
    elif found:
        print_table(
            _COLUMNS,
            [
                (
                    one.topology,
                    one.network,
                    one.id,
                    one.interface,
                    one.mac or "",
                    one.addresses,
                    "live" if one.live else "ended",
                )
                for one in found
            ],
        )
    else:
        output.say("Nothing is attached.")
    return 0
