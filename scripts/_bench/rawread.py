"""What reading back costs at the least in Python: the same dumps, struct, and nothing kept.

Of each message come the values that matter, as a tuple; nothing is checked, compared or named.

python rawread.py          every namespace in /run/netns
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

NETNS = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_SOL_NETLINK, _GET_STRICT_CHK, _NLMSG_DONE = 270, 12, 3

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")


def _request(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, 0x301, 0, 0) + body


_LINKS = _request(18, bytes(16) + struct.pack("=HHI", 8, 29, 8))  # without counters
_ADDRESSES = _request(22, bytes(8))
_ROUTES = [_request(26, struct.pack("=B6xBI", family, 1, 0)) for family in (2, 10)]  # unicast

_libc = ctypes.CDLL(None, use_errno=True)


def opened(path: Path) -> socket.socket:
    """A socket in the namespace."""
    file = os.open(path, os.O_RDONLY)
    if _libc.setns(file, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns", str(path))
    os.close(file)
    found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    found.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
    return found


def attributes(data: bytes, offset: int, end: int) -> dict[int, bytes]:
    """Values by number."""
    found = {}
    while offset < end:
        size, number = _ATTRIBUTE.unpack_from(data, offset)
        found[number & 0x3FFF] = data[offset + 4 : offset + size]
        offset += size + 3 & ~3
    return found


def dump(at: socket.socket, request: bytes, body: struct.Struct) -> list[tuple[Any, ...]]:
    """The body and the outer attributes of each message that answers."""
    at.send(request)
    found: list[tuple[Any, ...]] = []
    while True:
        data = at.recv(1 << 16)
        offset = 0
        while offset < len(data):
            length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
            if kind == _NLMSG_DONE:
                return found
            end = offset + length
            outer = attributes(data, offset + 16 + body.size, end)
            found.append((*body.unpack_from(data, offset + 16), outer))
            offset = end + 3 & ~3


def kind_and_mode(link: dict[int, bytes]) -> tuple[bytes | None, bytes | None]:
    """Out of IFLA_LINKINFO."""
    info = link.get(18, b"")
    inner = attributes(info, 0, len(info))
    data = inner.get(2, b"")
    return inner.get(1), attributes(data, 0, len(data)).get(1)


def read(at: socket.socket) -> tuple[object, ...]:
    """What is in a namespace."""
    links = [
        (index, flags, a[3], a[4], a.get(1), a.get(5), a.get(20), a.get(27), kind_and_mode(a))
        for _, _, index, flags, _, a in dump(at, _LINKS, _LINK)
    ]
    addresses = [
        (family, prefix, index, a.get(2) or a.get(1), a.get(8), a.get(11))
        for family, prefix, _, _, index, a in dump(at, _ADDRESSES, _ADDRESS)
    ]
    routes = [
        (family, prefix, table, protocol, a.get(1), a.get(4), a.get(5), a.get(6))
        for request in _ROUTES
        for family, prefix, _, _, table, protocol, _, _, _, a in dump(at, request, _ROUTE)
    ]
    return links, addresses, routes


def main() -> None:
    """Open all of them, then read all of them, and tell how long each took."""
    start = time.perf_counter()
    sockets = [opened(NETNS / name) for name in sorted(os.listdir(NETNS))]
    middle = time.perf_counter()
    for each in sockets:
        read(each)
    end = time.perf_counter()
    print(f"open {middle - start:.6f} s\nread {end - middle:.6f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
