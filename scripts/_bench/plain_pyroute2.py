"""The bench's networks by pyroute2 as its documentation shows it.

python plain_pyroute2.py up|read|down PARENT FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyroute2 import IPRoute, NetNS, netns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def up(parent: str, wanted: Mapping[str, Sequence[str]], gateways: Sequence[str]) -> None:
    """Make the namespaces and what is in them."""
    with IPRoute() as host:
        (below,) = host.link_lookup(ifname=parent)
        for name, addresses in wanted.items():
            netns.create(name)
            host.link(
                "add",
                ifname="eth0",
                kind="macvlan",
                link=below,
                macvlan_mode="bridge",
                net_ns_fd=name,
            )
            with NetNS(name, flags=0) as inside:
                inside.link("set", index=1, state="up")
                (index,) = inside.link_lookup(ifname="eth0")
                for address in addresses:
                    bare, _, prefix = address.partition("/")
                    inside.addr("add", index=index, address=bare, prefixlen=int(prefix))
                inside.link("set", index=index, state="up")
                for gateway in gateways:
                    everywhere = "::/0" if ":" in gateway else "0.0.0.0/0"
                    inside.route("add", dst=everywhere, gateway=gateway)


def read(names: Sequence[str]) -> None:
    """Read back what is in the namespaces."""
    for name in names:
        with NetNS(name, flags=0) as inside:
            for dump in (inside.get_links(), inside.get_addr(), inside.get_routes(table=254)):
                list(dump)


def down(names: Sequence[str]) -> None:
    """Take the namespaces away."""
    for name in names:
        netns.remove(name)


def main(verb: str, parent: str, file: str) -> None:
    """Carry out one verb."""
    wanted = json.loads(Path(file).read_text())
    match verb:
        case "up":
            up(parent, wanted["namespaces"], wanted["gateways"])
        case "read":
            read(list(wanted["namespaces"]))
        case "down":
            down(list(wanted["namespaces"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
