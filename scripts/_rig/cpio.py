"""Writes cpio archives in the "newc" format, which the kernel unpacks as an initrd."""

from __future__ import annotations

import stat

_DIRECTORY = stat.S_IFDIR | 0o755


def archive(files: dict[str, bytes]) -> bytes:
    """An archive of these files and their directories, all executable and owned by root."""
    entries = [(name, _DIRECTORY, b"") for name in _directories(files)]
    entries += [(name, stat.S_IFREG | 0o755, content) for name, content in files.items()]
    entries.append(("TRAILER!!!", 0, b""))
    packed = (_entry(i, *entry) for i, entry in enumerate(entries, start=1))
    return _padded(b"".join(packed), 512)


def _directories(files: dict[str, bytes]) -> list[str]:
    found: set[str] = set()
    for name in files:
        parts = name.split("/")[:-1]
        found.update("/".join(parts[: i + 1]) for i in range(len(parts)))
    return sorted(found)


def _entry(inode: int, name: str, mode: int, content: bytes) -> bytes:
    path = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + path, 4) + _padded(content, 4)


def _padded(data: bytes, size: int) -> bytes:
    return data + b"\0" * (-len(data) % size)
