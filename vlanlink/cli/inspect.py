"""``vlanlink inspect [TOPOLOGY/]NETWORK``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output
from vlanlink.cli.tables import print_table, print_tree

EXAMPLES = ("sudo vlanlink inspect pub", "sudo vlanlink inspect office/pub --json")
EXITS = {0: "done", **exits.READING}
READ_ON = "docs/topology.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """[TOPOLOGY/]NETWORK [--json]."""
    parser.add_argument("network", metavar="[TOPOLOGY/]NETWORK", help="a network that is up")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0."""
    warnings = vlanlink.file_problems()
    if options.json:
        network = vlanlink.inspect(options.network).to_dict()
        output.print_json(output.with_warnings(network, warnings))
        return 0
    output.print_notes(warnings)
    found = vlanlink.inspect(options.network)
    _print_heading(found)
    ends = [(e.namespace, e.interface, e.mac or "", _addresses(e)) for e in found.endpoints]
    if ends:
        output.say("")
        print_table(("namespace", "interface", "mac", "addresses"), ends)
    links = [(x.name, x.role, x.kind, x.mac or "", x.addresses) for x in found.host_links]
    if links:
        output.say("")
        print_table(("host link", "role", "kind", "mac", "addresses"), links)
    return 0


def _addresses(end: "vlanlink.EndpointStatus") -> list[str]:
    return [f"{text} by DHCP" if text in end.by_dhcp else text for text in end.addresses]


def _print_heading(found: "vlanlink.NetworkDetail") -> None:
    summary = found.summary
    where = f" on {summary.parent}" if summary.parent else ""
    branches: dict[str, list[str]] = {}
    for subnet in found.subnets:
        facts = [f"{key} {subnet[key]}" for key in ("gateway", "ip_range") if subnet[key]]
        facts += [f"aux {name} {ip}" for name, ip in subnet["aux_addresses"].items()]
        branches[f"subnet {subnet['subnet']}"] = facts
    title = f"{summary.topology}/{summary.name}: {summary.kind} {summary.mode}{where}"
    print_tree(title, branches)
