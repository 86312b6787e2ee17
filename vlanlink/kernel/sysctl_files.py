"""Sysctls of the namespace that the calling thread is in, read and written under /proc/sys."""

from pathlib import Path

_ROOT = Path("/proc/sys")


def read(key: str) -> str | None:
    """The value of a slashed key, fields parted by single spaces; None if there is no such key."""
    try:
        return " ".join((_ROOT / key).read_text().split())
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(key: str, value: str) -> None:
    """Write a value. Raises OSError."""
    (_ROOT / key).write_text(value)
