"""What is not carried over, or means something else: told at its place in the source."""

from typing import NamedTuple

from vlanlink.errors import Diagnostic
from vlanlink.importers.node import Node, Place


class Notes:
    """Collects warnings and decisions."""

    def __init__(self) -> None:
        self.found: list[Note] = []

    def warn(self, place: Place, message: str, hint: str | None = None) -> None:
        """Something is not carried, or has another meaning here."""
        self.found.append(Note(place.diagnose(message, hint, "warning"), decide=False))

    def decide(self, place: Place, message: str, hint: str | None = None) -> None:
        """The result lacks something that only the user can say."""
        self.found.append(Note(place.diagnose(message, hint, "warning"), decide=True))

    def unused(self, node: Node, what: str, why: str) -> None:
        """A key that has no counterpart."""
        if node:
            self.warn(node.place, f"{what} is not carried over: {why}")


class Note(NamedTuple):
    """A diagnostic, and whether something has to be decided."""

    diagnostic: Diagnostic
    decide: bool
