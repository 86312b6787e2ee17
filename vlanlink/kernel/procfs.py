"""Instances of /proc of our own, in which sysctls are found quickly.

The kernel keeps the entries of all namespaces below /proc/sys/net in one chain for each name
(proc_sys_compare in fs/proc/proc_sysctl.c, the dentry cache): with n namespaces a look-up walks
past n. A new instance (fsopen(2), Linux 5.8) has empty chains. At 4,000 namespaces a write takes
0.1 ms there, and 1.5 ms in /proc.
"""

import os
from contextlib import suppress
from pathlib import Path

from vlanlink.kernel import syscalls

SHARED = Path("/proc/sys")
USES = 64
"""How often an instance is used before the next one takes its place."""


class Proc:
    """One instance after the other; the /proc that is there, where none is to be had."""

    def __init__(self) -> None:
        """Nothing is made before it is asked for."""
        self._descriptor: int | None = None
        self._used = 0

    def sysctls(self) -> Path:
        """Where the sysctls are of the namespace that the calling thread is in."""
        if self._used % USES == 0:
            self._renew()
        self._used += 1
        if self._descriptor is None:
            return SHARED
        return Path(f"/proc/thread-self/fd/{self._descriptor}/sys")

    def _renew(self) -> None:
        self.close()
        with suppress(OSError):  # an older kernel, or a container that may mount nothing
            self._descriptor = syscalls.new_proc()

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
