"""Files that vlanlink puts in place for others to read, each with a last line that says so.

The line holds a checksum of what stands above it: so a file that somebody has changed since, or
that was never ours, is known and left alone, and no list of files has to be kept.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vlanlink.store.documents import write_atomically

_MARK: Final = "# Put here by vlanlink enable; changed by hand it is not touched any more. "
_MODE: Final = 0o644


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path: nothing, a file of ours as we wrote it, or something else."""

    text: str | None
    ours: bool = False

    @property
    def foreign(self) -> bool:
        """Whether something is there that is not ours to change."""
        return self.text is not None and not self.ours


def marked(text: str) -> str:
    """A text with our last line."""
    body = text if text.endswith("\n") or not text else f"{text}\n"
    return f"{body}{_MARK}{_checksum(body)}\n"


def look(path: Path) -> Found:
    """Whose file stands at a path; what is no file of text is somebody else's."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Found(None)
    except (OSError, UnicodeDecodeError):
        return Found("")
    body, mark, checksum = text.rpartition(_MARK)
    return Found(text, ours=bool(mark) and checksum == f"{_checksum(body)}\n")


def write(path: Path, text: str) -> None:
    """Write a file whole, readable for all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text, mode=_MODE)


def remove_empty(directory: Path) -> None:
    """Remove a directory, unless something is in it."""
    with suppress(OSError):
        directory.rmdir()


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]
