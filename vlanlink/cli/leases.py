"""``vlanlink leases [TOPOLOGY]``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output
from vlanlink.cli.tables import Column, print_table

EXAMPLES = (
    "sudo vlanlink leases",
    "sudo vlanlink leases office --json",
    "sudo vlanlink leases office --release 172.16.3.7",
)
EXITS = {
    **exits.READING,
    0: "done",
    1: "the address is in use, or the kernel can't be read",
    2: "the command line has errors, the name is unknown, or the address is not leased",
}
READ_ON = "docs/topology.md"
_COLUMNS = (
    Column("topology", drop=3),
    Column("network", drop=2),
    Column("parent", drop=1),
    Column("endpoint"),
    Column("address"),
    Column("state", drop=4),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """[FILE|NAME] [--release ADDRESS]... [--lock-timeout SECONDS] [--json]."""
    shared.add_file_or_name(parser, optional=True)
    parser.add_argument(
        "--release",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="release the lease of this address (may be repeated)",
    )
    shared.add_lock_timeout(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when they are listed, or released."""
    topology = shared.name(options.topology) if options.topology else None
    found = vlanlink.leases(topology, release=options.release, lock_timeout=options.lock_timeout)
    if options.json:
        output.print_json({"leases": [lease.to_dict() for lease in found]})
    elif options.release:
        output.say(f"Released: {', '.join(dict.fromkeys(options.release))}.")
    elif found:
        rows = [
            (
                lease.topology,
                lease.network or "",
                lease.parent or "",
                lease.endpoint,
                lease.address,
                _state(lease),
            )
            for lease in found
        ]
        print_table(_COLUMNS, rows)
    else:
        output.say("No address is leased.")
    return 0


def _state(lease: vlanlink.Lease) -> str:
    state = "in use" if lease.in_use else "kept"
    if lease.server is None:
        return state
    left = f", {lease.seconds} s left" if lease.seconds is not None else ""
    return f"{state}{left}, by DHCP from {lease.server}"
