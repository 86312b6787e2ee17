"""Drop unneeded capabilities(7) when the command starts.

Only our own processes do so (the command and the reverter), never a program that uses the library.
Programs that they execute as root (modprobe, systemctl, the command of ``exec``) have all of root's
capabilities again: execve(2).
"""

import ctypes
import os
import signal
from collections.abc import Iterable
from contextlib import suppress

CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,  # a topology in a private home
    "CAP_NET_ADMIN": 12,  # links, addresses, routes, sysctls
    "CAP_NET_RAW": 13,  # address probes and announcements
    "CAP_SYS_PTRACE": 19,  # /proc/PID/ns/net: processes in a namespace
    "CAP_SYS_ADMIN": 21,  # namespaces, and the mounts of their names
}
"""Numbers from linux/capability.h, and the use of each."""
NUMBERS = {**CAPABILITIES, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""With those that ``exec --user`` takes; it keeps all that it has."""
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


_NOBODY = 65534
_SET_KEEP_CAPABILITIES, _SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 8, 1, 38
"""prctl(2)."""


def keep_needed_capabilities() -> None:
    """Drop unneeded capabilities of this thread and its future children. Raises OSError."""
    _keep(CAPABILITIES.values())


def become_nobody(*kept: str) -> None:
    """Keep some capabilities and no file: the user nobody, without a way back. Raises OSError.

    In a user namespace without that user the process stays who it is.
    """
    _prctl(_SET_KEEP_CAPABILITIES, 1)
    with suppress(OSError):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    _keep((CAPABILITIES[name] for name in kept), use=True)  # effective ones go with the user
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends. Raises OSError.

    A change of the user undoes it (prctl(2)).
    """
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def _keep(numbers: Iterable[int], *, use: bool = False) -> None:
    header, sets = _Header(_VERSION_3, 0), (_Sets * _WORDS)()
    _check(_libc.capget(ctypes.byref(header), sets))
    needed = sum(1 << number for number in numbers)
    for word, kept in enumerate((needed & 0xFFFFFFFF, needed >> 32)):
        sets[word].permitted &= kept
        sets[word].effective = sets[word].permitted if use else sets[word].effective & kept
    _check(_libc.capset(ctypes.byref(header), sets))


def _check(result: int, what: str = "capset") -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)
