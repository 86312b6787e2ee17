"""Which addresses must be probed on the LAN before use. Pure.

A macvlan or ipvlan l2 link is on its parent's segment, where another host may already have its
address. Addresses that a link already holds are not probed again, nor those without neighbours
(ipvlan l3) or without a LAN (a dummy parent). The answers are an input of the next ``resolve``.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from vlanlink.dataclass import dataclass, replace
from vlanlink.desired.builder import Builder
from vlanlink.desired.links import link_local_of
from vlanlink.errors import Problem
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Address, Link, LinkName, State
from vlanlink.topology import (
    InterfaceConfig,
    LinkConfig,
    NetworkConfig,
    ProbeConfig,
    Topology,
)


@dataclass(frozen=True, slots=True)
class AddressProbe:
    """A question to the LAN about an address, sent from the parent of its link, or beside it."""

    segment: str
    """The network, or the link's name if it is in none."""
    parent: LinkName
    address: str
    """Without prefix."""
    probe: ProbeConfig
    kind: str
    mac: str | None = None
    """The MAC of its link; None if that has its parent's."""

    @property
    def key(self) -> tuple[str, str]:
        """Its key in ``ProbeResults``."""
        return self.segment, self.address


@dataclass(frozen=True, slots=True)
class LanAnswers:
    """What the LAN said to a topology's questions, each with the name of the parent."""

    hosts: Mapping[tuple[str, str], str]
    """By parent and address, the MAC that has it."""
    silent: tuple[tuple[str, str], ...] = ()
    """Parents and gateways that nobody there has."""
    unasked: tuple[str, ...] = ()
    """Parents that are missing or have no carrier."""
    doubles: tuple[tuple[str, LinkName, str], ...] = ()
    """Parents, and links that are to be created there whose MAC a station has."""


def address_probes(builder: Builder) -> tuple[AddressProbe, ...]:
    """Mark the addresses that were not probed yet, and return the probes for them.

    An address of the file that a LAN host already has is a conflict. After a first answer the next
    candidates are probed too, so that a crowded range does not need a round for each of its hosts.
    """
    found: list[AddressProbe] = []
    results = builder.context.probe_results
    for link in list(builder.links.values()):
        probes = list(_probes(builder, link))
        builder.conflicts += _taken(builder, link, probes)
        unprobed = [probe for probe in probes if probe.key not in results]
        if unprobed:
            found += unprobed
            builder.links[link.key] = _marked(builder, link, {one.address for one in unprobed})
    for first in {one.segment: one for one in found}.values():
        for address in builder.addressing.candidates.get(first.segment, ()):
            found.append(replace(first, address=address))
    return tuple(found)


def gateway_probes(topology: Topology, desired: State, observed: State) -> tuple[AddressProbe, ...]:
    """Questions about the networks' gateways, but for those that the topology or the host has."""
    mine = [link for link in desired.links() if link.owner == topology.name]
    here = (*mine, *observed.host.links.values())
    own = {address.bare for link in here for address in link.addresses}
    found: dict[tuple[str, str], AddressProbe] = {}
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            link = desired.link(LinkName(space, name))
            network = topology.networks.get(interface.network or "")
            if link and network and network.parent and not KINDS[link.kind].layer3(link.settings):
                for one in _about_gateways(str(interface.network), network, link):
                    if one.address not in own:
                        found.setdefault(one.key, one)
    return tuple(found.values())


def _about_gateways(name: str, network: NetworkConfig, link: Link) -> Iterator[AddressProbe]:
    for subnet in network.subnets or ():
        if subnet.gateway is not None and link.parent is not None:
            address, how = str(subnet.gateway), ProbeConfig()
            yield AddressProbe(name, link.parent, address, how, link.kind, own_mac(link))


