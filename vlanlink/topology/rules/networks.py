"""What a network says of itself: its subnets, and the keys that go with its kind and mode."""

from collections.abc import Iterator
from ipaddress import IPv6Address

from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS
from vlanlink.kinds.kind import SiblingTraffic
from vlanlink.topology.model import NetworkConfig, SubnetConfig
from vlanlink.topology.rules.index import RuleIndex, is_edge
from vlanlink.topology.values import Ip, Prefix


def _networks(facts: RuleIndex) -> Iterator[tuple[Path, NetworkConfig]]:
    for name, network in facts.topology.networks.items():
        yield ("networks", name), network


def _subnets(facts: RuleIndex) -> Iterator[tuple[Path, SubnetConfig]]:
    for path, network in _networks(facts):
        for at, subnet in enumerate(network.subnets or ()):
            yield (*path, "subnets", at), subnet


def subnet_multicast(facts: RuleIndex) -> Iterator[Problem]:
    """The addresses of a subnet are machines'."""
    for path, subnet in _subnets(facts):
        if subnet.subnet.is_multicast:
            message = f"{subnet.subnet} holds no address that a link can have"
            yield Problem((*path, "subnet"), message, "write a subnet of unicast addresses")


def subnet_overlap(facts: RuleIndex) -> Iterator[Problem]:
    """An address belongs to one subnet of a network."""
    for path, network in _networks(facts):
        subnets = network.subnets or ()
        for at, one in enumerate(subnets):
            for before, other in enumerate(subnets[:at]):
                if one.subnet.overlaps(other.subnet):
                    yield Problem(
                        (*path, "subnets", at, "subnet"),
                        f"{one.subnet} overlaps {other.subnet} of the same network",
                        "write subnets that have no address in common",
                        related=(*path, "subnets", before, "subnet"),
                    )


def gateway_outside(facts: RuleIndex) -> Iterator[Problem]:
    """A gateway is a neighbour; in IPv6 it may be one by its link-local address."""
    for path, subnet in _subnets(facts):
        ip = subnet.gateway
        if ip is None or ip in subnet.subnet or _is_link_local(ip, subnet.subnet):
            continue
        message = f"gateway {ip} lies outside its subnet {subnet.subnet}"
        yield Problem((*path, "gateway"), message, f"write {_example(subnet.subnet)}")


def _is_link_local(ip: Ip, subnet: Prefix) -> bool:
    return isinstance(ip, IPv6Address) and ip.is_link_local and subnet.version == 6


def _example(subnet: Prefix) -> str:
    if subnet.num_addresses < 4:
        return f"an address of {subnet}"
    return f'an address of {subnet}, such as "{subnet.network_address + 1}"'


def gateway_edge(facts: RuleIndex) -> Iterator[Problem]:
    """The first and the last address of a subnet belong to nobody."""
    for path, subnet in _subnets(facts):
        ip = subnet.gateway
        if ip is not None and is_edge(ip, subnet.subnet):
            message = f"gateway {ip} is the network or broadcast address of {subnet.subnet}"
            yield Problem((*path, "gateway"), message, f"write {_example(subnet.subnet)}")


def gateway_is_aux(facts: RuleIndex) -> Iterator[Problem]:
    """The addresses kept for others are not the gateway's."""
    for path, subnet in _subnets(facts):
        for name, ip in subnet.aux_addresses.items():
            if ip == subnet.gateway:
                yield Problem(
                    (*path, "aux_addresses", name),
                    f"{ip} is the gateway of {subnet.subnet} already",
                    "leave it out: a gateway is never handed out",
                    related=(*path, "gateway"),
                )


def range_outside(facts: RuleIndex) -> Iterator[Problem]:
    """Addresses are handed out from a part of the subnet."""
    for path, subnet in _subnets(facts):
        part = subnet.ip_range
        if part is not None and not _inside(part, subnet.subnet):
            message = f"ip_range {part} is no part of its subnet {subnet.subnet}"
            yield Problem((*path, "ip_range"), message, "write a prefix within the subnet")


def _inside(part: Prefix, whole: Prefix) -> bool:
    return part.network_address in whole and part.prefixlen >= whole.prefixlen


def aux_outside(facts: RuleIndex) -> Iterator[Problem]:
    """Only addresses of the subnet need be kept for others."""
    for path, subnet in _subnets(facts):
        for name, ip in subnet.aux_addresses.items():
            if ip not in subnet.subnet:
                message = f"{name} = {ip} lies outside its subnet {subnet.subnet}"
                yield Problem(
                    (*path, "aux_addresses", name), message, f"write {_example(subnet.subnet)}"
                )


