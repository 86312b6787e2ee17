"""Who takes part: a name, and the commands that each of its verbs is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Contender:
    """Verbs and their commands, in the order in which they are run; ``up`` makes the scene."""

    name: str
    verbs: Mapping[str, Sequence[str]]
    keeps_output: frozenset[str] = field(default_factory=frozenset)
    """The verbs that tell themselves where the time went."""
