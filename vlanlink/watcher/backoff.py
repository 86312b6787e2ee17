"""When drift is repaired again, and when a watch gives up on it. Pure.

Every repair of a thing counts for a while. The first few happen at once, the next after delays that
double; after ``give_up_after`` repairs the watch gives up: something else wants it that way.
"""

from collections.abc import Collection

from vlanlink.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds of repairs; all times in seconds."""

    immediate: int = 4
    """Repairs of a thing without a delay."""
    first_delay: float = 0.5
    """Each further delay is twice as long."""
    longest_delay: float = 60.0
    give_up_after: int = 10
    """Repairs of a thing before the watch gives up on it."""
    forget_after: float = 60.0
    """For each such time since the last repair, one repair less counts."""
    address_seconds: float = 10.0
    """How long a parent's address may be away before its shim uses its own."""


@dataclass(slots=True)
class _Count:
    repairs: int
    last: float


@dataclass(slots=True)
class Backoff:
    """Recent repairs by thing. ``now`` is any clock that only moves forward."""

    policy: Policy = field(default_factory=Policy)
    given_up: set[str] = field(default_factory=set)
    """Things that are not repaired until they are in sync without us."""
    _counts: dict[str, _Count] = field(default_factory=dict)

    def give_up(self, drifted: Collection[str], now: float) -> set[str]:
        """The drifted things that are given up from now on."""
        self.given_up &= set(drifted)
        for thing in [thing for thing in self._counts if self._repairs(thing, now) == 0]:
            del self._counts[thing]
        new = {
            thing
            for thing in set(drifted) - self.given_up
            if self._repairs(thing, now) >= self.policy.give_up_after
        }
        self.given_up |= new
        return new

    def delay(self, drifted: Collection[str], now: float) -> float | None:
        """Seconds until the drifted things may be repaired; None if all are given up."""
        return min(
            (self._delay(thing, now) for thing in set(drifted) - self.given_up), default=None
        )

    def count(self, things: Collection[str], now: float) -> None:
        """Count one repair of each thing."""
        for thing in things:
            self._counts[thing] = _Count(self._repairs(thing, now) + 1, now)

    def _repairs(self, thing: str, now: float) -> int:
        count = self._counts.get(thing)
        if count is None:
            return 0
        return max(0, count.repairs - int((now - count.last) / self.policy.forget_after))

    def _delay(self, thing: str, now: float) -> float:
        count = self._counts.get(thing)
        if count is None or count.repairs < self.policy.immediate:
            return 0.0
        delay = doubled(self.policy, count.repairs - self.policy.immediate)
        return max(0.0, count.last + delay - now)


def doubled(policy: Policy, times: int) -> float:
    """The first delay, doubled ``times`` times, up to the longest delay."""
    return float(min(policy.first_delay * 2.0 ** min(times, 64), policy.longest_delay))
