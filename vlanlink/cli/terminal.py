"""The width of the terminal. ``shutil``, which knows it too, imports three compressors."""

import os
import sys
from contextlib import suppress
from typing import Final

_DEFAULT: Final = 80


def width() -> int:
    """COLUMNS if it is set, else the width of the terminal that stdout is."""
    with suppress(KeyError, ValueError):
        if (set_by_user := int(os.environ["COLUMNS"])) > 0:
            return set_by_user
    with suppress(AttributeError, ValueError, OSError):  # closed, or no terminal
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _DEFAULT  # type: ignore[union-attr]
    return _DEFAULT
