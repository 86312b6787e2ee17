"""Sysctls of the namespace that the calling thread is in, read and written under /proc/sys."""

from pathlib import Path

_ROOT = Path("/proc/sys")


def read(key: str) -> str | None:
    """The value of a slashed key, fields parted by single spaces; None if it can't be read."""
    try:
        return " ".join((_ROOT / key).read_text().split())
    except OSError:  # no such key, a directory, one that is only written, one that was never set
        return None


def write(key: str, value: str) -> None:
    """Write a value, which may be empty. Raises OSError."""
    (_ROOT / key).write_text(f"{value}\n")
