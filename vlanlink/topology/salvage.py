"""Plain data to a Topology, past what is wrong with them.

What can't be read is left out, and what depends on it with it, so that the rules about several
values can be asked in the same run. What was left out is remembered: nothing is reported twice,
nor what only the omission made wrong.
"""

from typing import Any

from vlanlink.dataclass import replace
from vlanlink.errors import Path, Problem
from vlanlink.topology.problems import InvalidEntry, InvalidValue


class Lost(InvalidValue):
    """A table without a required key, whose own problem says it all."""

    def __init__(self) -> None:
        """Say nothing."""
        super().__init__("", "")


class Salvage:
    """What a topology is read from, what was left out of it, and what is wrong."""

    def __init__(self, data: dict[str, Any], left_out: set[Path]) -> None:
        """Take the data and the paths that were lost before."""
        self.data = data
        self.findings: list[InvalidEntry] = []
        self.gone: set[Path] = set()
        self._around: set[Path] = set()
        self._kept: dict[Path, list[int]] = {}
        """The positions that are left of the lists that lost entries."""
        for path in left_out:
            self.forget(path)

    # -- reading -----------------------------------------------------------------------------

    def refuse(self, path: Path, wrong: InvalidValue) -> None:
        """Leave out the value at a path, and note why unless that is known."""
        if not self.is_gone(path) and not isinstance(wrong, Lost):
            problem = Problem(path, wrong.message, wrong.hint, at_key=wrong.at_key)
            self.findings.append(InvalidEntry(wrong.code, problem))
            meant = (*path[:-1], wrong.meant or "")
            if wrong.meant is not None and not self.wrote(meant):
                self.forget(meant)
        self.forget(path)

    def keep(self, path: Path, positions: list[int]) -> None:
        """Remember which entries of a list are left."""
        self._kept[path] = positions

    # -- what the rules ask ------------------------------------------------------------------

    def forget(self, path: Path) -> None:
        """Remember that what is at the path was left out."""
        self.gone.add(path)
        self._around.update(path[:length] for length in range(len(path) + 1))

    def is_gone(self, path: Path) -> bool:
        """Whether the value at the path, or one that holds it, was left out."""
        return any(path[:length] in self.gone for length in range(len(path) + 1))

    def touched(self, path: Path) -> bool:
        """Whether something was left out at the path, inside it or around it."""
        return path in self._around or self.is_gone(path)

    def written(self, path: Path) -> Path:
        """The path in the file of one in the topology: lists may have lost entries."""
        found: Path = ()
        for part in path:
            kept = self._kept.get(found, ())
            inside = isinstance(part, int) and part < len(kept)
            found = (*found, kept[part] if isinstance(part, int) and inside else part)
        return found

    def placed(self, problem: Problem) -> Problem:
        """A problem of the topology, at its places in the file."""
        related = problem.related and self.written(problem.related)
        return replace(problem, path=self.written(problem.path), related=related)

    def wrote(self, path: Path) -> bool:
        """Whether the file has something at the path."""
        inside: Any = self.data
        for part in path:
            try:
                inside = inside[part]
            except (KeyError, IndexError, TypeError):
                return False
        return True
