"""Which addresses are somebody's already on the parent of a network. Pure.

What is chosen for a network must be free beside the host's own addresses there, the links of
others, and the rest of the topology: its other networks on that parent and its links by themselves.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from vlanlink.model import HOST, LinkName, State, owner_in_words
from vlanlink.store.leases import Leases
from vlanlink.topology import EndpointConfig, Topology

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def addresses_in_use(
    network: str,
    topology: Topology,
    observed: State,
    leases: Leases,
    given: Mapping[LinkName, tuple[str, ...]],
) -> Iterator[tuple[Ip, str]]:
    """Each such address, and whose it is. ``given`` is what endpoints were given so far."""
    parent = topology.networks[network].parent
    if parent is None:
        return
    yield from _seen(LinkName(HOST, parent), topology, observed)
    if parent in topology.links:
        yield from _each(written(topology.links[parent].addresses), "the host")
    for key, entry in _by_themselves(parent, topology):
        yield from _each(written(entry.addresses), str(key))
    for other, key, entry in _endpoints_beside(network, topology):
        link = observed.link(key)
        held = link.addresses if link and link.owner == topology.name else ()
        promised = leases.addresses.get((other, key.namespace, key.name), ())
        found = (
            *written(entry.addresses),
            *given.get(key, ()),
            *promised,
            *(one.text for one in held),
        )
        yield from _each(found, f"endpoints of network {other}")


def written(words: Iterable[str] | None) -> tuple[str, ...]:
    """The addresses among the entries of ``addresses``, without words and subnets."""
    return tuple(word for word in words or () if _is_address(word))


def _seen(parent: LinkName, topology: Topology, observed: State) -> Iterator[tuple[Ip, str]]:
    link = observed.link(parent)
    if link:
        yield from _each((one.text for one in link.addresses), "the host")
    for child in observed.children(parent):
        if child.owner != topology.name:
            who = owner_in_words(child.owner) if child.owner else f"{child.key}"
            yield from _each((one.text for one in child.addresses), who)


def _by_themselves(parent: str, topology: Topology) -> Iterator[tuple[LinkName, EndpointConfig]]:
    for name, link in topology.links.items():
        if link.parent == parent:
            yield LinkName(HOST, name), link
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            if interface.parent == parent:
                yield LinkName(space, name), interface


def _endpoints_beside(
    network: str, topology: Topology
) -> Iterator[tuple[str, LinkName, EndpointConfig]]:
    parent = topology.networks[network].parent
    beside = {
        name
        for name, other in topology.networks.items()
        if name != network and other.parent == parent
    }
    for space, namespace in topology.namespaces.items() if beside else ():
        for name, interface in namespace.interfaces.items():
            if interface.network in beside:
                yield interface.network, LinkName(space, name), interface


def _each(texts: Iterable[str], who: str) -> Iterator[tuple[Ip, str]]:
    return ((ipaddress.ip_interface(text).ip, who) for text in texts)


def _is_address(word: str) -> bool:
    if "/" not in word:
        return word != "auto"
    try:
        ipaddress.ip_network(word)
    except ValueError:
        return True
    return False
