"""What a session found: a topology, the machine observed for it, and the plan between the two."""

from collections.abc import Callable

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.attached import with_attachments
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import Resolution
from vlanlink.errors import Diagnostic, Problem
from vlanlink.model import NAMELESS, LinkName, State
from vlanlink.planning.plan import Plan
from vlanlink.store.files import Contents
from vlanlink.store.leases import Leases
from vlanlink.store.record import Records
from vlanlink.topology import Topology

Narrowed = Callable[[State, Resolution], Resolution]
"""Makes what was resolved for a part of a topology that of all of it, given the observed State."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is kept in files, and what is in the kernel, for no topology in particular."""

    contents: Contents
    state: State

    @property
    def topologies(self) -> tuple[str, ...]:
        """Those with a record or a mark."""
        return tuple(sorted(self.contents.topologies | marked_topologies(self.state)))


@dataclass(frozen=True, slots=True)
class Observation:
    """A topology, the machine as observed for it, and the plan from one to the other."""

    topology: Topology
    observed: State
    resolution: Resolution
    todo: Plan
    context: Context
    dead_names: tuple[Problem, ...] = ()
    unreadable: tuple[Diagnostic, ...] = ()
    """Warnings: leases and pending commits that can't be used."""
    everywhere: bool = False
    """Every namespace that has a name was looked at, not only those that are ours."""
    narrowed: Narrowed | None = None
    had_lease: frozenset[LinkName] = frozenset()
    """The links of the part that was resolved that had an address by DHCP."""

    @property
    def keeper_matters(self) -> bool:
        """Whether the keeper of the leases serves, or is to serve, what this is about."""
        asks = any(link.dhcp for link in self.resolution.desired.links())
        return self.narrowed is None or asks or bool(self.had_lease)

    @property
    def dhcp_keys(self) -> frozenset[LinkName]:
        """The links that ask by DHCP, and those of a part that had an address by it."""
        asking = (link.key for link in self.resolution.desired.links() if link.dhcp)
        return frozenset((*asking, *self.had_lease))

    @property
    def whole(self) -> Topology:
        """The topology with its live attachments as endpoints."""
        there = [one for one in self.context.attached if one.id in self.observed.namespaces]
        return with_attachments(self.topology, there)

    @property
    def records(self) -> Records:
        """The topology's record, and the others'."""
        return self.context.records

    @property
    def leases(self) -> Leases:
        """The topology's leases before."""
        return self.context.leases

    def problems(self) -> tuple[Diagnostic, ...]:
        """Reasons this machine can't apply the topology, at their places in the file, by line."""
        found = (*self.resolution.conflicts, *self.todo.conflicts, *self.dead_names)
        once = dict.fromkeys(self.topology.diagnose(problem) for problem in found)
        return tuple(sorted(once, key=lambda one: (one.line or 0, one.column or 0)))

    @property
    def is_up(self) -> bool:
        """Whether anything of the topology is up: a mark, or a record."""
        marked = self.topology.name in marked_topologies(self.observed)
        return marked or self.records.own is not None

    def without_probes(self) -> "Observation":
        """The same observation, for addresses that were in use a moment ago."""
        return replace(self, resolution=replace(self.resolution, probes=()))


def marked_topologies(state: State) -> set[str]:
    """The topologies of this host whose mark a link bears."""
    owners = {link.owner for link in state.links() if link.owner is not None}
    return {owner for owner in owners if not owner.startswith(NAMELESS)}
