"""A network's subnets, and the keys that depend on its kind and mode."""

from collections.abc import Iterator
from ipaddress import IPv6Address
from itertools import islice

from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS
from vlanlink.kinds.kind import SiblingTraffic
from vlanlink.topology.model import InterfaceConfig, NetworkConfig
from vlanlink.topology.parts import SubnetConfig
from vlanlink.topology.rules.index import RuleIndex, edge_name, is_edge
from vlanlink.topology.values import Ip, Prefix


def _networks(index: RuleIndex) -> Iterator[tuple[Path, NetworkConfig]]:
    for name, network in index.topology.networks.items():
        yield ("networks", name), network


def _subnets(index: RuleIndex) -> Iterator[tuple[Path, SubnetConfig]]:
    for path, network in _networks(index):
        for at, subnet in enumerate(network.subnets or ()):
            yield (*path, "subnets", at), subnet


def subnet_multicast(index: RuleIndex) -> Iterator[Problem]:
    """Subnets hold unicast addresses."""
    for path, subnet in _subnets(index):
        if subnet.subnet.is_multicast:
            message = f"{subnet.subnet} is a multicast range"
            yield Problem((*path, "subnet"), message, "write a subnet of unicast addresses")


def subnet_overlap(index: RuleIndex) -> Iterator[Problem]:
    """The subnets of a network don't overlap."""
    for path, network in _networks(index):
        subnets = network.subnets or ()
        for at, one in enumerate(subnets):
            for before, other in enumerate(subnets[:at]):
                if one.subnet.overlaps(other.subnet):
                    yield Problem(
                        (*path, "subnets", at, "subnet"),
                        f"{one.subnet} overlaps {other.subnet} of the same network",
                        "write subnets that do not overlap",
                        related=(*path, "subnets", before, "subnet"),
                    )


def gateway_outside(index: RuleIndex) -> Iterator[Problem]:
    """A gateway is in its subnet, an IPv6 link-local address, or declared on-link."""
    for path, subnet in _subnets(index):
        ip = subnet.gateway
        if ip is None or ip in subnet.subnet or _is_link_local(ip, subnet.subnet):
            continue
        if subnet.onlink and ip.version == subnet.subnet.version:
            continue
        message = f"gateway {ip} is outside its subnet {subnet.subnet}"
        hint = f"write {_example(index, path, subnet)}"
        if ip.version == subnet.subnet.version:
            hint += ", or add onlink = true if the gateway answers on this link"
        yield Problem((*path, "gateway"), message, hint)


def _is_link_local(ip: Ip, subnet: Prefix) -> bool:
    return isinstance(ip, IPv6Address) and ip.is_link_local and subnet.version == 6


def _example(index: RuleIndex, path: Path, subnet: SubnetConfig) -> str:
    """An address that nothing in the file has."""
    used = {subnet.gateway, *subnet.aux_addresses.values(), *index.given_in(str(path[1]))}
    first: Iterator[Ip] = islice(subnet.subnet, 1, 1000)
    free = (ip for ip in first if ip not in used and not is_edge(ip, subnet.subnet))
    example = next(free, None)
    such = f', such as "{example}"' if example else ""
    return f"an address of {subnet.subnet}{such}"


def onlink_without_gateway(index: RuleIndex) -> Iterator[Problem]:
    """``onlink`` describes the gateway."""
    for path, subnet in _subnets(index):
        if subnet.onlink and subnet.gateway is None and not index.touched(*path, "gateway"):
            message = f"onlink = true, but {subnet.subnet} has no gateway"
            hint = "add gateway = …, or remove onlink"
            yield Problem((*path, "onlink"), message, hint, at_key=True)


def gateway_edge(index: RuleIndex) -> Iterator[Problem]:
    """A gateway is not the first or, in IPv4, the last address of its subnet."""
    for path, subnet in _subnets(index):
        ip = subnet.gateway
        if ip is not None and is_edge(ip, subnet.subnet):
            message = f"gateway {ip} is the {edge_name(ip, subnet.subnet)} address of its subnet"
            yield Problem((*path, "gateway"), message, f"write {_example(index, path, subnet)}")


def gateway_is_aux(index: RuleIndex) -> Iterator[Problem]:
    """Aux addresses don't include the gateway."""
    for path, subnet in _subnets(index):
        for name, ip in subnet.aux_addresses.items():
            if ip == subnet.gateway:
                yield Problem(
                    (*path, "aux_addresses", name),
                    f"{ip} is already the gateway of {subnet.subnet}",
                    "remove it: a gateway is never handed out",
                    related=(*path, "gateway"),
                )


def range_outside(index: RuleIndex) -> Iterator[Problem]:
    """``ip_range`` is a part of its subnet."""
    for path, subnet in _subnets(index):
        part = subnet.ip_range
        if part is not None and not _inside(part, subnet.subnet):
            message = f"ip_range {part} is not part of its subnet {subnet.subnet}"
            half = list(subnet.subnet.subnets())[-1]
            hint = f'write a prefix within {subnet.subnet}, such as "{half}"'
            yield Problem((*path, "ip_range"), message, hint)


def _inside(part: Prefix, whole: Prefix) -> bool:
    return part.network_address in whole and part.prefixlen >= whole.prefixlen


def aux_outside(index: RuleIndex) -> Iterator[Problem]:
    """Aux addresses are in their subnet: no other needs reserving."""
    for path, subnet in _subnets(index):
        for name, ip in subnet.aux_addresses.items():
            if ip not in subnet.subnet:
                message = f"{name} = {ip} is outside its subnet {subnet.subnet}"
                hint = f"write {_example(index, path, subnet)}"
                yield Problem((*path, "aux_addresses", name), message, hint)


