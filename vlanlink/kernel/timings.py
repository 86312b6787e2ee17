"""Where the time of a run goes, by phase."""

import time
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
        self.inner = 0.0
        """What phases within the one that goes on have taken."""

    def taking(self, *phases: Phase) -> "_Taking":
        """Count the time in here; of several phases each has the same share, at each mention."""
        return _Taking(self, phases)


class _Taking:
    """A context that takes time.

    Not made by contextlib: that writes on the exceptions that pass, and ours are frozen.
    """

    def __init__(self, timings: Timings, phases: tuple[Phase, ...]) -> None:
        self._timings, self._phases = timings, phases
        self._start = self._outer = 0.0

    def __enter__(self) -> None:
        self._start, self._outer = time.perf_counter(), self._timings.inner
        self._timings.inner = 0.0

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self._start
        for phase in self._phases:
            own = spent - self._timings.inner
            self._timings.seconds[phase] += own / len(self._phases)
        self._timings.inner = self._outer + spent