def mac_probes(
    topology: Topology, desired: State, observed: State
) -> tuple[tuple[AddressProbe, Link], ...]:
    """Questions about the link-local addresses that go with the MACs of links to be created."""
    how = ProbeConfig()
    return tuple(
        (AddressProbe(str(link.key), link.parent, link_local_of(mac), how, link.kind), link)
        for link in desired.links()
        if link.owner == topology.name and link.parent and observed.link(link.key) is None
        if KINDS[link.kind].rx_handler and (mac := own_mac(link))
    )


def probing_parents(probes: Iterable[AddressProbe], desired: State) -> frozenset[LinkName]:
    """The parents to create or bring up first: probes are sent from them."""
    needed: set[LinkName] = set()
    for parent in {probe.parent for probe in probes}:
        link = desired.link(parent)
        while link is not None:
            needed.add(link.key)
            link = desired.link(link.parent)
    return frozenset(needed)


def _probes(builder: Builder, link: Link) -> Iterator[AddressProbe]:
    """The addresses that are new on the segment of a link's parent."""
    if link.parent is None or not _on_a_segment(builder, link):
        return
    for address in link.addresses:
        segment, probe = _segment(builder, link, address)
        if probe is False or address.by_dhcp or ipaddress.ip_address(address.bare).is_link_local:
            continue
        how = probe if isinstance(probe, ProbeConfig) else ProbeConfig()
        if not _held(builder, link, address):
            yield AddressProbe(segment, link.parent, address.bare, how, link.kind, own_mac(link))


def _segment(builder: Builder, link: Link, address: Address) -> tuple[str, bool | ProbeConfig]:
    """An address's network, else its link; and how to probe for it."""
    entry = builder.entry(link)
    network_name = entry.network if isinstance(entry, InterfaceConfig) else None
    for name, shim in builder.addressing.shims.items():
        if shim.key == link.key and address.text in builder.addressing.shim_addresses[name]:
            network_name = name
    network = builder.topology.networks.get(network_name or "")
    if network_name and network:
        return network_name, network.probe
    return str(link.key), entry.probe if isinstance(entry, LinkConfig) else False


def _on_a_segment(builder: Builder, link: Link) -> bool:
    kind = KINDS.get(link.kind)
    if kind is None or not kind.rx_handler or kind.layer3(link.settings):
        return False
    if link.owner != builder.name or not link.up or link.parent is None:
        return False
    below: LinkName | None = link.parent
    while below is not None:
        parent = builder.links.get(below) or builder.observed.link(below)
        if parent is None or parent.namespace != HOST or parent.kind == "dummy":
            return False
        if parent.peer is not None and builder.observed.link(below) is None:
            return False  # a pair that does not exist yet has nothing behind it
        below = parent.parent
    return True


def own_mac(link: Link) -> str | None:
    """The MAC of a link; None if it has its parent's."""
    mac = link.settings.get("mac")
    has_own = KINDS[link.kind].mac(link.settings) == "derived"
    return str(mac) if has_own and mac else None


def _held(builder: Builder, link: Link, address: Address) -> bool:
    seen = builder.observed.link(link.key)
    same = seen and seen.owner == link.owner and seen.up and seen.parent == link.parent
    return bool(same and seen and address in seen.addresses)


def _taken(builder: Builder, link: Link, probes: Sequence[AddressProbe]) -> Iterator[Problem]:
    for probe in probes:
        mac = builder.context.probe_results.get(probe.key)
        if mac is not None:
            yield Problem(
                builder.address_place(link, probe.address),
                f"{probe.address} is in use on the LAN of {probe.parent.name} by {mac}",
                "use another address, or find that host; probe = false skips the check",
            )


def _marked(builder: Builder, link: Link, unprobed: Collection[str]) -> Link:
    chosen = builder.addressing.chosen.get(link.key, frozenset())
    return replace(
        link,
        addresses=tuple(
            replace(address, unproven=True, chosen=address.text in chosen)
            if address.bare in unprobed
            else address
            for address in link.addresses
        ),
    )
