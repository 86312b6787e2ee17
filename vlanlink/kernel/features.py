"""Features of this kernel and capabilities of this process."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from vlanlink.kernel.privilege import NUMBERS

_TO_CHANGE = ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")


@cache
def release() -> tuple[int, int]:
    """The kernel's version, e.g. (6, 1)."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()) or 0)


def has_address_protocols() -> bool:
    """True if addresses can carry our mark (IFA_PROTO, Linux 5.18)."""
    return release() >= (5, 18)


def missing_capabilities(*also: str) -> tuple[str, ...]:
    """The missing capabilities among those for changing the network.

    ``also`` names more of ``privilege.NUMBERS`` that are needed.
    """
    status = Path("/proc/thread-self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    effective = int(line.split()[1], 16)
    needed = (*_TO_CHANGE, *also)
    return tuple(name for name in needed if not effective >> NUMBERS[name] & 1)


def load_module(name: str) -> None:
    """Try to load a kernel module; the next request shows whether that worked."""
    import subprocess  # few runs load a module

    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(["modprobe", "-q", name], check=False, capture_output=True, timeout=30)
