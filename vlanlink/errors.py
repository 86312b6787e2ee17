"""Exceptions, and the diagnostics that they carry.

::

    VlanlinkError            exit code
    ├── TopologyError            2      the file has errors, whatever the machine
    ├── UsageError               2      the command line has errors, or an unknown name
    ├── ConflictError            1      this machine doesn't allow it; nothing was changed
    ├── ApplyError               1      the kernel refused a change; rolled back
    ├── PrivilegeError           4      root, a capability or a kernel feature is missing
    └── Interrupted            130      Ctrl-C or SIGTERM; rolled back
"""

import re
from typing import ClassVar, Final, Literal

from vlanlink.dataclass import dataclass

JSON_VERSION: Final = 1
"""Version of the JSON documents: changes when a key is renamed, removed or redefined."""

Path = tuple[str | int, ...]
"""Path of an entry in a topology: ``("networks", "pub", "subnets", 0, "gateway")``."""


def printable(text: str) -> str:
    r"""``text`` as one line that is safe for a terminal or a log.

    Others wrote what the kernel and files return. Newlines, escape sequences and whatever else
    moves a cursor or hides text become ``\n``, ``\x1b``, in ASCII.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shell_word(text: str) -> str:
    """``text`` as one word of a command to copy: a tenant names links, and a hint runs as root."""
    if re.fullmatch(_HARMLESS, text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "'\\''") + "'"
    return "$'" + "".join(map(_escaped, text)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    octets = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{octet:02x}" for octet in octets)


_HARMLESS: Final = r"[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with one entry of a topology, not yet located in the file."""

    path: Path
    message: str
    hint: str | None = None
    related: Path | None = None
    """A second entry that the message mentions (the first of two duplicates)."""
    at_key: bool = False
    """Point at the key instead of its value (an unknown key, a duplicate table)."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem located in a file. Lines and columns start at 1; columns count characters."""

    message: str
    hint: str | None = None
    path: Path = ()
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None
    """The text of the line, for the caret."""
    width: int = 1
    """Number of characters that the caret underlines."""
    severity: Literal["error", "warning"] = "error"

    def to_dict(self) -> dict[str, object]:
        """JSON form; file, line, column and path are null if no file is at fault."""
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
        return self.labelled(f"{self.severity}: ")

    def labelled(self, label: str) -> tuple[str, ...]:
        """The lines with another word before the message."""
        place = f"{self.file}:{self.line}:{self.column}: " if self.file and self.line else ""
        lines = [f"{place}{label}{self.message}"]
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
    """Base of all errors that vlanlink raises on purpose.

    ``exit_code`` is the command's. ``not_undone`` lists what could not be rolled back, one line
    each; usually empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, *diagnostics: Diagnostic, not_undone: tuple[str, ...] = ()) -> None:
        """Take one or more diagnostics; all of them are shown."""
        self.diagnostics = diagnostics
        self.not_undone = not_undone
        super().__init__("\n".join(line for one in diagnostics for line in one.labelled("")))

    def __reduce__(self) -> tuple[object, ...]:
        """For pickle and copy: errors cross processes."""
        return _restored, (type(self), self.diagnostics, self.not_undone), vars(self)

    def to_dict(self) -> dict[str, object]:
        """JSON form, as printed by ``--json``; ``not_undone`` is omitted if empty."""
        found = [diagnostic.to_dict() for diagnostic in self.diagnostics]
        left = {"not_undone": list(self.not_undone)} if self.not_undone else {}
        return {"version": JSON_VERSION, "errors": found, **left}


def _restored(
    kind: type[VlanlinkError], diagnostics: tuple[Diagnostic, ...], not_undone: tuple[str, ...]
) -> VlanlinkError:
    return kind(*diagnostics, not_undone=not_undone)


class TopologyError(VlanlinkError):
    """The topology has errors, whatever the machine. Nothing was changed."""

    exit_code = 2


class UsageError(VlanlinkError):
    """The command line has errors, or names an unknown topology. Nothing was changed."""

    exit_code = 2


class ConflictError(VlanlinkError):
    """The machine doesn't allow the topology. Nothing was changed."""


class ApplyError(VlanlinkError):
    """The kernel refused a change, or the result differs. All changes are rolled back."""


class PrivilegeError(VlanlinkError):
    """Root, a capability or a kernel feature is missing. Nothing was changed."""

    exit_code = 4


class Interrupted(VlanlinkError):  # noqa: N818 - an interrupt isn't an error
    """Ctrl-C or SIGTERM. All changes are rolled back."""

    exit_code = 130


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    """The known word most similar to ``word``, or None."""
    from difflib import get_close_matches

    found = get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None
