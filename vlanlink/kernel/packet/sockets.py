"""What the packet sockets of this package share (packet(7))."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle

from vlanlink.kernel.packet import packets
from vlanlink.kernel.worker import Worker
from vlanlink.model import family_of

BUFFER = 8 << 20
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_CLOSERS = 128


def ethertype(address: str) -> int:
    """The EtherType of ARP or of neighbour discovery for an address."""
    return packets.ETHERTYPE_ARP if family_of(address) == 4 else packets.ETHERTYPE_IPV6


def widen(sock: socket.socket) -> None:
    """Enlarge the socket's receive and send buffers."""
    buffers = (socket.SO_RCVBUF, _SO_RCVBUFFORCE), (socket.SO_SNDBUF, _SO_SNDBUFFORCE)
    for allowed, forced in buffers:
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, allowed, BUFFER)


def close_all(sockets: Sequence[socket.socket]) -> None:
    """Close packet sockets in parallel.

    Each close waits for a grace period of the kernel (some 6 ms); simultaneous ones share it.
    """
    if len(sockets) == 1:
        sockets[0].close()
    elif sockets:
        with ExitStack() as stack:
            count = min(_CLOSERS, len(sockets))
            closers = [stack.enter_context(Worker("vlanlink-close")) for _ in range(count)]
            for closer, one in zip(cycle(closers), sockets, strict=False):
                closer.submit(one.close)
