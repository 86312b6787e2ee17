"""What all operations have in common, and the kernel's refusal of one. Pure.

An operation answers what others ask about it: its lines in the plan, its words as drift, what it
can share a send with, which errnos are harmless or may pass. It knows nothing of undo.
"""

import errno
import os
from collections.abc import Callable, Collection, Iterator
from typing import ClassVar, Literal

from vlanlink.dataclass import dataclass, field
from vlanlink.errors import Diagnostic, Path
from vlanlink.model import HOST, LinkName
from vlanlink.planning.change import Causes, Change, Drift

Phase = Literal["namespaces", "sysctls", "links", "addresses", "routes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Common to all operations: the namespace they work in, and the entry that asked for them."""

    phase: ClassVar[Phase] = "links"
    """What its time counts as."""
    sent: ClassVar[bool] = True
    """Carried out by netlink messages."""
    apart: ClassVar[bool] = False
    """Not sent together with operations of other types."""
    harmless: ClassVar[frozenset[int]] = frozenset()
    """Errnos that mean there is nothing to do: already gone, already there."""
    transient: ClassVar[frozenset[int]] = frozenset()
    """Errnos that pass: of a link still being deleted, of an address still tentative."""
    lacking: ClassVar[frozenset[int]] = frozenset()
    """Errnos that mean the kernel lacks a feature."""

    namespace: str
    origin: Path = field(default=(), compare=False)
    quiet: bool = field(default=False, compare=False)
    """Part of another operation's change; not a line of its own."""

    def changes(self) -> Iterator[Change]:
        """The lines of the plan for this operation."""
        yield from ()

    def describe(self) -> str:
        """What is being tried, for an error message."""
        raise NotImplementedError

    @property
    def socket(self) -> str:
        """The namespace that its messages are sent in."""
        return self.namespace

    @property
    def touches(self) -> frozenset[str] | None:
        """The namespaces that it can change anything in; None: any."""
        return None

    def batch_key(self) -> tuple[str, type | None] | None:
        """Operations in a row with equal keys can share a send; None: no message."""
        return (self.socket, type(self) if self.apart else None) if self.sent else None

    def note(self, causes: Causes) -> None:
        """Note what it makes or changes."""

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """What it puts right, unless it only follows from another operation."""
        del causes
        yield from ()

    def touched_settings(self) -> Iterator[tuple[LinkName, str]]:
        """Settings of links that it changes."""
        yield from ()

    def touched_sysctls(self, links: Collection[str]) -> Iterator[str]:
        """Paths of sysctls that it changes or may change, in a namespace with ``links``."""
        del links
        yield from ()

    def unmet(self) -> str:
        """What to tell if the kernel acknowledged it and still reads otherwise."""
        return f"after all operations, still to do: {self.describe()}"

    @property
    def inside(self) -> str:
        """`` in web``; empty for the host."""
        return f" in {self.namespace}" if self.namespace != HOST else ""


@dataclass(eq=False)  # not frozen: Python writes the traceback into it
class Refused(Exception):  # noqa: N818 - it is the kernel's answer, translated by who asked
    """The kernel refused an operation."""

    operation: Operation
    errno: int
    text: str
    hint: str | None = None

    def diagnose(self, locate: "Locate") -> Diagnostic:
        """Return the refusal as a diagnostic at the line of the file that asked for it."""
        said = f"{self.text} ({errno_name(self.errno)})" if self.text else errno_name(self.errno)
        return locate(
            self.operation.origin, f"can't {self.operation.describe()}: {said}", self.hint
        )


Locate = Callable[[Path, str, str | None], Diagnostic]


def errno_name(number: int) -> str:
    """``EBUSY, Device or resource busy``."""
    return f"{errno.errorcode.get(number, number)}, {os.strerror(number)}"
