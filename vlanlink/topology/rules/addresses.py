"""Which addresses a link may have, by its network and by what others have."""

from collections.abc import Hashable, Iterator

from vlanlink.errors import Path, Problem
from vlanlink.topology import values
from vlanlink.topology.model import InterfaceConfig, NetworkConfig
from vlanlink.topology.problems import quote
from vlanlink.topology.rules.index import HOST, Given, Place, RuleIndex, holding, is_edge


def _in_networks(facts: RuleIndex) -> Iterator[tuple[Given, NetworkConfig]]:
    """The written addresses of endpoints whose networks' subnets are all known."""
    for one in facts.given:
        network = facts.network_of(one.place)
        if network is not None and facts.whole_subnets(one.place.network):
            yield one, network


def address_outside(facts: RuleIndex) -> Iterator[Problem]:
    """An endpoint's address lies in its network; link-local ones lie on every link."""
    for one, network in _in_networks(facts):
        if not network.subnets or one.ip.is_link_local or holding(one.ip, network):
            continue
        subnets = ", ".join(str(subnet.subnet) for subnet in network.subnets)
        message = f"{one.ip} lies outside every subnet of network {one.place.network}"
        yield Problem(one.path, message, f"write an address of {subnets}")


def prefix_missing(facts: RuleIndex) -> Iterator[Problem]:
    """A bare address takes its subnet's prefix; without one there is none to take."""
    for one in facts.given:
        if one.prefix is not None or one.place in facts.shims:
            continue
        network = facts.network_of(one.place)
        if one.place.network is None or (network and _no_subnet(facts, one, network)):
            length = 24 if one.ip.version == 4 else 64
            message = f"{one.ip} has no prefix, and there is no subnet to take one from"
            yield Problem(one.path, message, f'write the length too, such as "{one.ip}/{length}"')


def _no_subnet(facts: RuleIndex, one: Given, network: NetworkConfig) -> bool:
    if not facts.whole_subnets(one.place.network):
        return False
    chosen = network.subnets is None and network.parent is None
    return not chosen and (
        not network.subnets or (one.ip.is_link_local and not holding(one.ip, network))
    )


def address_aux(facts: RuleIndex) -> Iterator[Problem]:
    """What is kept for others is not for endpoints."""
    for one, network in _in_networks(facts):
        for at, subnet in enumerate(network.subnets or ()):
            for name, ip in subnet.aux_addresses.items():
                if ip == one.ip:
                    yield Problem(
                        one.path,
                        f"aux_addresses keep {ip} for {name}",
                        "write another address, or take that one out of aux_addresses",
                        related=(
                            "networks",
                            str(one.place.network),
                            "subnets",
                            at,
                            "aux_addresses",
                            name,
                        ),
                    )


def address_edge(facts: RuleIndex) -> Iterator[Problem]:
    """The first and, in IPv4, the last address of a subnet belong to nobody."""
    for one in facts.given:
        network = facts.network_of(one.place)
        if one.place.network is not None and not facts.whole_subnets(one.place.network):
            continue
        prefix = (holding(one.ip, network) if network else None) or one.prefix
        if prefix is not None and is_edge(one.ip, prefix):
            message = f"{one.ip} is the network or broadcast address of {prefix}"
            yield Problem(one.path, message, "write an address in between")


def address_twice(facts: RuleIndex) -> Iterator[Problem]:
    """One address, one owner: in a network, in a namespace, on a wire."""
    seen: dict[tuple[Hashable, values.Ip], Given] = {}
    for one in facts.given:
        before = [seen.setdefault((domain, one.ip), one) for domain in _domains(facts, one)]
        clash = next((other for other in before if other.path != one.path), None)
        if clash is not None:
            who = (
                "twice" if clash.place == one.place else f", which {clash.place.label} has already"
            )
            yield Problem(
                one.path,
                f"{one.place.label} has {one.ip} {who}".replace(" ,", ","),
                "give one of them another address",
                related=clash.path,
            )


def _domains(facts: RuleIndex, one: Given) -> Iterator[Hashable]:
    """Where an address must be the only one: link-local ones only on their wire."""
    place = one.place
    yield "link", place.path
    if not one.ip.is_link_local:
        yield "namespace", place.namespace
    if place.network is not None:
        yield "network", place.network
    yield from (("wire", wire) for wire in _wires(facts, place))


def _wires(facts: RuleIndex, place: Place) -> Iterator[Hashable]:
    if place.kind is not None and place.kind.rx_handler and place.parent is not None:
        yield facts.real(place.parent, place.kind)
    if place.namespace == HOST:
        yield place.name
    if place.kind is not None and place.kind.has_peer:
        yield place.path[:-1] if place.path[-1] == "peer" else place.path


def choice_without_network(facts: RuleIndex) -> Iterator[Problem]:
    """Addresses are chosen from the subnets of a network, and of nothing else."""
    for path, place in _chosen(facts):
        if place.network is None:
            message = f"{place.label} has no network to choose an address from"
            yield Problem(path, message, 'write an address with its prefix, such as "192.0.2.5/24"')


def choice_without_subnet(facts: RuleIndex) -> Iterator[Problem]:
    """A network may have none."""
    for path, place in _chosen(facts):
        network = facts.network_of(place)
        if network is None or network.subnets or not facts.whole_subnets(str(place.network)):
            continue
        if network.subnets == () or network.parent is not None:
            message = f"network {place.network} has no subnet to choose an address from"
            yield Problem(path, message, "write an address with its prefix, or give it subnets")


def auto_twice(facts: RuleIndex) -> Iterator[Problem]:
    """One choice is for all families: a second would be a second address of each."""
    first: dict[Path, Path] = {}
    for path, place in _chosen(facts):
        before = first.setdefault(place.path, path)
        if before != path:
            message = f"{place.label} has {quote(values.AUTO)} twice"
            hint = "one chooses for each family; for a second address write its subnet"
            yield Problem(path, message, hint, related=before)


def _chosen(facts: RuleIndex) -> Iterator[tuple[Path, Place]]:
    for place in (*facts.places, *facts.shims):
        for at, word in enumerate(place.entry.addresses or ()):
            if word == values.AUTO:
                yield (*place.path, "addresses", at), place


def ipv6_off(facts: RuleIndex) -> Iterator[Problem]:
    """Where IPv6 is off there is nothing of it."""
    for place in facts.places:
        if isinstance(place.entry, InterfaceConfig) and place.entry.ipv6 == "off":
            for path, what in _ipv6_wishes(place, place.entry):
                message = f"{place.label} has ipv6 = {quote('off')}, and asks for {what}"
                yield Problem(
                    path, message, "take one of the two out", related=(*place.path, "ipv6")
                )


def _ipv6_wishes(place: Place, interface: InterfaceConfig) -> Iterator[tuple[Path, str]]:
    for at, word in enumerate(interface.addresses or ()):
        if ":" in word:
            yield (*place.path, "addresses", at), f"the address {word}"
    for at, route in enumerate(interface.routes):
        if route.to.version == 6:
            yield (*place.path, "routes", at, "to"), f"a route to {route.to}"
    wanted = interface.default_route
    if not isinstance(wanted, bool | None) and wanted.ipv6:
        yield (*place.path, "default_route", "ipv6"), "an IPv6 default route"
