"""Which interfaces get their address by DHCP, and how they ask. Pure."""

from typing import Any, Final

from vlanlink.topology.model import EndpointConfig, InterfaceConfig, NetworkConfig
from vlanlink.topology.parts import DhcpConfig, InterfaceDhcpConfig
from vlanlink.topology.values import AUTO, DHCP

_INHERITED: Final = ("timeout", "use_routes", "use_dns", "metric", "vendor_class")


def address_entries(entry: EndpointConfig, network: NetworkConfig | None) -> tuple[str, ...]:
    """The entries of ``addresses``, those that are meant where it is left out."""
    if entry.addresses is not None:
        return entry.addresses
    own = entry.dhcp if isinstance(entry, InterfaceConfig) else False
    if own is None:
        own = network is not None and network.dhcp is not False
    if own is not False:
        return (DHCP,)
    return (AUTO,) if network else ()


def asks_dhcp(entry: EndpointConfig, network: NetworkConfig | None) -> bool:
    """Whether it is to have an address by DHCP."""
    return DHCP in address_entries(entry, network)


def dhcp_config(entry: InterfaceConfig, network: NetworkConfig | None) -> InterfaceDhcpConfig:
    """How an interface asks; what its own table leaves out is as the network says."""
    own = entry.dhcp if isinstance(entry.dhcp, InterfaceDhcpConfig) else InterfaceDhcpConfig()
    shared = network.dhcp if network and isinstance(network.dhcp, DhcpConfig) else DhcpConfig()
    values: dict[str, Any] = {
        key: _either(getattr(own, key), getattr(shared, key)) for key in _INHERITED
    }
    return InterfaceDhcpConfig(**values, hostname=own.hostname, client_id=own.client_id)


def _either(own: Any, shared: Any) -> Any:
    return shared if own is None else own
