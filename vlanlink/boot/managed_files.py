"""Files that vlanlink writes for other programs, each marked with a last line.

The line holds a checksum of the text above it. So foreign and edited files are recognized and left
alone, and no list of files has to be kept.

They are written and removed only where nobody but root can change a directory on the way: what was
looked at before can't be replaced by a link meanwhile.
"""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from vlanlink.boot.file_trust import why_others_can_write
from vlanlink.dataclass import dataclass
from vlanlink.errors import Diagnostic, PrivilegeError
from vlanlink.store.documents import write_atomically

_MARK: Final = "# Written by vlanlink enable, which never touches it again once edited. "
_MODE: Final = 0o644
_LARGEST: Final = 1 << 24
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_HINT: Final = "chown root:root and chmod go-w that directory, after a look at what is in it"


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
        text = _text(path)
    except FileNotFoundError:
        return Found(None)
    except (OSError, UnicodeDecodeError):
        return Found("")
    body, mark, checksum = text.rpartition(_MARK)
    return Found(text, ours=bool(mark) and checksum == f"{_checksum(body)}\n")


def _text(path: Path) -> str:
    """The text of a regular file of bounded size. Raises OSError, UnicodeDecodeError."""
    descriptor = os.open(path, _READ)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(f"{path} is too large")
    return data.decode()


def write(path: Path, text: str) -> None:
    """Write a file atomically, readable by everyone. Raises OSError, PrivilegeError."""
    _refuse_others(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_others(path)
    write_atomically(path, text, mode=_MODE)


def remove(path: Path) -> None:
    """Remove a file. Raises OSError, PrivilegeError."""
    _refuse_others(path)
    path.unlink()


def _refuse_others(path: Path) -> None:
    """Raise PrivilegeError if others than root can change a directory on the way to a file."""
    there = next(one for one in path.absolute().parents if os.path.lexists(one))
    with suppress(FileNotFoundError):
        if why := why_others_can_write(there):
            message = f"{path} is left alone: others than root can put files there: {why}"
            raise PrivilegeError(Diagnostic(message, hint=_HINT))


def remove_empty(directory: Path) -> None:
    """Remove a directory if it is empty."""
    with suppress(OSError):
        directory.rmdir()


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]
