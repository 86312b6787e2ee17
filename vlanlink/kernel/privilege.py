"""What the command may do: capabilities(7) that it has no use for are given up at its start.

Only a process of our own gives them up (the command, and what puts an unconfirmed change back),
never one that uses the library. The commands that it starts as root (modprobe, systemctl, what
``exec`` becomes) have all of root's again: execve(2).
"""

import ctypes
import os

_NEEDED = {
    "CAP_DAC_READ_SEARCH": 2,  # a topology in a home that only its owner reads
    "CAP_NET_ADMIN": 12,  # links, addresses, routes, sysctls
    "CAP_NET_RAW": 13,  # the LAN is asked, neighbours are told
    "CAP_SYS_PTRACE": 19,  # /proc/PID/ns/net of others: who is in a namespace that is to go
    "CAP_SYS_ADMIN": 21,  # namespaces and the mounts that name them
}
"""linux/capability.h, and what each is for."""
_VERSION_3 = 0x20080522
_WORDS = 2

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def keep_needed_capabilities() -> None:
    """Give up what is not needed, for this thread and all that it starts. Raises OSError."""
    header, sets = _Header(_VERSION_3, 0), (_Sets * _WORDS)()
    _check(_libc.capget(ctypes.byref(header), sets))
    needed = sum(1 << number for number in _NEEDED.values())
    for word, kept in enumerate((needed & 0xFFFFFFFF, needed >> 32)):
        sets[word].effective &= kept
        sets[word].permitted &= kept
    _check(_libc.capset(ctypes.byref(header), sets))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "capset")
