"""JSON documents on disk: written atomically, read only if bounded, whole, and root's alone.

Whatever is wrong with a document, ``UnreadableError`` says it, and nothing that it holds is used.
What a document must hold is checked by ``fields``.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final, NoReturn

VERSION: Final = 1
LARGEST: Final = 1 << 24
"""Bytes of a document: a record holds its topology's text, which has at most 4 MiB, once."""
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class UnreadableError(ValueError):
    """A document of ours that can't be used; the text says why."""


class UntrustedError(UnreadableError):
    """Others than root may have written it."""


def write_atomically(path: Path, text: str, *, mode: int = 0o600, prefix: str = ".new-") -> None:
    """Replace a file in one step. Raises OSError, and leaves the old file then."""
    temporary = path.with_name(f"{prefix}{os.urandom(8).hex()}")
    descriptor = os.open(temporary, _CREATE, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_directory(directory: Path) -> None:
    """Create a directory of ours. Raises OSError if something else has its place."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_link(directory)


def refuse_link(directory: Path) -> None:
    """Raise OSError for a symbolic link to a directory."""
    if directory.is_symlink():
        number = errno.ELOOP
        raise OSError(number, "it is a symbolic link, and those are not followed", str(directory))


def load(path: Path) -> object:
    """The JSON of a file. Raises FileNotFoundError, UnreadableError.

    Symbolic links are not followed.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        link = error.errno == errno.ELOOP
        raise UnreadableError("it is a symbolic link" if link else str(error.strerror)) from None
    try:
        return parse(read(descriptor))
    finally:
        os.close(descriptor)


def read(descriptor: int) -> str:
    """The text of an open document. Raises UnreadableError."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("it is not a regular file")
    if why := why_untrusted(status):
        raise UntrustedError(why)
    try:
        data = os.pread(descriptor, min(status.st_size, LARGEST) + 1, 0)
        text = data.decode()
    except OSError as error:
        raise UnreadableError(str(error.strerror)) from None
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8") from None
    if len(data) > LARGEST:
        raise UnreadableError(f"it is larger than {LARGEST >> 20} MiB")
    return text


def why_untrusted(status: os.stat_result) -> str | None:
    """Why a file or directory may hold what others than root wrote, or None."""
    if status.st_uid not in (0, os.geteuid()):
        return f"it belongs to user {status.st_uid}"
    mode = stat.S_IMODE(status.st_mode)
    return f"others may write it (mode {mode:04o})" if mode & 0o022 else None


def parse(text: str) -> object:
    """The value of a JSON text. Raises UnreadableError."""
    import json

    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"{error.msg} (line {error.lineno}, column {error.colno})"
        raise UnreadableError(f"it is not JSON: {where}" if text else "it is empty") from None
    except (RecursionError, ValueError):
        raise UnreadableError("it is not JSON of ours") from None


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)
