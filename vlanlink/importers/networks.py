"""The networks of a bundle as tables of a topology. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vlanlink.importers.addresses import Prefix, address, first_address, prefix
from vlanlink.importers.bundle import KINDS, Bundle, Network, Pool
from vlanlink.importers.draft import Draft, Names, carried, resolved
from vlanlink.importers.node import Node
from vlanlink.importers.notes import Notes

_MODES: Final = ("macvlan_mode", "ipvlan_mode", "mode")
_FLAGS: Final = ("ipvlan_flag",)
_MTUS: Final = ("com.docker.network.driver.mtu", "mtu")
_KNOWN: Final = {"parent", *_MODES, *_FLAGS, *_MTUS}
_OURS: Final = ("dm-", "di-")
"""Parents that Docker makes for networks without one."""


def draft_networks(
    draft: Draft, bundle: Bundle, names: Names, parents: Mapping[str, str], notes: Notes
) -> None:
    """Write every network that can be carried; tell of the others."""
    for name, network in carried(bundle):
        _Table(draft, names.networks[name], network, notes).write(parents)
    known = {one for key, network in carried(bundle) for one in (key, network.real_name)}
    for network in bundle.networks.values():
        if not (network.external and network.real_name in known):
            _tell(network, notes)


def _tell(network: Network, notes: Notes) -> None:
    name = network.name
    if network.external:
        shown = network.real_name or name
        hint = f"give the output of `docker network inspect {shown}` as a second SOURCE"
        message = f"network {name} is external: the source does not say what it is"
        notes.decide(network.place, message, hint)
    elif network.driver not in KINDS and not network.config_only and name != "default":
        message = f"network {name} is not carried over: its driver is {network.driver}"
        hint = 'for traffic between endpoints only, write kind = "macvlan" and internal = true'
        notes.warn(network.place, message, hint if network.driver == "bridge" else None)


def is_isolated(network: Network) -> bool:
    """Docker gives its containers no default route."""
    return network.internal or parent_of(network) is None


def parent_of(network: Network) -> Node | None:
    """The parent asked for; None for one that Docker made itself."""
    parent = network.options.get("parent")
    text = (parent.text or "") if parent else ""
    return None if not text or text.startswith(_OURS) else parent


def is_layer3(network: Network) -> bool:
    """Gateways are not used."""
    modes = [network.options[key].text for key in _MODES if key in network.options]
    return network.driver == "ipvlan" and any(mode in ("l3", "l3s") for mode in modes)


class _Table:
    """One network."""

    def __init__(self, draft: Draft, name: str, network: Network, notes: Notes) -> None:
        self.draft, self.network, self.notes = draft, network, notes
        self.name, self.path = name, ("networks", name)

    def write(self, parents: Mapping[str, str]) -> None:
        network = self.network
        self.draft.put((*self.path, "kind"), network.driver, network.place)
        self.draft.origins[self.path] = network.place
        self.draft.comment(self.path, network.place.label)
        self.option("mode", _MODES)
        self.option("flag", _FLAGS)
        self.parent(parents)
        self.mtu()
        self.subnets()
        for key, node in network.options.items():
            if key not in _KNOWN:
                self.notes.unused(
                    node, f"option {key} of network {self.name}", "it has no such key"
                )

    def option(self, key: str, names: tuple[str, ...]) -> None:
        node = next((self.network.options[n] for n in names if n in self.network.options), None)
        text = resolved(node, key, self.notes)
        if node and text:
            self.draft.put((*self.path, key), text, node.place)

    def parent(self, parents: Mapping[str, str]) -> None:
        node = parent_of(self.network)
        text = resolved(node, "parent", self.notes)
        if node is not None and text:
            self.draft.put((*self.path, "parent"), renamed(text, parents), node.place)
            if self.network.internal:
                message = f"network {self.name} is internal and has a parent"
                hint = "its endpoints get no default route, but reach the parent's LAN"
                self.notes.warn(self.network.place, message, hint)
        elif self.network.internal:
            self.draft.put((*self.path, "internal"), True, self.network.place)

    def mtu(self) -> None:
        node = next((self.network.options[n] for n in _MTUS if n in self.network.options), None)
        text = resolved(node, "mtu", self.notes)
        if node and text:
            self.draft.put((*self.path, "mtu"), node.number(), node.place)

    def subnets(self) -> None:
        network = self.network
        if network.ipam_driver in ("null", "none", "dhcp"):
            self.unmanaged()
            return
        subnets = list(self.entries())
        if subnets:
            self.draft.put((*self.path, "subnets"), subnets, network.pools[0].place)
        elif parent_of(network) is not None:
            message = f"network {self.name} has no subnet"
            hint = "Docker would choose one that is not your LAN's: write subnets"
            self.notes.decide(network.place, message, hint)

    def unmanaged(self) -> None:
        if self.network.ipam_driver == "dhcp":
            self.draft.put((*self.path, "dhcp"), True, self.network.place)
            return
        message = f"the containers of network {self.name} find their addresses themselves"
        hint = "write addresses under each interface, or dhcp = true here"
        self.notes.decide(self.network.place, message, hint)
        self.draft.put((*self.path, "subnets"), [], self.network.place)

    def entries(self) -> Iterator[dict[str, Any]]:
        for pool in self.network.pools:
            whole = prefix(pool.subnet)
            if whole is None:
                if resolved(pool.subnet, "subnet", self.notes):
                    message = f"{pool.subnet.text} is not a valid subnet"
                    self.notes.decide(pool.subnet.place, message)
                continue
            if whole.version == 6 and not self.network.ipv6:
                message = f"Docker does not use {whole}: network {self.name} has no IPv6"
                hint = "with --ipv6, or enable_ipv6: true, it is carried over"
                self.notes.warn(pool.subnet.place, message, hint)
                continue
            yield self.entry(pool, whole)

    def entry(self, pool: Pool, whole: Prefix) -> dict[str, Any]:
        found: dict[str, Any] = {"subnet": str(whole)}
        range_text = resolved(pool.ip_range, "ip_range", self.notes)
        ip_range = prefix(pool.ip_range) if range_text else None
        gateway = resolved(pool.gateway, "gateway", self.notes)
        aux = self.aux(pool)
        if gateway:
            known = address(pool.gateway)
            found["gateway"] = str(known) if known else gateway
        elif self.network.implied_gateway:
            self.implied(pool, found, aux, first_address(whole, ip_range))
        if ip_range is not None:
            found["ip_range"] = str(ip_range)
        if aux:
            found["aux_addresses"] = aux
        return found

    def aux(self, pool: Pool) -> dict[str, str]:
        found = {}
        for name, node in pool.aux_addresses.items():
            text = resolved(node, f"aux address {name}", self.notes)
            if text:
                found[name] = text
        return found

    def implied(
        self, pool: Pool, found: dict[str, Any], aux: dict[str, str], first: object
    ) -> None:
        """Docker's choice, up to version 28: a router where it is used, else never handed out."""
        if first is None or str(first) in aux.values():
            return
        if is_isolated(self.network) or is_layer3(self.network):
            aux["docker-gateway"] = str(first)
            text = f"{first} is not handed out: Docker (up to 28) keeps it for a gateway"
        else:
            found["gateway"] = str(first)
            text = f"gateway {first} is Docker's choice (up to 28; 29 has no default route here)"
            message = f"network {self.name} names no gateway; Docker up to 28 takes {first}"
            self.notes.warn(pool.place, message, "correct it if the router is another one")
        self.draft.comment((*self.path, "subnets"), text)


def renamed(parent: str, parents: Mapping[str, str]) -> str:
    """A parent by its new name; VLANs keep their number."""
    for old, new in parents.items():
        if parent == old or parent.startswith(f"{old}."):
            return new + parent.removeprefix(old)
    return parent
