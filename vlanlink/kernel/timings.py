"""Time of a run, by phase."""

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
    "dhcp",
    "verify",
    "announce",
]
PHASES: Final[tuple[str, ...]] = get_args(Phase)


class Timings:
    """Seconds by phase. Phases nest: the time of an inner one is not counted in the outer one."""

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self.inner = 0.0
        """Seconds spent in phases inside the current one."""

    def taking(self, *phases: Phase) -> "_Taking":
        """Count the time of the block; several phases share it, once per mention."""
        return _Taking(self, phases)


class _Taking:
    """Context manager for ``Timings.taking``.

    Not from contextlib, which sets attributes on passing exceptions; ours are frozen.
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