def _siblings(index: RuleIndex, path: Path, network: NetworkConfig) -> SiblingTraffic | None:
    """How its links reach each other; None if that could not be read."""
    kind = KINDS[network.kind]
    if not index.chosen(path, kind):
        return None
    return kind.sibling_traffic(network.options)


def _mode(network: NetworkConfig) -> str:
    return " ".join(str(network.options[key]) for key in ("mode", "flag") if key in network.options)


def hairpin(index: RuleIndex) -> Iterator[Problem]:
    """``hairpin`` describes the switch, which only matters for vepa."""
    for path, network in _networks(index):
        if network.hairpin and _siblings(index, path, network) in ("bridge", "none"):
            message = f"hairpin does not apply to {network.kind} {_mode(network)}"
            hint = "remove it: it tells what the switch does with frames of vepa links"
            yield Problem((*path, "hairpin"), message, hint, at_key=True)


def shim_refused(index: RuleIndex) -> Iterator[Problem]:
    """A shim is a sibling of the endpoints, so siblings must reach each other."""
    for path, network in _networks(index):
        if network.shim is not False and _siblings(index, path, network) == "none":
            message = f"a shim reaches no endpoint in {network.kind} {_mode(network)}"
            hint = "remove shim, or choose a mode whose links reach each other"
            yield Problem((*path, "shim"), message, hint, at_key=True)


def shim_hairpin(index: RuleIndex) -> Iterator[Problem]:
    """In vepa mode a shim needs a switch that sends frames back."""
    for path, network in _networks(index):
        by_switch = _siblings(index, path, network) == "hairpin"
        if network.shim is not False and by_switch and not network.hairpin:
            message = "the shim reaches no endpoint unless the switch sends frames back (hairpin)"
            hint = "if hairpin is on at the switch port, write hairpin = true"
            yield Problem((*path, "shim"), message, hint, at_key=True)


def shim_prefix(index: RuleIndex) -> Iterator[Problem]:
    """A shim's address adds no route to the subnet."""
    for place in index.shims:
        for one in index.given_to(place):
            if one.prefix is not None and one.prefix.prefixlen < one.prefix.max_prefixlen:
                message = f"a shim's address is a single one, without a route to {one.prefix}"
                yield Problem(one.path, message, f'write "{one.ip}"')


def internal_parent(index: RuleIndex) -> Iterator[Problem]:
    """An internal network gets a dummy parent."""
    for path, network in _networks(index):
        if network.internal and network.parent is not None:
            yield Problem(
                (*path, "parent"),
                f"an internal network never leaves the host, so it can't have parent "
                f"{network.parent}",
                "remove parent or internal",
                at_key=True,
            )


def gateway_unused(index: RuleIndex) -> Iterator[Problem]:
    """A gateway is reserved but not used where there is no way to it."""
    for path, network in _networks(index):
        if index.touched(*path, "parent") or not index.chosen(path, KINDS[network.kind]):
            continue
        why = _unused(network)
        for at, subnet in enumerate(network.subnets or ()):
            if why and subnet.gateway is not None:
                message = f"gateway {subnet.gateway} is reserved but not used: {why}"
                yield Problem((*path, "subnets", at, "gateway"), message)


def _unused(network: NetworkConfig) -> str | None:
    if KINDS[network.kind].layer3(network.options):
        return f"{network.kind} {network.options.get('mode')} routes by device, without a gateway"
    if network.internal:
        return "the network is internal"
    return "the network has no parent" if network.parent is None else None


def no_endpoints(index: RuleIndex) -> Iterator[Problem]:
    """A network is made for its endpoints."""
    used = {place.network for place in index.places} | {None}
    cut = any(path[:1] == ("namespaces",) for path in index.draft.gone)
    for path, network in _networks(index):
        if path[1] not in used and network.shim is False and not cut:
            message = f"network {path[1]} has no endpoints, so nothing is created for it"
            yield Problem(
                path, message, f'add an interface with network = "{path[1]}"', at_key=True
            )


def no_addresses(index: RuleIndex) -> Iterator[Problem]:
    """An endpoint without addresses and subnets gets none."""
    for place in index.places:
        network = index.network_of(place)
        if network is None or network.parent is None or network.subnets is not None:
            continue
        entry = place.entry
        slaac = isinstance(entry, InterfaceConfig) and entry.ipv6 == "slaac"
        cut = index.touched(*place.path) or index.touched("networks", str(place.network), "subnets")
        if entry.addresses is None and not slaac and not cut and not index.by_dhcp(place):
            message = f"{place.label} gets no address: network {place.network} has no subnets"
            hint = "add subnets to the network, or addresses here; addresses = [] if none is meant"
            yield Problem(place.path, message, hint, at_key=True)


def probe_nobody(index: RuleIndex) -> Iterator[Problem]:
    """A probe needs a LAN."""
    for path, network in _networks(index):
        apart = network.internal or (network.parent is None and not index.touched(*path, "parent"))
        kind = KINDS[network.kind]
        if not index.wrote(*path, "probe") or network.probe is False:
            continue
        if apart:
            message = "probe has no effect: an internal network has no LAN to ask"
            yield Problem((*path, "probe"), message, "remove probe", at_key=True)
        elif kind.layer3(network.options):
            mode = f"{network.kind} {network.options.get('mode')}"
            message = f"probe has no effect: {mode} has no neighbours to ask"
            yield Problem((*path, "probe"), message, "remove probe", at_key=True)


def wait_without_parent(index: RuleIndex) -> Iterator[Problem]:
    """Only a parent of the host's gets an address later."""
    for path, network in _networks(index):
        if network.wait and network.parent is None and not index.touched(*path, "parent"):
            message = f"network {path[1]} has no parent whose address it could wait for"
            yield Problem((*path, "wait"), message, "remove wait, or add parent = …", at_key=True)
