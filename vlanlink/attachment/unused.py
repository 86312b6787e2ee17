"""What a network that nobody uses any more has on the host: its parent and its shim. Pure."""

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.resolve import Resolution
from vlanlink.model import Link, State
from vlanlink.planning.plan import Plan, undo_target
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record
from vlanlink.topology import Topology


def is_used(topology: Topology, leases: Leases, network: str) -> bool:
    """Whether the file has an endpoint of the network, or an id keeps addresses there."""
    written = (one for space in topology.namespaces.values() for one in space.interfaces.values())
    attached = (name for name, _ in leases.attachments)
    return network in attached or any(one.network == network for one in written)


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was resolved for a topology, as far as links of the host go or are given back.

    All else stays as it is, drift included.
    """

    own: Record

    def __call__(self, observed: State, resolution: Resolution) -> Resolution:
        """As ``Narrowed``."""
        wanted, kept = resolution.desired, undo_target(observed, Plan(self.own.topology))
        stays = {name: one for name, one in kept.host.links.items() if self._stays(one, wanted)}
        given = {name: one for name, one in wanted.host.links.items() if self._given(one, observed)}
        links = stays | given
        routes = frozenset(r for r in kept.host.routes if r.dev in links or r in wanted.host.routes)
        host = replace(kept.host, links=links, routes=routes)
        return replace(
            resolution,
            desired=State({**kept.namespaces, host.name: host}, files=kept.files),
            record=replace(self.own, parents=resolution.record.parents),
            conflicts=(),
            warnings=(),
            restore_commands=(),
            probes=(),
            ended=(),
        )

    def _stays(self, link: Link, wanted: State) -> bool:
        found = wanted.host.links.get(link.name)
        return found is not None and found.owner == self.own.topology

    def _given(self, link: Link, observed: State) -> bool:
        """Whether a link passes to another topology, or is set down as it was before."""
        before = observed.link(link.key)
        if link.owner is None:
            return link.settings.get("up") is False
        return before is not None and before.owner == self.own.topology != link.owner
