"""Who asks a running keeper to serve an endpoint, or to let go of one, and how.

A request is one message, with the sockets of an endpoint that joins (unix(7), SCM_RIGHTS); the
answer says what the keeper serves then. The address is an abstract one with the keeper's pid: who
asks and who answers look at each other's credentials.
"""

import json
import os
import socket
import struct
from collections.abc import Collection, Sequence
from typing import Any, Final

from vlanlink.model import LinkName

LARGEST: Final = 1 << 18
_SECONDS: Final = 5.0
_MOST_SOCKETS: Final = 4
_CREDENTIALS: Final = struct.Struct("3i")


# -- who asks ------------------------------------------------------------------------------------


def leave(pid: int, keys: Collection[LinkName]) -> str:
    """Have endpoints not served any more; what the keeper serves then. Raises OSError."""
    request = {"leave": [list(key) for key in sorted(keys)]}
    return ask(pid, json.dumps(request).encode(), ())


def ask(pid: int, request: bytes, files: Sequence[int]) -> str:
    """The answer of the keeper with this pid. Raises OSError."""
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
