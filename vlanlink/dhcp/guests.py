"""Who asks a running keeper to serve an endpoint, or to let go of one, and how.

A request is one message, with the sockets of an endpoint that joins (unix(7), SCM_RIGHTS); the
answer says what the keeper serves then. The socket lies beside the keeper's file, where root alone
gets: an abstract one would be open to every container that has the host's network.
"""

import json
import os
import socket
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vlanlink.model import LinkName
from vlanlink.store import keeper_file

LARGEST: Final = 1 << 18
_SECONDS: Final = 5.0
_MOST_SOCKETS: Final = 4
_CREDENTIALS: Final = struct.Struct("3i")


# -- who asks ------------------------------------------------------------------------------------


def leave(file: Path, keys: Collection[LinkName]) -> str:
    """Have endpoints not served any more; what the keeper serves then. Raises OSError."""
    request = {"leave": [list(key) for key in sorted(keys)]}
    return ask(file, json.dumps(request).encode(), ())


def ask(file: Path, request: bytes, files: Sequence[int]) -> str:
    """The answer of the keeper with this file. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel, _place(file) as place:
        channel.settimeout(_SECONDS)
        channel.connect(place)
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


@contextmanager
def _place(file: Path) -> Iterator[str]:
    """The socket of a keeper's file, by a path that is short enough (unix(7))."""
    directory = os.open(file.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{keeper_file.socket_of(file).name}"
    finally:
        os.close(directory)


# -- who answers ---------------------------------------------------------------------------------


def listen(file: Path) -> socket.socket:
    """Where the keeper with this file is asked. Raises OSError."""
    kind = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    opened = socket.socket(socket.AF_UNIX, kind)
    try:
        keeper_file.socket_of(file).unlink(missing_ok=True)
        with _place(file) as place:
            opened.bind(place)
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
