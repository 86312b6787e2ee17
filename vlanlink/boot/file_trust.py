"""Whether others could have written a topology's file, which then decides what root does."""

import os
import stat
from pathlib import Path

from vlanlink.errors import Diagnostic, PrivilegeError
from vlanlink.topology import Topology

_HINT = "chown it to root or yourself, and chmod go-w it and the directories above"


def refuse_untrusted_units(topology: Topology) -> None:
    """Raise PrivilegeError if others can write a file with ``units``: it stops root's services."""
    file = topology.source.file if topology.source else None
    if file in (None, "-") or not any(one.units for one in topology.namespaces.values()):
        return
    if why := why_others_can_write(Path(str(file))):
        message = f"{file} has units, and others can write it: {why}"
        raise PrivilegeError(Diagnostic(message, hint=_HINT))


def refuse_untrusted_file(file: str) -> None:
    """Raise PrivilegeError if others can write a file that nobody named, or put one in its place.

    In a directory such as /tmp anybody could have put it there.
    """
    path = Path(file)
    status = path.absolute().parent.stat()
    why = why_others_can_write(path)
    if why is None and status.st_mode & 0o002:
        why = f"everybody can put files into {path.absolute().parent}"
    if why:
        message = f"{file} is not used unless it is named: {why}"
        raise PrivilegeError(Diagnostic(message, hint=f"read it, then name it: ./{path.name}"))


def why_others_can_write(path: Path) -> str | None:
    """``/home/me belongs to user 1000``, or None; directories above and links count."""
    trusted = {0, os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted.add(int(os.environ["SUDO_UID"]))
    for one in (path, *path.absolute().parents, path.resolve(), *path.resolve().parents):
        status = one.lstat()
        if status.st_uid not in trusted:
            return f"{one} belongs to user {status.st_uid}"
        mode = status.st_mode
        kept = stat.S_ISDIR(mode) and mode & stat.S_ISVTX  # others can't replace files there
        if not stat.S_ISLNK(mode) and mode & 0o022 and not kept:
            return f"{one} has mode {stat.S_IMODE(mode):04o}"
    return None
