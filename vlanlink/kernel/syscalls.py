"""System calls on namespaces and mounts that Python 3.11 lacks (setns(2), mount(2))."""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

OWN_NETWORK = "/proc/thread-self/ns/net"
"""The calling thread's network namespace."""

MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = (
    1,
    4096,
    16384,
    1 << 18,
    1 << 19,
    1 << 20,
)
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
"""The same numbers on every architecture (asm-generic/unistd.h)."""
_CLOEXEC, _CMD_CREATE = 1, 6
_NOSUID_NODEV_NOEXEC = 0x2 | 0x4 | 0x8

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread into the namespace behind an open file. Raises OSError."""
    _check(_libc.setns(descriptor, kind), "setns")


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces. Raises OSError."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount ``source`` on ``target``. Raises OSError with the target as its file name."""
    _check(
        _libc.mount(
            source.encode(),
            os.fsencode(target),
            kind.encode(),
            ctypes.c_ulong(flags),
            data.encode() if data else None,
        ),
        target,
    )


def unmount(target: str, flags: int = MNT_DETACH | UMOUNT_NOFOLLOW) -> None:
    """Unmount ``target`` without following symbolic links.

    Raises OSError with the target as its file name.
    """
    _check(_libc.umount2(os.fsencode(target), flags), target)


def new_proc() -> int:
    """Create a procfs instance without mounting it; an open file of its root. Raises OSError."""
    context = _libc.syscall(_FSOPEN, b"proc", _CLOEXEC)
    _check(min(context, 0), "fsopen")
    try:
        _check(_libc.syscall(_FSCONFIG, context, _CMD_CREATE, None, None, 0), "fsconfig")
        root: int = _libc.syscall(_FSMOUNT, context, _CLOEXEC, _NOSUID_NODEV_NOEXEC)
        _check(min(root, 0), "fsmount")
    finally:
        os.close(context)
    return root


def getsockopt(descriptor: int, level: int, option: int, buffer: bytearray) -> None:
    """Read a socket option that takes a request in its buffer. Raises OSError.

    Python's own starts with an empty buffer.
    """
    length = ctypes.c_uint(len(buffer))
    place = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    _check(_libc.getsockopt(descriptor, level, option, place, ctypes.byref(length)), "getsockopt")
