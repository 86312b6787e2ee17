"""``vlanlink attach TOPOLOGY/NETWORK``."""

import argparse

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import exits, output

EXAMPLES = (
    "sudo vlanlink attach office/pub --container db",
    "sudo vlanlink attach office/pub --pid 4711 --id db --interface lan0",
    "sudo vlanlink attach office/pub --path /run/netns/db --address 172.16.3.30 --json",
)
EXITS = {0: "done", **exits.ROLLED_BACK}
READ_ON = "docs/containers.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """TOPOLOGY/NETWORK --pid PID | --path PATH | --container NAME, and what it gets."""
    shared.add_network(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--pid", type=shared.pid, help="the network namespace of this process")
    where.add_argument("--path", help="the network namespace at this path")
    where.add_argument("--container", metavar="NAME", help="that of a podman or docker container")
    parser.add_argument("--interface", help="the link's name there (default: eth0)")
    parser.add_argument(
        "--address",
        action="append",
        default=[],
        help="an address (may be repeated; default: free ones, or one by DHCP)",
    )
    parser.add_argument("--mac", help="the MAC address (default: derived from the id)")
    parser.add_argument(
        "--id", help="who keeps addresses and MAC (default: the container's name, or the pid)"
    )
    shared.add_lock_timeout(parser)
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Exit 0 when it is attached."""
    found = vlanlink.attach(
        options.network,
        pid=options.pid,
        path=options.path,
        container=options.container,
        id=options.id,
        interface=options.interface,
        addresses=options.address,
        mac=options.mac,
        lock_timeout=options.lock_timeout,
    )
    if options.json:
        output.print_json({"version": vlanlink.JSON_VERSION, **found.to_dict()})
    else:
        where = f"{found.topology}/{found.network}"
        has = ", ".join(found.addresses) or "no address"
        output.say(f"{found.id} is attached to {where}: {found.interface} has {has}.")
    return 0
