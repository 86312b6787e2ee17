"""What can go wrong, as a user meets it.

::

    VlanlinkError            exit code
    ├── TopologyError            2      the file is wrong, on whatever machine
    ├── UsageError               2      the command line, or a name that nothing here knows
    ├── ConflictError            1      this machine stands in the way; nothing was changed
    ├── ApplyError               1      the kernel refused while changing; put back as it was
    ├── PrivilegeError           4      root, a capability or a kernel feature is missing
    └── Interrupted            130      Ctrl-C or SIGTERM; put back as it was
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

Path = tuple[str | int, ...]
"""Where a thing stands in a topology: ``("networks", "pub", "subnets", 0, "gateway")``."""


def printable(text: str) -> str:
    r"""``text`` as one line that is safe for a terminal or a log.

    Others wrote what the kernel and files return. Newlines, escape sequences and whatever else
    moves a cursor or hides text become ``\n``, ``\x1b``, in ASCII.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one entry of a topology, before it is known where that entry stands."""

    path: Path
    message: str
    hint: str | None = None
    related: Path | None = None
    """A second place that the message is about (the first of two duplicates)."""
    at_key: bool = False
    """Point at the key instead of its value (an unknown key, a doubled table)."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem at its place in a file. Lines and columns count from 1, columns in characters."""

    message: str
    hint: str | None = None
    path: Path = ()
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None
    """The text of the line, for the caret."""
    width: int = 1
    """How many characters the caret underlines."""
    severity: Literal["error", "warning"] = "error"

    def to_dict(self) -> dict[str, object]:
        """The JSON form of the command line: file to path are null where no file is at fault."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": ".".join(str(part) for part in self.path) or None,
            "message": self.message,
            "hint": self.hint,
        }

    @property
    def lines(self) -> tuple[str, ...]:
        """``FILE:LINE:COLUMN: error: MESSAGE``, the source line with a caret, and the hint."""
        place = f"{self.file}:{self.line}:{self.column}: " if self.file and self.line else ""
        lines = [f"{place}{self.severity}: {self.message}"]
        if self.source is not None and self.column is not None:
            lines.append(f"  {self.source}")
            lines.append("  " + " " * (self.column - 1) + "^" + "~" * (self.width - 1))
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return tuple(map(printable, lines))

    def __str__(self) -> str:
        """The lines, safe to print."""
        return "\n".join(self.lines)


class VlanlinkError(Exception):
    """The root of all errors that vlanlink raises on purpose; ``exit_code`` is the command's."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *diagnostics: Diagnostic) -> None:
        """Take one diagnostic or many; all of them are shown."""
        self.diagnostics = diagnostics
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))


class TopologyError(VlanlinkError):
    """The topology is wrong, whatever the machine. Nothing was changed."""

    exit_code = 2


class UsageError(VlanlinkError):
    """The command line is wrong, or names a topology that nothing here knows."""

    exit_code = 2


class ConflictError(VlanlinkError):
    """The topology can't be had on this machine as it is. Nothing was changed."""


class ApplyError(VlanlinkError):
    """The kernel refused, or the result differs. What was done is undone.

    ``not_undone`` lists what could not be put back, one line each; it is empty as a rule.
    """

    def __init__(self, *diagnostics: Diagnostic, not_undone: tuple[str, ...] = ()) -> None:
        """Keep the lines about what could not be put back beside the diagnostics."""
        self.not_undone = not_undone
        super().__init__(*diagnostics)


class PrivilegeError(VlanlinkError):
    """Root, a capability or a kernel feature is missing. Nothing was changed."""

    exit_code = 4


class Interrupted(VlanlinkError):  # noqa: N818 - an interrupt is no error of anybody's
    """Ctrl-C or SIGTERM came in between. What was done is undone."""

    exit_code = 130

    def __init__(self, *diagnostics: Diagnostic, not_undone: tuple[str, ...] = ()) -> None:
        """Keep the lines about what could not be put back beside the diagnostics."""
        self.not_undone = not_undone
        super().__init__(*diagnostics)


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    """The known word that ``word`` was most likely meant to be, or None."""
    from difflib import get_close_matches

    found = get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None
