"""``vlanlink inspect [TOPOLOGY/]NETWORK``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output

NAME = "inspect"
HELP = "show a network and its endpoints"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[TOPOLOGY/]NETWORK [--json]."""
    parser.add_argument("network", metavar="[TOPOLOGY/]NETWORK", help="a network that is up")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0."""
    found = vlanlink.inspect(options.network)
    if options.json:
        output.print_json(found.to_dict())
        return 0
    summary = found.summary
    print(f"{summary.topology}/{summary.name}: {summary.kind} {summary.mode} on {summary.parent}")
    for subnet in found.subnets:
        gateway = f", gateway {subnet['gateway']}" if subnet["gateway"] else ""
        print(f"  {subnet['subnet']}{gateway}")
    columns = ("namespace", "interface", "mac", "addresses")
    rows = [
        (e.namespace, e.interface, e.mac or "-", " ".join(e.addresses)) for e in found.endpoints
    ]
    output.print_table("", columns, rows)
    return 0
