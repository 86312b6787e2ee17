"""The rules about several values, in one table. Each is a function of the rule index."""

from collections.abc import Mapping
from typing import Final

from vlanlink.dataclass import replace
from vlanlink.topology.model import Topology
from vlanlink.topology.problems import InvalidEntry
from vlanlink.topology.rules import (
    addresses,
    dhcp,
    kinds,
    names,
    namespaces,
    networks,
    parents,
    routes,
)
from vlanlink.topology.rules.index import Rule, RuleIndex
from vlanlink.topology.salvage import Salvage

RULES: Final[Mapping[str, Rule]] = {
    "link_name": names.link_name,
    "link_name_reserved": names.link_name_reserved,
    "parent_name": names.parent_name,
    "parent_loopback": names.parent_loopback,
    "vlan_parent": names.vlan_parent,
    "vlan_other_link": names.vlan_other_link,
    "vlan_other_name": names.vlan_other_name,
    "altname": names.altname,
    "name_twice": names.name_twice,
    "namespace_name": names.namespace_name,
    "namespace_reserved": names.namespace_reserved,
    "network_name": names.network_name,
    "unknown_network": names.unknown_network,
    "unknown_namespace": names.unknown_namespace,
    "kind_missing": kinds.kind_missing,
    "network_and_kind": kinds.network_and_kind,
    "of_the_network": kinds.of_the_network,
    "parent_required": kinds.parent_required,
    "parent_refused": kinds.parent_refused,
    "peer_required": kinds.peer_required,
    "peer_refused": kinds.peer_refused,
    "kind_options": kinds.kind_options,
    "take_parent": kinds.take_parent,
    "mac_fixed": kinds.mac_fixed,
    "mac_twice": kinds.mac_twice,
    "parent_cycle": parents.parent_cycle,
    "kinds_on_parent": parents.kinds_on_parent,
    "shared_option": parents.shared_option,
    "alone_on_parent": parents.alone_on_parent,
    "alone_in_network": parents.alone_in_network,
    "link_twice": parents.link_twice,
    "mtu_above_parent": parents.mtu_above_parent,
    "mtu_ipv6": parents.mtu_ipv6,
    "subnet_multicast": networks.subnet_multicast,
    "subnet_overlap": networks.subnet_overlap,
    "gateway_outside": networks.gateway_outside,
    "onlink_without_gateway": networks.onlink_without_gateway,
    "gateway_edge": networks.gateway_edge,
    "gateway_is_aux": networks.gateway_is_aux,
    "range_outside": networks.range_outside,
    "aux_outside": networks.aux_outside,
    "hairpin": networks.hairpin,
    "shim_refused": networks.shim_refused,
    "shim_prefix": networks.shim_prefix,
    "shim_shared": names.shim_shared,
    "internal_parent": networks.internal_parent,
    "wait_without_parent": networks.wait_without_parent,
    "address_outside": addresses.address_outside,
    "prefix_missing": addresses.prefix_missing,
    "address_aux": addresses.address_aux,
    "address_edge": addresses.address_edge,
    "address_twice": addresses.address_twice,
    "choice_without_network": addresses.choice_without_network,
    "choice_without_subnet": addresses.choice_without_subnet,
    "auto_twice": addresses.auto_twice,
    "ipv6_off": addresses.ipv6_off,
    "token_without_slaac": addresses.token_without_slaac,
    "token_twice": addresses.token_twice,
    "dhcp_place": dhcp.dhcp_place,
    "dhcp_routed": dhcp.dhcp_routed,
    "dhcp_down": dhcp.dhcp_down,
    "dhcp_twice": dhcp.dhcp_twice,
    "dhcp_contradiction": dhcp.dhcp_contradiction,
    "route_family": routes.route_family,
    "route_without_ipv6": routes.route_without_ipv6,
    "route_via": routes.route_via,
    "route_via_self": routes.route_via_self,
    "route_src": routes.route_src,
    "route_down": routes.route_down,
    "route_twice": routes.route_twice,
    "default_route_impossible": routes.default_route_impossible,
    "default_route_twice": routes.default_route_twice,
    "pid_and_path": namespaces.pid_and_path,
    "namespace_path": namespaces.namespace_path,
    "namespace_twice": namespaces.namespace_twice,
    "files_of_process": namespaces.files_of_process,
    "unit_twice": namespaces.unit_twice,
    "host_name": namespaces.host_name,
    "search_without_dns": namespaces.search_without_dns,
    "sysctl_key": namespaces.sysctl_key,
    "sysctl_twice": namespaces.sysctl_twice,
}
"""Errors, on whatever machine."""

WARNINGS: Final[Mapping[str, Rule]] = {
    "no_endpoints": networks.no_endpoints,
    "no_addresses": networks.no_addresses,
    "prefix_wider": addresses.prefix_wider,
    "dns_many": namespaces.dns_many,
    "gateway_unused": networks.gateway_unused,
    "probe_nobody": networks.probe_nobody,
    "shim_hairpin": networks.shim_hairpin,
}
"""Allowed, but probably not meant."""


def judge(topology: Topology, draft: Salvage) -> list[InvalidEntry]:
    """All that the rules say about a topology, at its paths in the file."""
    index = RuleIndex(topology, draft)
    errors = _findings(RULES, index)
    return errors + [replace(one, warning=True) for one in _findings(WARNINGS, index)]


def _findings(table: Mapping[str, Rule], index: RuleIndex) -> list[InvalidEntry]:
    return [
        InvalidEntry(code, index.draft.placed(problem))
        for code, rule in table.items()
        for problem in rule(index)
    ]
