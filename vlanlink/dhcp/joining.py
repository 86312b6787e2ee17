"""An endpoint that joins the clients of a running keeper, as a message and its sockets."""

import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from vlanlink.dataclass import dataclass, replace
from vlanlink.dhcp.guests import ask
from vlanlink.dhcp.port import Port
from vlanlink.dhcp.state import Client
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.model import DhcpClient, LinkName
from vlanlink.store.dhcp_leases import DhcpLease, lease_from, lease_row

_CONFIG: Final = (
    "hostname",
    "vendor_class",
    "shares_mac",
    "timeout",
    "probes",
    "probe_seconds",
    "hears_routers",
)


@dataclass(frozen=True, slots=True)
class Joining:
    """An endpoint that is to be served: its client, its lease, and where its namespace is."""

    key: LinkName
    index: int
    client: Client
    parent_mac: str
    """Of the link that an ipvlan endpoint sends its probes from; else empty."""
    lease: DhcpLease
    path: str
    inode: int


@dataclass(frozen=True, slots=True)
class Given:
    """Sockets that came with a request."""

    port: Port
    requests: Socket
    events: socket.socket


def join(file: Path, one: Joining, files: Sequence[int]) -> str:
    """Have an endpoint served; what the keeper serves then. Raises OSError.

    ``files``: its client's socket, two of its namespace for requests and events, and with
    ``parent_mac`` one on that link.
    """
    return ask(file, request_to_join(one), files)


def request_to_join(one: Joining) -> bytes:
    """The message."""
    return json.dumps({"join": _row(one)}).encode()


def _row(one: Joining) -> dict[str, Any]:
    config = one.client.config
    identifier = config.client_id.hex() if config.client_id else None
    return {
        "endpoint": list(one.key),
        "index": one.index,
        "mac": one.client.mac,
        "client_id": identifier,
        "config": {name: getattr(config, name) for name in _CONFIG},
        "parent_mac": one.parent_mac,
        "lease": lease_row(one.lease),
        "path": one.path,
        "inode": one.inode,
    }


def read_joining(row: Any) -> Joining:
    """The endpoint of a request by `join`. Raises ValueError for one of another release."""
    try:
        return _joining(row)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an endpoint: {error!r}") from None


def _joining(row: Any) -> Joining:
    identifier = row["client_id"]
    config = DhcpClient(client_id=bytes.fromhex(identifier) if identifier else None)
    client = Client(replace(config, **row["config"]), row["mac"], os.urandom(16))
    return Joining(
        LinkName(*row["endpoint"]),
        row["index"],
        client,
        row["parent_mac"],
        lease_from(row["lease"], "a lease"),
        row["path"],
        row["inode"],
    )


def as_given(one: Joining, sockets: Sequence[socket.socket]) -> Given:
    """The sockets of a request by `join`, each by its use. Raises ValueError."""
    if len(sockets) != 3 + bool(one.parent_mac):
        raise ValueError(f"{len(sockets)} sockets")
    own, requests, events, *parent = sockets
    port = Port(own, parent[0] if parent else None, one.parent_mac)
    return Given(port, Socket.of(requests), events)
