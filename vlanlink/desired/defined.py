"""Which links a topology's recorded text defines. Pure.

A link bears the mark of one topology. ``down`` hands a link that others stand on over to one of
them, whose file does not define it: that topology keeps it, and the one that does takes it back.
"""

from collections.abc import Iterator
from functools import lru_cache

from vlanlink.errors import TopologyError
from vlanlink.model import HOST, LOOPBACK, LinkName
from vlanlink.store.record import Record
from vlanlink.topology import ShimConfig, Topology, parse

_GENERATED = ("dm-", "sh-")
"""Names of dummy parents and shims."""


def defines(record: Record | None, key: LinkName) -> bool:
    """Whether a topology made a link by its own file. False if the record is lost.

    Neither text nor record says anything of the namespaces of attachments.
    """
    if record is None:
        return False
    names = _names(record.text)
    if names is None or key in names:
        return True
    if key.namespace == HOST:
        return key.name.startswith(_GENERATED)
    return key.namespace not in {*record.places, *(one.namespace for one in names)}


@lru_cache(maxsize=64)
def _names(text: str) -> frozenset[LinkName] | None:
    """The links in a text; None if it can't be read. Implied VLANs are anybody's."""
    try:
        topology = parse(text)
    except TopologyError:
        return None
    return frozenset(_defined(topology))


def _defined(topology: Topology) -> Iterator[LinkName]:
    for name, link in topology.links.items():
        yield LinkName(HOST, name)
        if link.peer:
            yield LinkName(link.peer.namespace or HOST, link.peer.name)
    for space, namespace in topology.namespaces.items():
        yield LinkName(space, LOOPBACK)
        for name, interface in namespace.interfaces.items():
            yield LinkName(space, name)
            if interface.peer:
                yield LinkName(interface.peer.namespace or HOST, interface.peer.name)
    for network in topology.networks.values():
        if isinstance(network.shim, ShimConfig) and network.shim.name:
            yield LinkName(HOST, network.shim.name)
