"""The network namespace that an attachment goes into: opened once, used by its descriptor."""

import errno
import fcntl
import os
import select

from vlanlink.kernel import syscalls
from vlanlink.kernel.netns.names import is_namespace

_NS_GET_NSTYPE = 0xB703
"""ioctl_ns(2)."""


def open_process(pid: int) -> int:
    """An open file of a process's network namespace. Raises OSError.

    The pidfd tells whether the pid still meant that process when its namespace was opened.
    """
    process = os.pidfd_open(pid)
    try:
        descriptor = open_path(f"/proc/{pid}/ns/net")
        ended, _, _ = select.select([process], [], [], 0)
    finally:
        os.close(process)
    if ended:
        os.close(descriptor)
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return descriptor


def open_path(path: str) -> int:
    """An open file of the network namespace at ``path``. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not is_namespace(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "it is not a namespace")
        if fcntl.ioctl(descriptor, _NS_GET_NSTYPE) != syscalls.CLONE_NEWNET:
            raise OSError(errno.EINVAL, "it is a namespace of another type")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
