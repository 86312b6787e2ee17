"""Execute a command inside a namespace, as `ip netns exec` does."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from vlanlink.kernel import syscalls
from vlanlink.kernel.netns.namespaces import is_namespace


def find_namespace(name: str, directory: Path, paths: Mapping[str, str]) -> str | None:
    """Path of a namespace, by its name or by a topology's path; None if there is none."""
    candidates = [os.fspath(directory / name), paths.get(name)]
    return next((path for path in candidates if path and is_namespace(path)), None)


def become(path: str, name: str, command: Sequence[str]) -> NoReturn:
    """Replace this process by ``command`` in the namespace at ``path``. Raises OSError.

    /sys shows the namespace's own devices, and files in /etc/netns/NAME replace those in /etc
    (ip-netns(8)).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("", "/", "none", syscalls.MS_SLAVE | syscalls.MS_REC)
    with suppress(OSError):  # some containers forbid it: the command runs without
        syscalls.unmount("/sys")
        syscalls.mount(name, "/sys", "sysfs", 0)
    overlay = Path("/etc/netns") / name
    for file in sorted(overlay.iterdir()) if overlay.is_dir() else ():
        target = Path("/etc") / file.name
        if target.exists():
            syscalls.mount(os.fspath(file), os.fspath(target), "none", syscalls.MS_BIND)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, the caller didn't
        signal.signal(ignored, signal.SIG_DFL)
    os.execvp(command[0], list(command))
