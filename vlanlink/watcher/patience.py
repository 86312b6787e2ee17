"""Patience with a parent whose address is away for a moment: a renewed lease, a pulled cable. Pure.

A shim speaks as its parent. Its routes survive the loss of the parent's address and work again
when that is back; the shim's own address takes over only if it stays away.
"""

from vlanlink.dataclass import dataclass, field
from vlanlink.desired.shim.sources import parent_addresses
from vlanlink.planning.operations import AddRoute, RemoveRoute
from vlanlink.reconcile.observation import Observation


@dataclass(slots=True)
class Patience:
    """By network, the families in which its parent had addresses, and since when one lacks them."""

    seconds: float
    _had: frozenset[tuple[str, int]] = field(default=frozenset())
    _since: float | None = None

    def left(self, seen: Observation, now: float) -> float:
        """Seconds to wait before the drift of ``seen`` is repaired; 0: at once."""
        have = _families(seen)
        if self._had <= have or not _only_routes(seen):
            self._had, self._since = have, None
            return 0.0
        self._since = now if self._since is None else self._since
        left = self._since + self.seconds - now
        if left <= 0:
            self._had, self._since = have, None
        return max(0.0, left)


def _families(seen: Observation) -> frozenset[tuple[str, int]]:
    return frozenset(
        (name, family)
        for name, network in seen.topology.networks.items()
        if network.shim and network.parent
        for family in parent_addresses(seen.topology, seen.observed, network)
    )


def _only_routes(seen: Observation) -> bool:
    return all(isinstance(one, AddRoute | RemoveRoute) for one in seen.todo.operations)
