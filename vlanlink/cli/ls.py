"""``vlanlink ls``."""

import argparse
from typing import TYPE_CHECKING

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output
from vlanlink.cli.tables import Column, print_table

if TYPE_CHECKING:
    from vlanlink import NetworkDetail, NetworkSummary

EXAMPLES = ("sudo vlanlink ls", "sudo vlanlink ls --endpoints", "sudo vlanlink ls --json")
EXITS = {0: "done", **exits.READING}
READ_ON = "docs/topology.md"
_NETWORKS = (
    Column("topology"),
    Column("network"),
    Column("kind", drop=3),
    Column("mode", drop=1),
    Column("parent", drop=4),
    Column("subnets"),
    Column("endpoints", drop=2),
)
_ENDPOINTS = (
    Column("topology", drop=2),
    Column("network", drop=3),
    Column("endpoint"),
    Column("mac", drop=1),
    Column("addresses"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """[--endpoints] [--json]."""
    parser.add_argument(
        "--endpoints", action="store_true", help="list every endpoint with its addresses"
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0."""
    found, warnings = vlanlink.inspect(), vlanlink.file_problems()
    if options.json:
        document: dict[str, object] = {"networks": [one.summary.to_dict() for one in found]}
        if options.endpoints:
            document["endpoints"] = [
                {"topology": one.summary.topology, "network": one.summary.name, **end.to_dict()}
                for one in found
                for end in one.endpoints
            ]
        output.print_json(output.with_warnings(document, warnings))
        return 0
    output.print_notes(warnings)
    if not found:
        output.say("No network is up.")
    elif options.endpoints:
        _print_endpoints(found)
    else:
        _print_networks([one.summary for one in found])
    return 0


def _print_networks(found: "list[NetworkSummary]") -> None:
    rows = [
        (n.topology, n.name, n.kind, n.mode, n.parent or "", n.subnets, str(n.endpoints))
        for n in found
    ]
    print_table(_NETWORKS, rows)


def _print_endpoints(found: "tuple[NetworkDetail, ...]") -> None:
    rows = [
        (one.summary.topology, one.summary.name, end.name, end.mac or "", end.addresses)
        for one in found
        for end in one.endpoints
    ]
    print_table(_ENDPOINTS, rows)
