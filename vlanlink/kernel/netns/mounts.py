"""Whether a namespace that is named here has its name everywhere: a name is a mount."""

import os
from pathlib import Path


def mounts_propagate(directory: Path) -> bool:
    """True if namespaces named in ``directory`` here have their names everywhere.

    False in a private or slave copy of the machine's mounts (`ip netns exec` makes one): everyone
    else would see a dead file.
    """
    try:
        if os.stat("/proc/self/ns/mnt").st_ino == os.stat("/proc/1/ns/mnt").st_ino:
            return True
        existing = next(p for p in (directory, *directory.parents) if p.exists())
        theirs = Path("/proc/1/root") / existing.relative_to("/")
        same = theirs.exists() and existing.stat().st_dev == theirs.stat().st_dev
    except OSError:
        return True  # init is invisible: a container or user namespace with its own mounts
    return not same or "shared:" in _mount_options(existing)


def _mount_options(path: Path) -> str:
    """Optional fields of the mount that contains ``path`` (proc_pid_mountinfo(5))."""
    best, options = "", ""
    resolved = os.fspath(path.resolve())
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        point = fields[4]
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, options = point, " ".join(fields[6 : fields.index("-")])
    return options
