"""How an endpoint joins the clients of a running keeper, or leaves them, as others go on.

Who asks has opened its sockets and passes them on (unix(7), SCM_RIGHTS). A request is one message;
the answer says what the keeper serves then. The address is an abstract one with the keeper's pid:
who asks and who answers look at each other's credentials.
"""

import json
import os
import socket
import struct
from collections.abc import Collection, Sequence
from typing import Any, Final

from vlanlink.dataclass import dataclass, replace
from vlanlink.dhcp.port import Port
from vlanlink.dhcp.state import Client
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.model import DhcpClient, LinkName
from vlanlink.store.dhcp_leases import DhcpLease, lease_from, lease_row

LARGEST: Final = 1 << 18
_SECONDS: Final = 5.0
_MOST_SOCKETS: Final = 4
_CREDENTIALS: Final = struct.Struct("3i")
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


# -- who asks ------------------------------------------------------------------------------------


def leave(pid: int, keys: Collection[LinkName]) -> str:
    """Have endpoints not served any more; what the keeper serves then. Raises OSError."""
    request = {"leave": [list(key) for key in sorted(keys)]}
    return _ask(pid, json.dumps(request).encode(), ())


def join(pid: int, one: Joining, files: Sequence[int]) -> str:
    """Have an endpoint served; what the keeper serves then. Raises OSError.

    ``files``: its client's socket, two of its namespace for requests and events, and with
    ``parent_mac`` one on that link.
    """
    return _ask(pid, request_to_join(one), files)


def request_to_join(one: Joining) -> bytes:
    """The message."""
    return json.dumps({"join": _row(one)}).encode()


def _ask(pid: int, request: bytes, files: Sequence[int]) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
        channel.settimeout(_SECONDS)
        channel.connect(_address(pid))
        if uid_of(channel) != os.geteuid():
            raise PermissionError("somebody else answers for the keeper")
        socket.send_fds(channel, [request], list(files))
        answer = channel.recv(LARGEST)
    if not answer:
        raise ConnectionResetError("the keeper refused")
    return answer.decode("ascii")


def uid_of(channel: socket.socket) -> int:
    """The user at the other end (SO_PEERCRED)."""
    data = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


def _address(pid: int) -> str:
    return f"\0vlanlink-keeper-{pid}"


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


# -- who answers ---------------------------------------------------------------------------------


def listen(pid: int) -> socket.socket:
    """Where a keeper is asked. Raises OSError."""
    kind = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    opened = socket.socket(socket.AF_UNIX, kind)
    try:
        opened.bind(_address(pid))
        opened.listen(16)
    except OSError:
        opened.close()
        raise
    return opened


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[socket.socket]]:
    """A request, and the sockets that came with it. Raises OSError, ValueError."""
    data, files, _, _ = socket.recv_fds(channel, LARGEST, _MOST_SOCKETS)
    sockets = [socket.socket(fileno=file) for file in files]
    try:
        found = json.loads(data or b"{}")
        if not isinstance(found, dict):
            raise TypeError("not a request")
    except (ValueError, TypeError) as error:
        for each in sockets:
            each.close()
        raise ValueError(str(error)) from None
    return found, sockets


def read_keys(rows: Any) -> list[LinkName]:
    """The endpoints of a request by `leave`. Raises ValueError for one of another release."""
    try:
        return [LinkName(*row) for row in rows]
    except TypeError as error:
        raise ValueError(f"not endpoints: {error}") from None


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
