"""The result of ``verify``: each pair as expected and as measured, and why they differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from vlanlink.model import HOST, family_of
from vlanlink.reachability.expected import Pair

_WORDS = {True: "reachable", False: "unreachable", None: None}


@dataclass(frozen=True, slots=True)
class Check:
    """A pair, its measurement, and the cause of a difference.

    ``cause`` is None where no measurement shows one; ``facts`` are the nearest measurements.
    """

    pair: Pair
    reached: bool
    cause: str | None = None
    facts: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the measurement meets the expectation. True for an unjudged pair."""
        return self.pair.expected in (None, self.reached)

    def to_dict(self) -> dict[str, object]:
        """The JSON form; an unjudged pair has neither ``expected`` nor ``ok``."""
        pair = self.pair
        judged = {"expected": _WORDS[pair.expected], "ok": self.ok}
        return {
            "from": pair.source or "host",
            "to": "host" if pair.target == HOST else pair.target,
            "address": pair.address,
            "family": family_of(pair.address),
            "interface": pair.interface,
            **(judged if pair.expected is not None else {}),
            "measured": _WORDS[self.reached],
            "reason": pair.reason,
            "kind": pair.kind,
            **({"cause": self.cause, "facts": list(self.facts)} if not self.ok else {}),
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """Who reaches whom in a topology, and whether that is as expected."""

    topology: str
    state: Literal["up", "drifted", "down"]
    """As in ``status``. Down: nothing was probed."""
    checks: tuple[Check, ...] = ()
    unjudged: tuple[Check, ...] = ()
    """Pairs that only a router outside the topology could connect."""
    endpoints: int = 0
    sampled: int = 0
    """Number of endpoints that were probed."""

    @property
    def ok(self) -> bool:
        """Whether every probe is as expected."""
        return self.state != "down" and not self.differences

    @property
    def differences(self) -> tuple[Check, ...]:
        """The checks that are not as expected."""
        return tuple(check for check in self.checks if not check.ok)

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "topology": self.topology,
            "state": self.state,
            "ok": self.ok,
            "endpoints": self.endpoints,
            "sampled": self.sampled,
            "checks": [check.to_dict() for check in self.checks],
            "unjudged": [check.to_dict() for check in self.unjudged],
        }


def sorted_out(checks: Iterable[Check]) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """The judged checks, differences first, and the unjudged ones."""
    found = list(checks)
    judged = sorted((c for c in found if c.pair.expected is not None), key=lambda c: c.ok)
    return tuple(judged), tuple(_unjudged(found))


def _unjudged(checks: Iterable[Check]) -> Iterator[Check]:
    return (check for check in checks if check.pair.expected is None)
