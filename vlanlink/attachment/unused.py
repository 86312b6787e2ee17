"""What nothing on the host needs any more once an attachment has ended. Pure."""

from collections.abc import Collection, Mapping
from ipaddress import ip_interface

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.reserved import written
from vlanlink.desired.resolve import Resolution
from vlanlink.model import Link, Route, State
from vlanlink.planning.plan import Plan, undo_target
from vlanlink.store.leases import Leases
from vlanlink.store.record import Record
from vlanlink.topology import Topology


def are_last(topology: Topology, leases: Leases, network: str, gone: Collection[str]) -> bool:
    """Whether ``gone`` has the network's last address of a family, or the last in an ip_range.

    Its shim has an address for each family, and the host a route for each range.
    """
    ends = (one for space in topology.namespaces.values() for one in space.interfaces.values())
    left = [text for one in ends if one.network == network for text in written(one.addresses)]
    for (name, _, _), texts in leases.addresses.items():
        left += texts if name == network else ()
    for (name, _), lease in leases.attachments.items():
        left += lease.bare if name == network else ()
    ranges = [one.ip_range for one in topology.networks[network].subnets or () if one.ip_range]

    def served(text: str) -> set[object]:
        ip = ip_interface(text).ip
        return {ip.version, *(prefix for prefix in ranges if ip in prefix)}

    return not {what for text in gone for what in served(text)} <= {
        what for text in left for what in served(text)
    }


def is_used(topology: Topology, leases: Leases, network: str) -> bool:
    """Whether the file has an endpoint of the network, or an id keeps addresses there."""
    ends = (one for space in topology.namespaces.values() for one in space.interfaces.values())
    attached = (name for name, _ in leases.attachments)
    return network in attached or any(one.network == network for one in ends)


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was resolved for a topology, as far as links of the host go or are given back.

    All else stays as it is, drift included.
    """

    own: Record

    def __call__(self, observed: State, resolution: Resolution) -> Resolution:
        """As ``Narrowed``."""
        wanted, kept = resolution.desired, undo_target(observed, Plan(self.own.topology))
        stays = {
            name: _less(one, wanted.host.links[name])
            for name, one in kept.host.links.items()
            if self._stays(one, wanted)
        }
        given = {name: one for name, one in wanted.host.links.items() if self._given(one, observed)}
        links = stays | given
        routes = frozenset(r for r in kept.host.routes if _is_needed(r, links, wanted))
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


def _less(seen: Link, wanted: Link) -> Link:
    """A shim without what it no longer needs; another link as it is."""
    if wanted.origin[-1:] != ("shim",):
        return seen
    settings, own = dict(seen.settings), {address.text for address in wanted.addresses}
    no_ipv6 = wanted.settings.get("disable_ipv6") == 1
    settings |= {"disable_ipv6": 1} if no_ipv6 else {}
    return replace(
        seen,
        addresses=tuple(
            one
            for one in seen.addresses
            if one.text in own or not (one.ours or (no_ipv6 and one.family == 6))
        ),
        settings=settings,
        origin=wanted.origin,
    )


def _is_needed(route: Route, links: Mapping[str, Link], wanted: State) -> bool:
    """Whether a route stays: those through a shim only if they are desired."""
    link = links.get(route.dev)
    through_shim = link is not None and link.origin[-1:] == ("shim",)
    return route in wanted.host.routes or (link is not None and not through_shim)
