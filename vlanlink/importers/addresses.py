"""Docker's rules about subnets and gateways. Pure."""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)

from vlanlink.importers.node import Node

Prefix = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def prefix(node: Node | None) -> Prefix | None:
    """The prefix that a node holds, host bits cut off; None if it holds none."""
    text = (node.text or "").strip() if node else ""
    try:
        return ip_network(text, strict=False) if "/" in text and "%" not in text else None
    except ValueError:
        return None


def address(node: Node | None) -> Address | None:
    """The address that a node holds, without its prefix length; None if it holds none."""
    text = (node.text or "").strip() if node else ""
    try:
        return None if "%" in text else ip_interface(text).ip
    except ValueError:
        return None


def holds(subnet: Node, node: Node) -> bool:
    """Whether an address, or a prefix, lies in a subnet."""
    whole, inside = prefix(subnet), address(node)
    return whole is not None and inside is not None and inside in whole


def first_address(subnet: Prefix, ip_range: Prefix | None) -> Address | None:
    """The gateway that Docker takes where none is given: the first address of the range."""
    found = ip_range if ip_range is not None else subnet
    if subnet.num_addresses <= 2:
        return None
    first = int(found.network_address)
    first += found.network_address == subnet.network_address
    chosen = ip_address(first) if subnet.version == 4 else IPv6Address(first)
    return chosen if chosen in subnet else None
