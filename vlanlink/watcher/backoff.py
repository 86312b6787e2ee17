"""How soon what drifted is mended again, and when it is left to whoever keeps changing it. Pure.

Each mending of a thing counts for a while. The first few follow at once, the next after pauses that
double, and after ``limit`` of them the thing is left alone: somebody else means it so.
"""

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Policy:
    """The bounds; all times in seconds."""

    at_once: int = 4
    """Mendings of a thing without a pause."""
    pause: float = 0.5
    """The first pause; each further one is twice as long."""
    longest: float = 60.0
    limit: int = 10
    """Mendings after which a thing is left alone."""
    forgotten_after: float = 60.0
    """A mending counts one less for each such time that passed since."""


@dataclass(slots=True)
class _Count:
    mended: int
    last: float


@dataclass(slots=True)
class Backoff:
    """What was mended how often of late. ``now`` is any clock that only goes forward."""

    policy: Policy = field(default_factory=Policy)
    left: set[str] = field(default_factory=set)
    """What is left alone, until it is right again without us."""
    _counts: dict[str, _Count] = field(default_factory=dict)

    def give_up(self, things: Collection[str], now: float) -> set[str]:
        """Those of the things that drifted which are left alone from now on."""
        self.left &= set(things)
        for thing in [thing for thing in self._counts if self._mended(thing, now) == 0]:
            del self._counts[thing]
        new = {
            thing
            for thing in set(things) - self.left
            if self._mended(thing, now) >= self.policy.limit
        }
        self.left |= new
        return new

    def pause(self, things: Collection[str], now: float) -> float | None:
        """The seconds until the things that drifted may be mended; None if all are left alone."""
        return min((self._pause(thing, now) for thing in set(things) - self.left), default=None)

    def mended(self, things: Collection[str], now: float) -> None:
        """Count a mending of each thing, from now on."""
        for thing in things:
            self._counts[thing] = _Count(self._mended(thing, now) + 1, now)

    def _mended(self, thing: str, now: float) -> int:
        count = self._counts.get(thing)
        if count is None:
            return 0
        return max(0, count.mended - int((now - count.last) / self.policy.forgotten_after))

    def _pause(self, thing: str, now: float) -> float:
        count = self._counts.get(thing)
        if count is None or count.mended < self.policy.at_once:
            return 0.0
        return max(0.0, count.last + doubled(self.policy, count.mended - self.policy.at_once) - now)


def doubled(policy: Policy, times: int) -> float:
    """The first pause, doubled so many times, and no longer than the longest."""
    return float(min(policy.pause * 2.0 ** min(times, 64), policy.longest))
