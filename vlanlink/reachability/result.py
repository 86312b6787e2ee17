"""The result of ``verify``: each pair as expected and as measured, and why they differ."""

from collections.abc import Mapping
from typing import Final, Literal

from vlanlink.dataclass import dataclass
from vlanlink.errors import JSON_VERSION
from vlanlink.model import HOST, family_of
from vlanlink.reachability.expected import Pair

Reachability = Literal["reachable", "unreachable"]
_WORDS: Final[Mapping[bool | None, Reachability | None]] = {
    True: "reachable",
    False: "unreachable",
    None: None,
}


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
    def source(self) -> str:
        """A namespace, or ``host``; ``from`` in JSON."""
        return self.pair.source or "host"

    @property
    def target(self) -> str:
        """A namespace, ``gateway`` or ``host``; ``to`` in JSON."""
        return "host" if self.pair.target == HOST else self.pair.target

    @property
    def address(self) -> str:
        """The address that is probed."""
        return self.pair.address

    @property
    def expected(self) -> Reachability | None:
        """What the topology promises, if anything."""
        return _WORDS[self.pair.expected]

    @property
    def measured(self) -> Reachability | None:
        """What the probe found; None if it was not measured."""
        return _WORDS[self.reached]

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
        judged = {"expected": self.expected, "ok": self.ok}
        return {
            "from": self.source,
            "to": self.target,
            "address": self.address,
            "family": family_of(self.address),
            "interface": pair.interface,
            **(judged if self.judged else {}),
            "measured": self.measured,
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
            "version": JSON_VERSION,
            "topology": self.topology,
            "state": self.state,
            "ok": self.ok,
            "endpoints": self.endpoints,
            "sampled": self.sampled,
            "checks": [check.to_dict() for check in self.checks],
            "unjudged": [check.to_dict() for check in self.unjudged],
            "unmeasured": [check.to_dict() for check in self.unmeasured],
        }
