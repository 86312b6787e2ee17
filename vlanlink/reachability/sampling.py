"""A representative sample of endpoints, where there are too many to probe every pair. Pure."""

from collections.abc import Hashable, Sequence
from ipaddress import ip_address

from vlanlink.model import LOOPBACK, Link, LinkName, Namespace, State
from vlanlink.topology import Topology

LIMIT = 50
"""Maximum number of endpoints for probing every pair."""
_OF_A_KIND = 2
"""Minimum of each kind: its endpoints are paired with each other, and with every other kind."""


def sample(names: Sequence[str], desired: State, topology: Topology) -> tuple[str, ...]:
    """About LIMIT of the namespaces, with two of every kind.

    Namespaces of one kind have links on the same networks and subnets, in the same modes.
    """
    kinds: dict[Hashable, list[str]] = {}
    for name in names:
        kinds.setdefault(_kind(desired.namespaces[name], topology), []).append(name)
    share = max(_OF_A_KIND, LIMIT // len(kinds)) if kinds else 0
    chosen = {name for members in kinds.values() for name in _spread(members, share)}
    rest = [name for name in names if name not in chosen]
    chosen.update(_spread(rest, max(0, LIMIT - len(chosen))))
    return tuple(name for name in names if name in chosen)


def _spread(members: Sequence[str], count: int) -> list[str]:
    """``count`` members, evenly spread from the first to the last."""
    if count >= len(members):
        return list(members)
    if count < 2:
        return list(members[:count])
    step = (len(members) - 1) / (count - 1)
    return [members[round(at * step)] for at in range(count)]


def _kind(space: Namespace, topology: Topology) -> Hashable:
    links = (link for link in space.links.values() if link.name != LOOPBACK)
    return frozenset(_link(link, topology) for link in links), tuple(sorted(space.sysctls.items()))


def _link(link: Link, topology: Topology) -> Hashable:
    entry = topology.namespaces.get(link.namespace)
    interface = entry.interfaces.get(link.name) if entry else None
    network = interface.network if interface else None
    own = frozenset(_subnet(address.text, network, topology) for address in link.addresses)
    return network, link.kind, link.settings.get("mode"), link.parent or _side(link), own


def _side(link: Link) -> LinkName | None:
    return link.peer and LinkName(link.peer.namespace, "")


def _subnet(text: str, network: str | None, topology: Topology) -> str:
    """An address's subnet; without one its family and prefix length."""
    bare, _, length = text.partition("/")
    ip = ip_address(bare)
    for subnet in (topology.networks[network].subnets or ()) if network else ():
        if ip in subnet.subnet:
            return str(subnet.subnet)
    return f"IPv{ip.version}/{length}"
