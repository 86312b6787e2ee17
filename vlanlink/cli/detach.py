"""``vlanlink detach TOPOLOGY/NETWORK ID``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

EXAMPLES = ("sudo vlanlink detach office/pub db",)
EXITS = {0: "done", **exits.ROLLED_BACK}
READ_ON = "docs/containers.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """TOPOLOGY/NETWORK ID [--lock-timeout SECONDS] [--json]."""
    shared.add_network(parser)
    parser.add_argument("id", metavar="ID", help="the attachment, as `attachments` lists it")
    shared.add_lock_timeout(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is gone."""
    vlanlink.detach(options.network, options.id, lock_timeout=options.lock_timeout)
    topology, _, network = options.network.partition("/")
    if options.json:
        output.print_json(
            {
                "version": vlanlink.JSON_VERSION,
                "topology": topology,
                "network": network,
                "id": options.id,
            }
        )
    else:
        output.say(f"{options.id} is detached from {options.network}.")
    return 0
