"""Files as they were before a change; a hard link each, so restoring them needs no room."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from vlanlink.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Files that are about to change, each with a hard link; None for a file that doesn't exist."""

    files: tuple[tuple[Path, Path | None], ...]

    @classmethod
    def of(cls, paths: Iterable[Path], prefix: str) -> "Kept":
        """Keep the files at ``paths``. Raises OSError, and has changed nothing then."""
        found: list[tuple[Path, Path | None]] = []
        try:
            for path in paths:
                found.append((path, _link(path, prefix)))
        except BaseException:
            cls(tuple(found)).discard()
            raise
        return cls(tuple(found))

    def restore(self) -> tuple[str, ...]:
        """Put every file back; those that can't be, and why."""
        return tuple(self._failures())

    def discard(self) -> None:
        """Remove the hard links."""
        for _, other in self.files:
            with suppress(OSError):
                if other:
                    other.unlink()

    def _failures(self) -> Iterator[str]:
        for path, other in self.files:
            try:
                if other is None:
                    path.unlink(missing_ok=True)
                elif not path.exists() or not path.samefile(other):
                    os.replace(other, path)
            except (FileNotFoundError, NotADirectoryError):
                continue  # restored before
            except OSError as error:
                yield f"{path} is not as it was: {error.strerror}"


def _link(path: Path, prefix: str) -> Path | None:
    other = path.with_name(f"{prefix}{os.urandom(8).hex()}")
    try:
        os.link(path, other, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return other
