"""The width of the terminal. ``shutil``, which knows it too, imports three compressors."""

import os
import sys
from contextlib import suppress
from typing import Final, TextIO

_DEFAULT: Final = 80


def width(stream: TextIO | None = None) -> int:
    """COLUMNS if it is set, else the width of the terminal that ``stream`` (stdout) is."""
    with suppress(KeyError, ValueError):
        if (set_by_user := int(os.environ["COLUMNS"])) > 0:
            return set_by_user
    with suppress(AttributeError, ValueError, OSError):  # closed, or no terminal
        descriptor = (stream or sys.__stdout__).fileno()  # type: ignore[union-attr]
        return os.get_terminal_size(descriptor).columns or _DEFAULT
    return _DEFAULT
