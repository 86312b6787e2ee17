"""What the format has and this version can't do yet. A row goes when its feature comes."""

from collections.abc import Iterator, Mapping
from typing import Final

from vlanlink.errors import Path, Problem
from vlanlink.topology import values
from vlanlink.topology.facts import Facts, Place, Rule, is_subnet_of
from vlanlink.topology.model import Interface


def _later(path: Path, what: str, until_then: str, *, at_key: bool = True) -> Problem:
    message = f"{what} comes with a later version of vlanlink"
    return Problem(path, message, f"until then, {until_then}", at_key=at_key)


def shim(facts: Facts) -> Iterator[Problem]:
    """The host's own endpoint in a network."""
    for name, network in facts.topology.networks.items():
        if network.shim is not False:
            yield _later(("networks", name, "shim"), "shim", "leave it out")


def internal(facts: Facts) -> Iterator[Problem]:
    """Networks that do not leave the host."""
    for name, network in facts.topology.networks.items():
        if network.internal:
            path = ("networks", name, "internal")
            yield _later(path, "an internal network", "write a parent: a dummy link will do")


def no_parent(facts: Facts) -> Iterator[Problem]:
    """Networks whose parent is to be made up."""
    for name, network in facts.topology.networks.items():
        left_out = network.parent is None and not network.internal
        if left_out and not facts.touched("networks", name, "parent"):
            path = ("networks", name)
            yield _later(path, "a network without parent", "write one: a dummy link will do")


def addresses_left_out(facts: Facts) -> Iterator[Problem]:
    """Addresses that are to be chosen."""
    for place in facts.places:
        network = facts.network_of(place)
        left_out = place.entry.addresses is None and not facts.touched(*place.path, "addresses")
        if network is not None and network.subnets and left_out:
            until = f"list those of {place.label}, or write addresses = []"
            yield _later(place.path, "choosing addresses", until)


def address_auto(facts: Facts) -> Iterator[Problem]:
    """The word that asks for a choice."""
    for path, place, word in _entries(facts):
        if word == values.AUTO and place.network is not None:
            yield _later(path, '"auto"', "write an address", at_key=False)


def address_subnet(facts: Facts) -> Iterator[Problem]:
    """A subnet that asks for a choice."""
    for path, place, word in _entries(facts):
        if is_subnet_of(word, facts.network_of(place)):
            what = f"choosing an address of {word}"
            yield _later(path, what, "write the address itself", at_key=False)


def address_dhcp(facts: Facts) -> Iterator[Problem]:
    """The word that asks a DHCP server."""
    for path, _, word in _entries(facts):
        if word == values.DHCP:
            yield _later(path, '"dhcp"', "write an address", at_key=False)


def ipv6_slaac(facts: Facts) -> Iterator[Problem]:
    """Addresses as the LAN's router says."""
    for place in facts.places:
        if isinstance(place.entry, Interface) and place.entry.ipv6 == "slaac":
            path = (*place.path, "ipv6")
            yield _later(path, 'ipv6 = "slaac"', 'write "static" or "off"', at_key=False)


def _entries(facts: Facts) -> Iterator[tuple[Path, Place, str]]:
    for place in facts.places:
        for at, word in enumerate(place.entry.addresses or ()):
            yield (*place.path, "addresses", at), place, word


NOT_YET: Final[Mapping[str, Rule]] = {
    "not_yet_shim": shim,
    "not_yet_internal": internal,
    "not_yet_no_parent": no_parent,
    "not_yet_addresses_left_out": addresses_left_out,
    "not_yet_auto": address_auto,
    "not_yet_subnet": address_subnet,
    "not_yet_dhcp": address_dhcp,
    "not_yet_slaac": ipv6_slaac,
}
