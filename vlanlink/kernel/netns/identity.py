"""What tells one network namespace from all others."""

import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

from vlanlink.kernel import syscalls

_OWN = "/proc/thread-self/ns/net"
_SO_NETNS_COOKIE = 71


def identify(path: str | None) -> int:
    """The number of the network namespace at ``path``, None for the caller's own.

    It is the cookie, which no other namespace has until the next boot (SO_NETNS_COOKIE, Linux
    5.14). Older kernels tell only the inode, which may be given again when the namespace is gone.
    Raises OSError.
    """
    if path is None:
        return identify_here()

    def enter() -> int:
        with open(path, "rb") as namespace:
            syscalls.setns(namespace.fileno(), syscalls.CLONE_NEWNET)
        return identify_here()

    with ThreadPoolExecutor(1, "vlanlink") as thread:
        return thread.submit(enter).result()


def identify_here() -> int:
    """The same of the namespace that the calling thread is in."""
    with socket.socket(socket.AF_UNIX) as inside:
        try:
            cookie = inside.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
        except OSError:
            return os.stat(_OWN).st_ino
    return int.from_bytes(cookie, sys.byteorder)
