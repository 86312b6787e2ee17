"""Which addresses the LAN has to be asked about before they are used. Pure.

A link that receives beside its parent is on the parent's segment: another station there may have
its address already. What such a link holds is not asked about again, and neither is what has no
neighbours (ipvlan l3) or nobody beside it (a dummy parent). What the LAN answers is an input of
``resolve`` the next time.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from vlanlink.desired.addressing import ProbeResults
from vlanlink.desired.builder import Builder
from vlanlink.errors import Problem
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Address, Link, LinkName, State
from vlanlink.topology import InterfaceConfig, ProbeConfig
from vlanlink.topology import LinkConfig as TopologyLink


@dataclass(frozen=True, slots=True)
class AddressProbe:
    """An address to be asked about, from the parent that its link is on."""

    segment: str
    """The network, or the link that is in none."""
    parent: LinkName
    address: str
    """Without prefix."""
    probe: ProbeConfig

    @property
    def key(self) -> tuple[str, str]:
        """Where the answer stands in ``Heard``."""
        return self.segment, self.address


def ask_about_addresses(draft: Builder, heard: ProbeResults) -> tuple[AddressProbe, ...]:
    """Mark the addresses of ``draft`` that nobody was asked about yet; what to ask.

    One that is written and that a station has already is a conflict of the draft. After a first
    answer the next free ones are asked about as well, so that a crowded range does not take a
    wait for each of its stations.
    """
    found: list[AddressProbe] = []
    for link in list(draft.links.values()):
        asked = list(_inquiries(draft, link))
        draft.conflicts += _taken(draft, link, asked, heard)
        unproven = [probe for probe in asked if probe.key not in heard]
        if unproven:
            found += unproven
            draft.links[link.key] = _marked(draft, link, {one.address for one in unproven})
    for first in {one.segment: one for one in found}.values():
        for address in draft.addressing.spares.get(first.segment, ()):
            found.append(replace(first, address=address))
    return tuple(found)


def parents_asked_from(probes: Iterable[AddressProbe], desired: State) -> frozenset[LinkName]:
    """The parents that the topology makes or sets up, which must be there before it can ask."""
    needed: set[LinkName] = set()
    for parent in {probe.parent for probe in probes}:
        link = desired.link(parent)
        while link is not None:
            needed.add(link.key)
            link = desired.link(link.parent)
    return frozenset(needed)


def _inquiries(draft: Builder, link: Link) -> Iterator[AddressProbe]:
    """What a link brings to its parent's segment, and does not have there already."""
    if link.parent is None or not _on_a_segment(draft, link):
        return
    for address in link.addresses:
        segment, probe = _segment(draft, link, address)
        if probe is False or ipaddress.ip_address(address.bare).is_link_local:
            continue
        how = probe if isinstance(probe, ProbeConfig) else ProbeConfig()
        if not _held(draft, link, address):
            yield AddressProbe(segment, link.parent, address.bare, how)


def _segment(draft: Builder, link: Link, address: Address) -> tuple[str, bool | ProbeConfig]:
    """The network that an address is in, else its link; and how to ask about it."""
    entry = draft.entry(link)
    network_name = entry.network if isinstance(entry, InterfaceConfig) else None
    for name, shim in draft.addressing.shims.items():
        if shim.key == link.key and address.text in draft.addressing.shim_addresses[name]:
            network_name = name
    network = draft.topology.networks.get(network_name or "")
    if network_name and network:
        return network_name, network.probe
    return str(link.key), entry.probe if isinstance(entry, TopologyLink) else False


def _on_a_segment(draft: Builder, link: Link) -> bool:
    kind = KINDS.get(link.kind)
    if kind is None or not kind.rx_handler or kind.layer3(link.settings):
        return False
    if link.owner != draft.name or not link.up or link.parent is None:
        return False
    below: LinkName | None = link.parent
    while below is not None:
        parent = draft.links.get(below) or draft.observed.link(below)
        if parent is None or parent.namespace != HOST or parent.kind == "dummy":
            return False
        if parent.peer is not None and draft.observed.link(below) is None:
            return False  # nobody is behind a pair that is still to be made
        below = parent.parent
    return True


def _held(draft: Builder, link: Link, address: Address) -> bool:
    seen = draft.observed.link(link.key)
    same = seen and seen.owner == link.owner and seen.up and seen.parent == link.parent
    return bool(same and seen and address in seen.addresses)


def _taken(
    draft: Builder, link: Link, asked: Sequence[AddressProbe], heard: ProbeResults
) -> Iterator[Problem]:
    for probe in asked:
        mac = heard.get(probe.key)
        if mac is not None:
            yield Problem(
                draft.address_place(link, probe.address),
                f"{probe.address} is taken on the LAN of {probe.parent.name}: {mac} answers for it",
                "write another address, or find that station; probe = false puts it there unasked",
            )


def _marked(draft: Builder, link: Link, unproven: Collection[str]) -> Link:
    chosen = draft.addressing.chosen.get(link.key, frozenset())
    return replace(
        link,
        addresses=tuple(
            replace(address, unproven=True, chosen=address.text in chosen)
            if address.bare in unproven
            else address
            for address in link.addresses
        ),
    )
