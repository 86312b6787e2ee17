"""Network namespaces without a name: those of containers, and of any process.

Docker's are mounted elsewhere, a process's own is nowhere. Both are looked through only where
something in them could matter, and none is held open for longer than it takes.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from vlanlink.errors import printable

MOST = 4096
"""Namespaces that are looked at; more processes than that have one of their own on no machine."""
_MOST_MOUNTS = 64
"""Mount namespaces whose mounts are read."""
_MOST_OF_ONE = 16384
"""Mounts that are looked at in each: users can fill mount namespaces of their own."""
_ROOT = re.compile(r"net:\[(\d+)\]")
_CONTAINER = re.compile(r"(?:docker|libpod|crio|cri-containerd)[-/]([0-9a-f]{12})[0-9a-f]{52}")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_LONGEST_COMMAND, _LONGEST_GROUPS = 60, 1 << 14


def strangers(
    processes: Mapping[int, Sequence[int]], known: Collection[int]
) -> Iterator[tuple[str, str]]:
    """Who holds each namespace that is not ``known`` by its inode, and a path of it.

    ``processes``: pids by inode.
    """
    found = set(known)
    for inode, pids in list(processes.items())[:MOST]:
        if inode not in found:
            found.add(inode)
            yield _process(min(pids)), f"/proc/{min(pids)}/ns/net"
    for inode, path in _mounted():
        if inode not in found and len(found) < MOST:
            found.add(inode)
            yield printable(path), path


def buried(paths: Collection[str]) -> frozenset[str]:
    """Those of ``paths`` where a network namespace is mounted, and something else is seen.

    That is mounted on the path, or on a directory above it.
    """
    mounted = ((_ROOT.fullmatch(root), point) for root, point in _mounts("self") if point in paths)
    return frozenset(point for root, point in mounted if root and int(root[1]) != _inode(point))


def _inode(path: str) -> int | None:
    with suppress(OSError):
        return os.stat(path).st_ino
    return None


def _process(pid: int) -> str:
    """``pid 4711 (sleep 1000)``, with the container that it is in."""
    command = group = b""
    with suppress(OSError):
        command = _beginning(f"/proc/{pid}/cmdline", _LONGEST_COMMAND * 4)
        group = _beginning(f"/proc/{pid}/cgroup", _LONGEST_GROUPS)
    words = command.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    who = printable(f"pid {pid} ({words[:_LONGEST_COMMAND]})" if words else f"pid {pid}")
    container = _CONTAINER.search(group.decode(errors="replace"))
    return f"container {container[1]}, {who}" if container else who


def _beginning(path: str, size: int) -> bytes:
    """Arguments may be megabytes long."""
    with open(path, "rb", buffering=0) as file:
        return file.read(size)


def _mounted() -> Iterator[tuple[int, str]]:
    """Inodes and paths of the namespaces that are mounted anywhere."""
    own = os.stat("/proc/self/ns/mnt").st_ino
    elsewhere: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and len(elsewhere) < _MOST_MOUNTS:
                elsewhere.setdefault(os.stat(f"/proc/{entry}/ns/mnt").st_ino, entry)
    elsewhere.pop(own, None)
    for process in ("self", *elsewhere.values()):
        base = "" if process == "self" else f"/proc/{process}/root"
        most = None if process == "self" else _MOST_OF_ONE
        for root, point in islice(_mounts(process), most):
            if match := _ROOT.fullmatch(root):
                yield int(match[1]), f"{base}{point}"


def _mounts(process: str) -> Iterator[tuple[str, str]]:
    """Root and mount point of each mount that a process sees (proc_pid_mountinfo(5))."""
    with suppress(OSError), open(f"/proc/{process}/mountinfo", "rb") as file:
        for line in file:
            fields = line.split(b" ", 5)
            yield os.fsdecode(fields[3]), _unescaped(os.fsdecode(fields[4]))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text
