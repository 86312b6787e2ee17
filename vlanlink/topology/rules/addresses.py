"""Addresses that a link may have: by its network, and by those of other links."""

from collections.abc import Hashable, Iterator

from vlanlink.errors import Path, Problem
from vlanlink.host import HOST
from vlanlink.topology import values
from vlanlink.topology.model import InterfaceConfig, NetworkConfig
from vlanlink.topology.problems import one_of, quote
from vlanlink.topology.rules.index import (
    Given,
    Place,
    RuleIndex,
    between,
    edge_name,
    holding,
    is_edge,
)


def _in_networks(index: RuleIndex) -> Iterator[tuple[Given, NetworkConfig]]:
    """Listed addresses of endpoints whose networks' subnets are all known."""
    for one in index.given:
        network = index.network_of(one.place)
        if network is not None and index.whole_subnets(one.place.network):
            yield one, network


def address_outside(index: RuleIndex) -> Iterator[Problem]:
    """An endpoint's address is in a subnet of its network, or link-local."""
    for one, network in _in_networks(index):
        if not network.subnets or one.ip.is_link_local or holding(one.ip, network):
            continue
        message = f"{one.ip} is outside every subnet of network {one.place.network}"
        yield Problem(one.path, message, _inside_hint(one, network))


def _inside_hint(one: Given, network: NetworkConfig) -> str:
    family = [subnet for subnet in network.subnets or () if subnet.subnet.version == one.ip.version]
    if not family:
        return f"remove it, or add an IPv{one.ip.version} subnet to network {one.place.network}"
    return f"write an address in {one_of([str(subnet.subnet) for subnet in family])}"


def prefix_missing(index: RuleIndex) -> Iterator[Problem]:
    """A bare address takes the prefix length of its subnet, so there must be one."""
    for one in index.given:
        if one.prefix is not None or one.place in index.shims:
            continue
        network = index.network_of(one.place)
        if one.place.network is None or (network and _no_subnet(index, one, network)):
            length = 24 if one.ip.version == 4 else 64
            message = f"{one.ip} has no prefix length, and no subnet to take it from"
            yield Problem(one.path, message, f'add it, such as "{one.ip}/{length}"')


def _no_subnet(index: RuleIndex, one: Given, network: NetworkConfig) -> bool:
    if not index.whole_subnets(one.place.network):
        return False
    chosen = network.subnets is None and network.parent is None
    return not chosen and (
        not network.subnets or (one.ip.is_link_local and not holding(one.ip, network))
    )


def address_aux(index: RuleIndex) -> Iterator[Problem]:
    """Aux addresses are not for endpoints."""
    for one, network in _in_networks(index):
        for at, subnet in enumerate(network.subnets or ()):
            for name, ip in subnet.aux_addresses.items():
                if ip == one.ip:
                    yield Problem(
                        one.path,
                        f"aux_addresses reserve {ip} for {name}",
                        "write another address, or remove this one from aux_addresses",
                        related=(
                            "networks",
                            str(one.place.network),
                            "subnets",
                            at,
                            "aux_addresses",
                            name,
                        ),
                    )


def address_edge(index: RuleIndex) -> Iterator[Problem]:
    """No link has the first or, in IPv4, the last address of a subnet."""
    for one in index.given:
        network = index.network_of(one.place)
        if one.place.network is not None and not index.whole_subnets(one.place.network):
            continue
        prefix = (holding(one.ip, network) if network else None) or one.prefix
        if prefix is not None and is_edge(one.ip, prefix):
            message = f"{one.ip} is the {edge_name(one.ip, prefix)} address of {prefix}"
            yield Problem(one.path, message, f"write an address {between(prefix)}")


def prefix_wider(index: RuleIndex) -> Iterator[Problem]:
    """An address with a shorter prefix length than its subnet's reaches hosts that aren't there."""
    for one, network in _in_networks(index):
        subnet = holding(one.ip, network)
        if subnet and one.prefix and one.prefix.prefixlen < subnet.prefixlen:
            message = f"{one.ip}/{one.prefix.prefixlen} is wider than its subnet {subnet}"
            yield Problem(one.path, message, f'write "{one.ip}"')


def address_twice(index: RuleIndex) -> Iterator[Problem]:
    """An address is unique in its network, its namespace and its L2 segment."""
    seen: dict[tuple[Hashable, values.Ip], Given] = {}
    for one in index.given:
        before = [seen.setdefault((domain, one.ip), one) for domain in _domains(index, one)]
        clash = next((other for other in before if other.path != one.path), None)
        if clash is not None:
            who = (
                "twice" if clash.place == one.place else f", which {clash.place.label} already has"
            )
            yield Problem(
                one.path,
                f"{one.place.label} has {one.ip} {who}".replace(" ,", ","),
                "give one of them another address",
                related=clash.path,
            )


