"""JSON documents on disk: written atomically, versioned, read strictly.

Every document has a ``version``. One with another version, a missing key or an unknown one is not
guessed at: ``UnreadableError`` says which it is.
"""

import errno
import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

VERSION: Final = 1
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class UnreadableError(ValueError):
    """A document of ours that can't be read; the text says why."""


def write_atomically(path: Path, text: str, *, mode: int = 0o600, prefix: str = ".new-") -> None:
    """Replace a file in one step. Raises OSError, and leaves the old file then."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_directory(directory: Path) -> None:
    """Create a directory of ours. Raises OSError if something else has its place."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.is_symlink():
        number = errno.ELOOP
        raise OSError(number, "it is a symbolic link, and those are not followed", str(directory))


def load(path: Path) -> Any:
    """The JSON of a file; None if there is none. Raises UnreadableError.

    Symbolic links are not followed.
    """
    try:
        with os.fdopen(os.open(path, _READ)) as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(str(error.strerror)) from None
    except (ValueError, RecursionError):
        raise UnreadableError("it is not JSON") from None


def checked(data: Any, keys: Collection[str]) -> Mapping[str, Any]:
    """A document with exactly ``keys`` and our version. Raises UnreadableError."""
    if not isinstance(data, dict) or not isinstance(data.get("version"), int):
        raise UnreadableError("it has no version")
    if data["version"] > VERSION:
        raise UnreadableError(f"version {data['version']} is from a newer vlanlink")
    if data["version"] != VERSION:
        raise UnreadableError(f"version {data['version']} is unknown")
    exact(data, {"version", *keys})
    return data


def exact(data: Mapping[str, Any], keys: Collection[str]) -> None:
    """Raise UnreadableError unless ``data`` has exactly ``keys``."""
    for key in data:
        if key not in keys:
            raise UnreadableError(f"unknown key {key!r}")
    for key in sorted(keys):
        if key not in data:
            raise UnreadableError(f"key {key!r} is missing")


@contextmanager
def wrong_types() -> Iterator[None]:
    """Raise as UnreadableError what a value of the wrong type leads to."""
    try:
        yield
    except UnreadableError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UnreadableError("a value has the wrong type") from None
