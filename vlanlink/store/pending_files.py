"""The files of changes that wait for confirmation.

What became of a change is written behind it before its file goes: so every process that has the
file open learns it, and a file that was lost is not taken for a confirmation.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

from vlanlink.store.pending import Pending

Outcome = Literal["confirmed", "reverted", "failed"]
"""Kept, put back, or never made: the change itself failed and was undone."""
_MOST = 1 << 24


class PendingFile:
    """One such file, held open. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open and read it. Raises FileNotFoundError, and ValueError for what is none."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self.pending = Pending.from_dict(json.loads(self._lines()[0]))
        except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            self.close()
            raise ValueError(f"{path} can't be read: {error!r}") from None
        except ValueError:
            self.close()
            raise

    def __enter__(self) -> "PendingFile":
        """Itself."""
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    @property
    def outcome(self) -> str | None:
        """What became of the change; None while it waits."""
        return next(iter(self._lines()[1:]), None)

    def settle(self, outcome: Outcome) -> None:
        """Write what became of it, and remove the file. The lock must be held. Raises OSError."""
        os.write(self._descriptor, f"\n{outcome}".encode())
        self.path.unlink(missing_ok=True)

    def _lines(self) -> list[str]:
        return os.pread(self._descriptor, _MOST, 0).decode(errors="replace").splitlines()


def find(paths: list[Path]) -> list[PendingFile]:
    """Those of the files in which a change still waits, open."""
    found = []
    for path in paths:
        with suppress(OSError, ValueError):
            file = PendingFile(path)
            if file.outcome is None:
                found.append(file)
            else:
                file.close()
    return found
