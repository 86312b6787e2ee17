"""The identity of a network namespace."""

import os
import socket
import sys

from vlanlink.kernel import syscalls
from vlanlink.kernel.netlink.socket import SO_NETNS_COOKIE
from vlanlink.kernel.worker import Worker

_OWN = "/proc/thread-self/ns/net"


def identify(path: str | None) -> int:
    """A number for the network namespace at ``path``; None: the caller's own.

    It is the cookie, unique until the next boot (SO_NETNS_COOKIE, Linux 5.14); on older kernels
    the inode, which may be reused after the namespace is gone. Raises OSError.
    """
    if path is None:
        return identify_here()

    def enter() -> int:
        with open(path, "rb") as namespace:
            syscalls.setns(namespace.fileno(), syscalls.CLONE_NEWNET)
        return identify_here()

    with Worker("vlanlink") as thread:
        return thread.do(enter)


def identify_here() -> int:
    """As ``identify``, for the calling thread's namespace."""
    with socket.socket(socket.AF_UNIX) as inside:
        try:
            cookie = inside.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
        except OSError:
            return os.stat(_OWN).st_ino
    return int.from_bytes(cookie, sys.byteorder)
