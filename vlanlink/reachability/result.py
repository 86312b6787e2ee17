"""The result of ``verify``: each pair as expected and as measured, and why they differ."""

from dataclasses import dataclass
from typing import Literal

from vlanlink.model import HOST, family_of
from vlanlink.reachability.expected import Pair

_WORDS = {True: "reachable", False: "unreachable", None: None}


@dataclass(frozen=True, slots=True)
class Check:
    """A pair, its measurement, and the cause of a difference.

    ``reached`` is None if it was not measured; ``unmeasured`` says why. ``cause`` is None
    where no measurement shows one; ``facts`` are the nearest measurements.
    """

    pair: Pair
    reached: bool | None
    unmeasured: str = ""
    cause: str | None = None
    facts: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether there are an expectation and a measurement."""
        return self.pair.expected is not None and self.reached is not None

    @property
    def ok(self) -> bool:
        """Whether the measurement meets the expectation. True if it is not judged."""
        return not self.judged or self.pair.expected == self.reached

    def to_dict(self) -> dict[str, object]:
        """The JSON form; ``expected`` and ``ok`` are there only if the pair is judged."""
        pair = self.pair
        judged = {"expected": _WORDS[pair.expected], "ok": self.ok}
        return {
            "from": pair.source or "host",
            "to": "host" if pair.target == HOST else pair.target,
            "address": pair.address,
            "family": family_of(pair.address),
            "interface": pair.interface,
            **(judged if self.judged else {}),
            "measured": _WORDS[self.reached],
            "reason": self.unmeasured or pair.reason,
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
    unmeasured: tuple[Check, ...] = ()
    """Pairs that could not be measured, and so are neither as expected nor not."""
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
            "unmeasured": [check.to_dict() for check in self.unmeasured],
        }
