"""Where the time of a run goes, by phase."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, get_args

Phase = Literal[
    "read",
    "plan",
    "probe",
    "namespaces",
    "sysctls",
    "links",
    "addresses",
    "routes",
    "verify",
    "announce",
]
PHASES: Final[tuple[str, ...]] = get_args(Phase)


class Timings:
    """Seconds by phase. Phases nest: the time of an inner one is not the outer one's."""

    def __init__(self) -> None:
        """Nothing has been done yet."""
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self._inner = 0.0

    @contextmanager
    def taking(self, *phases: Phase) -> Iterator[None]:
        """Count the time in here; of several phases each has the same share, at each mention."""
        start, outer = time.perf_counter(), self._inner
        self._inner = 0.0
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            for phase in phases:
                self.seconds[phase] += (spent - self._inner) / len(phases)
            self._inner = outer + spent
