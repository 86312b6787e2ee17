"""Execute commands inside a namespace, as `ip netns exec` does."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vlanlink.errors import ConflictError, Diagnostic, shell_word
from vlanlink.kernel import syscalls
from vlanlink.kernel.netns import inherited
from vlanlink.kernel.netns.names import is_namespace
from vlanlink.kernel.worker import Worker

if TYPE_CHECKING:
    import subprocess
    from pwd import struct_passwd

_NSCD = Path("/run/nscd")
"""Where nscd's socket is."""


def find_namespace(name: str, directory: Path, paths: Mapping[str, str]) -> str | None:
    """Path of a namespace, by its name or by a topology's path; None if there is none."""
    candidates = [os.fspath(directory / name), paths.get(name)]
    return next((path for path in candidates if path and is_namespace(path)), None)


Warn = Callable[[Diagnostic], None]
"""It gets a warning for each file of a namespace that replaces nothing."""


def become(
    path: str,
    name: str,
    overlay: Path,
    command: Sequence[str],
    user: "struct_passwd | None",
    warn: Warn,
) -> NoReturn:
    """Replace this process by ``command`` in the namespace at ``path``. Raises OSError.

    Files in ``overlay`` replace those in /etc. ``user``: run it as that user, with its groups and
    without capabilities; the environment stays, as with setpriv(1).
    Raises ConflictError for a file that can't be mounted.
    """
    _enter(path, name, overlay, warn)
    ignored = inherited.ignored()
    for number in inherited.HIDDEN:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if user:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.execvp(command[0], list(command))


def start(
    path: str,
    name: str,
    overlay: Path,
    command: Sequence[str],
    options: Mapping[str, Any],
    warn: Warn,
) -> "subprocess.Popen[Any]":
    """Start ``command`` in the namespace at ``path``, as ``become`` does. Raises OSError.

    A thread enters the namespace and starts it, so this process stays where it is.
    """
    import subprocess  # `enter` replaces the process and needs none

    def enter_and_start() -> "subprocess.Popen[Any]":
        _enter(path, name, overlay, warn)
        return subprocess.Popen(command, **options)

    with Worker("vlanlink") as thread:
        return thread.do(enter_and_start)


def _enter(path: str, name: str, overlay: Path, warn: Warn) -> None:
    """Move the calling thread into a namespace, with mounts of its own (ip-netns(8)).

    /sys shows the namespace's devices, and files in ``overlay`` replace those in /etc. The C
    library asks nscd before nsswitch.conf counts, so nscd is hidden where the overlay has one.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
    finally:
        os.close(descriptor)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("", "/", "none", syscalls.MS_SLAVE | syscalls.MS_REC)
    with suppress(OSError):  # some containers forbid it: the command runs without
        syscalls.unmount("/sys")
        syscalls.mount(name, "/sys", "sysfs", 0)
    for file in sorted(overlay.iterdir()) if overlay.is_dir() else ():
        _replace(Path("/etc") / file.name, file, warn)
    if (overlay / "nsswitch.conf").exists() and _NSCD.is_dir():
        syscalls.mount("none", os.fspath(_NSCD), "tmpfs", 0)


def _replace(target: Path, file: Path, warn: Warn) -> None:
    """Mount ``file`` on ``target``, or warn that there is none. Raises ConflictError."""
    try:
        _bind(file, target)
    except FileNotFoundError:
        message = f"{file} is not used: there is no {target} to mount it over"
        create = f"{'mkdir' if file.is_dir() else 'touch'} {shell_word(str(target))}"
        warn(Diagnostic(message, hint=f"{create}, or remove {file}", severity="warning"))
    except OSError as error:
        message = f"can't mount {file} over {target}: {error.strerror}"
        hint = f"replace a file by a file and a directory by a directory, or remove {file}"
        raise ConflictError(Diagnostic(message, hint=hint)) from None


def _bind(file: Path, target: Path) -> None:
    """Mount ``file`` on ``target``; on a symbolic link itself if that leads nowhere.

    /etc/resolv.conf does where its service is not running. mount(2) follows a link, but not what
    a descriptor refers to.
    """
    if target.exists() or not target.is_symlink():
        syscalls.mount(os.fspath(file), os.fspath(target), "none", syscalls.MS_BIND)
        return
    link = os.open(target, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        place = f"/proc/thread-self/fd/{link}"
        syscalls.mount(os.fspath(file), place, "none", syscalls.MS_BIND)
    finally:
        os.close(link)