def _siblings(facts: RuleIndex, path: Path, network: NetworkConfig) -> SiblingTraffic | None:
    """How its links reach each other; None where that was cut out."""
    kind = KINDS[network.kind]
    if not facts.chosen(path, kind):
        return None
    return kind.sibling_traffic(network.options)


def _mode(network: NetworkConfig) -> str:
    return " ".join(str(network.options[key]) for key in ("mode", "flag") if key in network.options)


def hairpin(facts: RuleIndex) -> Iterator[Problem]:
    """What the switch sends back matters only where links reach each other by it."""
    for path, network in _networks(facts):
        if network.hairpin and _siblings(facts, path, network) in ("bridge", "none"):
            message = f"hairpin has no meaning for {network.kind} {_mode(network)}"
            hint = "leave it out: it says what the switch does with frames of vepa links"
            yield Problem((*path, "hairpin"), message, hint, at_key=True)


def shim_refused(facts: RuleIndex) -> Iterator[Problem]:
    """The host's own endpoint is a sibling: no use where siblings never reach each other."""
    for path, network in _networks(facts):
        if network.shim is not False and _siblings(facts, path, network) == "none":
            message = f"a shim reaches nobody in {network.kind} {_mode(network)}"
            hint = "leave shim out, or choose a mode whose links reach each other"
            yield Problem((*path, "shim"), message, hint, at_key=True)


def shim_hairpin(facts: RuleIndex) -> Iterator[Problem]:
    """By way of the switch it reaches them only if that sends back."""
    for path, network in _networks(facts):
        by_switch = _siblings(facts, path, network) == "hairpin"
        if network.shim is not False and by_switch and not network.hairpin:
            message = "the shim reaches nobody unless the switch sends frames back (hairpin)"
            hint = "if the switch port has hairpin on, write hairpin = true"
            yield Problem((*path, "shim"), message, hint, at_key=True)


def shim_prefix(facts: RuleIndex) -> Iterator[Problem]:
    """The host's routes to the subnet stay as they are."""
    for place in facts.shims:
        for one in facts.given_to(place):
            if one.prefix is not None and one.prefix.prefixlen < one.prefix.max_prefixlen:
                message = f"a shim brings no route to {one.prefix}: its address stands alone"
                yield Problem(one.path, message, f'write "{one.ip}"')


def internal_parent(facts: RuleIndex) -> Iterator[Problem]:
    """An internal network has a parent of its own making."""
    for path, network in _networks(facts):
        if network.internal and network.parent is not None:
            yield Problem(
                (*path, "parent"),
                f"an internal network leaves the host nowhere, and can't have {network.parent} "
                "for a parent",
                "leave out parent, or internal",
                at_key=True,
            )


def gateway_unused(facts: RuleIndex) -> Iterator[Problem]:
    """A gateway is kept free and not used where there is no way to one."""
    for path, network in _networks(facts):
        if facts.touched(*path, "parent") or not facts.chosen(path, KINDS[network.kind]):
            continue
        why = _unused(network)
        for at, subnet in enumerate(network.subnets or ()):
            if why and subnet.gateway is not None:
                message = f"gateway {subnet.gateway} is kept free and not used: {why}"
                yield Problem((*path, "subnets", at, "gateway"), message)


def _unused(network: NetworkConfig) -> str | None:
    if KINDS[network.kind].layer3(network.options):
        return f"{network.kind} {network.options.get('mode')} has routes by device, without gateway"
    if network.internal:
        return "the network is internal"
    return "the network has no parent" if network.parent is None else None


def probe_nobody(facts: RuleIndex) -> Iterator[Problem]:
    """There is nobody to ask where there is no LAN."""
    for path, network in _networks(facts):
        apart = network.internal or (network.parent is None and not facts.touched(*path, "parent"))
        kind = KINDS[network.kind]
        if not facts.wrote(*path, "probe") or network.probe is False:
            continue
        if apart:
            message = "probe has no effect: there is no LAN to ask on an internal network"
            yield Problem((*path, "probe"), message, "leave probe out", at_key=True)
        elif kind.layer3(network.options):
            mode = f"{network.kind} {network.options.get('mode')}"
            message = f"probe has no effect: {mode} has no neighbours to ask"
            yield Problem((*path, "probe"), message, "leave probe out", at_key=True)
