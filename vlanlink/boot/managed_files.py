"""Files that vlanlink writes for other programs, each marked with a last line.

The line holds a checksum of the text above it. So foreign and edited files are recognized and left
alone, and no list of files has to be kept.
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.store.documents import write_atomically

_MARK: Final = "# Written by vlanlink enable, which never touches it again once edited. "
_MODE: Final = 0o644


@dataclass(frozen=True, slots=True)
class Found:
    """The file at a path: none, one that we wrote, or a foreign one."""

    text: str | None
    ours: bool = False

    @property
    def foreign(self) -> bool:
        """True if a file exists that we must not change."""
        return self.text is not None and not self.ours


def marked(text: str) -> str:
    """``text`` with the mark as its last line."""
    body = text if text.endswith("\n") or not text else f"{text}\n"
    return f"{body}{_MARK}{_checksum(body)}\n"


def read(path: Path) -> Found:
    """Read the file at a path; anything but text is foreign."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Found(None)
    except (OSError, UnicodeDecodeError):
        return Found("")
    body, mark, checksum = text.rpartition(_MARK)
    return Found(text, ours=bool(mark) and checksum == f"{_checksum(body)}\n")


def write(path: Path, text: str) -> None:
    """Write a file atomically, readable by everyone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text, mode=_MODE)


def remove_empty(directory: Path) -> None:
    """Remove a directory if it is empty."""
    with suppress(OSError):
        directory.rmdir()


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]