def _domains(index: RuleIndex, one: Given) -> Iterator[Hashable]:
    """The scopes in which an address is unique: for a link-local one its segment only."""
    place = one.place
    yield "link", place.path
    if not one.ip.is_link_local:
        yield "namespace", place.namespace
    if place.network is not None:
        yield "network", place.network
    yield from (("segment", segment) for segment in _segments(index, place))


def _segments(index: RuleIndex, place: Place) -> Iterator[Hashable]:
    if place.kind is not None and place.kind.rx_handler and place.parent is not None:
        yield index.real(place.parent, place.kind)
    if place.namespace == HOST:
        yield place.name
    if place.kind is not None and place.kind.has_peer:
        yield place.path[:-1] if place.path[-1] == "peer" else place.path


def choice_without_network(index: RuleIndex) -> Iterator[Problem]:
    """Addresses are chosen from the subnets of a network."""
    for path, place in _chosen(index):
        if place.network is None:
            message = f"{place.label} has no network to choose an address from"
            hint = 'write an address with its prefix length, such as "192.0.2.5/24"'
            yield Problem(path, message, hint)


def choice_without_subnet(index: RuleIndex) -> Iterator[Problem]:
    """A choice needs a subnet."""
    for path, place in _chosen(index):
        network = index.network_of(place)
        if network is None or network.subnets or not index.whole_subnets(str(place.network)):
            continue
        if network.subnets == () or network.parent is not None:
            message = f"network {place.network} has no subnet to choose an address from"
            hint = "write an address with its prefix length, or give the network subnets"
            yield Problem(path, message, hint)


def auto_twice(index: RuleIndex) -> Iterator[Problem]:
    """``auto`` chooses for all families, so once is enough."""
    first: dict[Path, Path] = {}
    for path, place in _chosen(index):
        before = first.setdefault(place.path, path)
        if before != path:
            message = f"{place.label} lists {quote(values.AUTO)} twice"
            hint = "it chooses for each family; write a subnet to get a second address"
            yield Problem(path, message, hint, related=before)


def _chosen(index: RuleIndex) -> Iterator[tuple[Path, Place]]:
    for place in (*index.places, *index.shims):
        for at, word in enumerate(place.entry.addresses or ()):
            if word == values.AUTO:
                yield (*place.path, "addresses", at), place


def ipv6_off(index: RuleIndex) -> Iterator[Problem]:
    """With IPv6 off an interface has no IPv6 addresses and routes."""
    for place in index.places:
        if isinstance(place.entry, InterfaceConfig) and place.entry.ipv6 == "off":
            for path, what in _ipv6_requests(place, place.entry):
                message = f"{place.label} has ipv6 = {quote('off')}, so it can't have {what}"
                yield Problem(path, message, "remove one of the two", related=(*place.path, "ipv6"))


def _ipv6_requests(place: Place, interface: InterfaceConfig) -> Iterator[tuple[Path, str]]:
    for at, word in enumerate(interface.addresses or ()):
        if ":" in word:
            yield (*place.path, "addresses", at), f"the address {word}"
    for at, route in enumerate(interface.routes):
        if route.to.version == 6:
            yield (*place.path, "routes", at, "to"), f"a route to {route.to}"
    wanted = interface.default_route
    if not isinstance(wanted, bool | None) and wanted.ipv6:
        yield (*place.path, "default_route", "ipv6"), "an IPv6 default route"


def token_without_slaac(index: RuleIndex) -> Iterator[Problem]:
    """A host part waits for a router's prefix."""
    for place, entry in _with_token(index):
        if entry.ipv6 != "slaac" and not index.touched(*place.path, "ipv6"):
            path = (*place.path, "ipv6_token")
            message = f'ipv6_token has no effect: {place.label} has ipv6 = "{entry.ipv6}"'
            yield Problem(path, message, 'add ipv6 = "slaac", or remove ipv6_token', at_key=True)


def token_twice(index: RuleIndex) -> Iterator[Problem]:
    """Two endpoints of a network would make the same address of it."""
    found: dict[Hashable, Place] = {}
    for place, entry in _with_token(index):
        first = found.setdefault((place.network or place.path, entry.ipv6_token), place)
        if first is not place:
            message = f"{place.label} has the host part of {first.label}: their addresses collide"
            path, other = (*place.path, "ipv6_token"), (*first.path, "ipv6_token")
            yield Problem(path, message, "write another one", related=other)


def _with_token(index: RuleIndex) -> Iterator[tuple[Place, InterfaceConfig]]:
    for place in index.places:
        if isinstance(place.entry, InterfaceConfig) and place.entry.ipv6_token is not None:
            yield place, place.entry
