"""Sysctls of the namespace that the calling thread is in, read and written under /proc/sys."""

import os
from pathlib import Path

_ROOT = Path("/proc/sys")


def read(key: str, root: Path = _ROOT) -> str | None:
    """The value of a slashed key, fields parted by single spaces; None if it can't be read.

    ``root`` is the /proc/sys to look in (``proc``).
    """
    try:
        return " ".join((root / key).read_text().split())
    except OSError:  # no such key, a directory, one that is only written, one that was never set
        return None


def write(key: str, value: str, root: Path = _ROOT) -> None:
    """Write a value, which may be empty. Raises OSError."""
    with open(os.path.join(root, key), "w", encoding="utf-8") as file:
        file.write(f"{value}\n")
