"""Which of the host's links a topology's recorded text defines. Pure.

A link bears the mark of one topology. ``down`` hands a link that others stand on over to one of
them, whose file does not define it: that topology keeps it, and the one that does takes it back.
"""

from functools import lru_cache

from vlanlink.errors import TopologyError
from vlanlink.model import HOST, LinkName
from vlanlink.store.record import Record
from vlanlink.topology import ShimConfig, Topology, parse

_GENERATED = ("dm-", "sh-")
"""Names of dummy parents and shims."""


def defines(record: Record | None, key: LinkName) -> bool:
    """Whether a topology made a link by its own file. False if the record is lost."""
    if record is None or key.namespace != HOST:
        return record is not None
    names = _names(record.text)
    return names is None or key.name in names or key.name.startswith(_GENERATED)


@lru_cache(maxsize=64)
def _names(text: str) -> frozenset[str] | None:
    """The host's links in a text; None if it can't be read. Implied VLANs are anybody's."""
    try:
        topology = parse(text)
    except TopologyError:
        return None
    return frozenset(_defined(topology))


def _defined(topology: Topology) -> set[str]:
    found = set(topology.links)
    interfaces = (i for n in topology.namespaces.values() for i in n.interfaces.values())
    for entry in (*topology.links.values(), *interfaces):
        if entry.peer and not entry.peer.namespace:
            found.add(entry.peer.name)
    for network in topology.networks.values():
        if isinstance(network.shim, ShimConfig) and network.shim.name:
            found.add(network.shim.name)
    return found
