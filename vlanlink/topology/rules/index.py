"""A topology as the rules see it: all its links, and which of them share a parent."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from ipaddress import ip_address, ip_interface
from types import MappingProxyType
from typing import Final, NamedTuple

from vlanlink.dataclass import dataclass
from vlanlink.errors import Path, Problem
from vlanlink.host import HOST
from vlanlink.kinds import KINDS, Kind
from vlanlink.kinds.kind import Options, OptionValue
from vlanlink.kinds.vlan import spelled_vlan
from vlanlink.topology import values
from vlanlink.topology.dhcp import address_entries, asks_dhcp
from vlanlink.topology.model import (
    EndpointConfig,
    InterfaceConfig,
    LinkConfig,
    NetworkConfig,
    Topology,
)
from vlanlink.topology.parts import ShimConfig
from vlanlink.topology.salvage import Salvage
from vlanlink.topology.values import Ip, Prefix

_NO_OPTIONS: Final[Options] = MappingProxyType({})


class Place(NamedTuple):
    """A link of the topology, with what its network decides filled in."""

    path: Path
    namespace: str
    name: str
    entry: EndpointConfig
    kind: Kind | None = None
    options: Options = _NO_OPTIONS
    parent: str | None = None
    network: str | None = None

    @property
    def label(self) -> str:
        """``web/eth0``, or the bare name on the host."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Claim(NamedTuple):
    """A network or standalone link that puts links of a kind on a parent."""

    path: Path
    label: str
    kind: Kind
    options: Options
    parent: str

    def get(self, key: str) -> OptionValue | None:
        """The value of an option."""
        return self.kind.get(self.options, key)


class Given(NamedTuple):
    """An address that is listed for a link."""

    place: Place
    path: Path
    ip: Ip
    prefix: Prefix | None
    """The prefix that is written with it."""


@dataclass(frozen=True)
class RuleIndex:
    """A topology, what of its file could not be read, and what follows from both."""

    topology: Topology
    draft: Salvage

    def touched(self, *path: str | int) -> bool:
        """Whether something at, in or around the path was left out: then rules stay silent."""
        return self.draft.touched(self.draft.written(path))

    def chosen(self, path: Path, kind: Kind) -> bool:
        """Whether all options of the entry could be read."""
        return not any(self.touched(*path, option.key) for option in kind.options)

    def wrote(self, *path: str | int) -> bool:
        """Whether the file has the key, even with its default."""
        return self.draft.wrote(self.draft.written(path))

    def lost(self, *path: str | int) -> bool:
        """Whether the file has the entry, but it could not be read."""
        return self.draft.is_gone(path)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every link in the order of the file, the host's first."""
        return (*self._host_places(), *self._interfaces())

    def _host_places(self) -> Iterator[Place]:
        for name, link in self.topology.links.items():
            yield from _with_peer(("links", name), HOST, name, link)

    def _interfaces(self) -> Iterator[Place]:
        for space, namespace in self.topology.namespaces.items():
            for name, interface in namespace.interfaces.items():
                path = ("namespaces", space, "interfaces", name)
                if interface.network is None and not self.touched(*path, "network"):
                    yield from _with_peer(path, space, name, interface)
                else:
                    yield self._endpoint(path, space, name, interface)

    def _endpoint(self, path: Path, space: str, name: str, interface: InterfaceConfig) -> Place:
        network = self.topology.networks.get(interface.network or "")
        if network is None:
            return Place(path, space, name, interface, network=interface.network or "")
        kind, options = KINDS[network.kind], network.options
        return Place(path, space, name, interface, kind, options, network.parent, interface.network)

    @cached_property
    def by_namespace(self) -> Mapping[str, list[Place]]:
        """The links of each namespace."""
        found: dict[str, list[Place]] = {}
        for place in self.places:
            found.setdefault(place.namespace, []).append(place)
        return found

    def network_of(self, place: Place) -> NetworkConfig | None:
        """The network that a link is an endpoint of."""
        return self.topology.networks.get(place.network) if place.network is not None else None

    @cached_property
    def on_host(self) -> Mapping[str, Place]:
        """The links on the host, by name."""
        return {place.name: place for place in self.places if place.namespace == HOST}

    def has_link(self, name: str) -> bool:
        """Whether the file has a link of that name on the host, readable or not."""
        return name in self.on_host or self.lost("links", name)

    def implied(self, name: str) -> tuple[str, int] | None:
        """The parent and VLAN id of a link that the file doesn't define and its name spells."""
        return None if self.has_link(name) else spelled_vlan(name)

    def below(self, name: str) -> str | None:
        """The parent of a link on the host, if the file tells."""
        place = self.on_host.get(name)
        if place is not None:
            return place.parent
        implied = self.implied(name)
        return implied[0] if implied else None

    def parents(self) -> Iterator[tuple[Path, str]]:
        """Every parent in the file, with its path."""
        for name, network in self.topology.networks.items():
            if network.parent is not None:
                yield ("networks", name, "parent"), network.parent
        for place in self.places:
            if isinstance(place.entry, LinkConfig) and place.entry.parent is not None:
                yield (*place.path, "parent"), place.entry.parent

    def real(self, parent: str, kind: Kind) -> str:
        """The device that a link of the kind attaches to on ``parent``."""
        seen = {parent}
        while kind.attaches_to_real_dev and (place := self.on_host.get(parent)) is not None:
            if place.kind is not kind or place.parent is None or place.parent in seen:
                break
            parent = place.parent
            seen.add(parent)
        return parent

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """All claims on parents, in the order of the file."""
        return (*self._network_claims(), *self._link_claims())

    def _network_claims(self) -> Iterator[Claim]:
        for name, network in self.topology.networks.items():
            if network.parent is not None:
                kind = KINDS[network.kind]
                parent = self.real(network.parent, kind)
                label = f"network {name}"
                yield Claim(("networks", name), label, kind, network.options, parent)

    def _link_claims(self) -> Iterator[Claim]:
        for place in self.places:
            if place.network is None and place.kind is not None and place.parent is not None:
                parent = self.real(place.parent, place.kind)
                yield Claim(place.path, place.label, place.kind, place.options, parent)

    @cached_property
    def vlans(self) -> Mapping[tuple[str, int] | None, Claim]:
        """The links that ``NAME.N`` would create, by NAME and N: the file's own 802.1Q VLANs."""
        return {
            (claim.parent, number): claim
            for claim in reversed(self.claims)
            if claim.kind.name == "vlan" and claim.get("protocol") == "802.1q"
            for number in [claim.get("id")]
            if isinstance(number, int)
        }

    @cached_property
    def shims(self) -> tuple[Place, ...]:
        """The shims that the file describes."""
        return tuple(self._shims())

    def _shims(self) -> Iterator[Place]:
        for name, network in self.topology.networks.items():
            if isinstance(network.shim, ShimConfig):
                entry = EndpointConfig(addresses=network.shim.addresses)
                path = ("networks", name, "shim")
                kind, options = KINDS[network.kind], network.options
                label = network.shim.name or f"the shim of {name}"
                yield Place(path, HOST, label, entry, kind, options, network.parent, name)

    @cached_property
    def given(self) -> tuple[Given, ...]:
        """Every address that is listed for a link."""
        return tuple(one for place in (*self.places, *self.shims) for one in self.given_to(place))

    def given_in(self, network: str) -> Iterator[Ip]:
        """The addresses that are listed for the endpoints of a network."""
        return (one.ip for one in self.given if one.place.network == network)

    def given_to(self, place: Place) -> Iterator[Given]:
        """The addresses that are listed for one link, without words and subnets."""
        network = self.network_of(place)
        for at, word in enumerate(place.entry.addresses or ()):
            if word in values.WORDS or is_subnet_of(word, network):
                continue
            path = (*place.path, "addresses", at)
            ip, slash, _ = word.partition("/")
            prefix = ip_interface(word).network if slash else None
            yield Given(place, path, ip_address(ip), prefix)

    def may_have(self, place: Place, version: int) -> bool:
        """Whether a link has an address of a family, or may get one."""
        if self.touched(*place.path, "addresses"):
            return True
        entry, network = place.entry, self.network_of(place)
        if version == 6 and isinstance(entry, InterfaceConfig) and entry.ipv6 == "slaac":
            return True
        if any(one.ip.version == version for one in self.given_to(place)):
            return True
        if version == 4 and self.by_dhcp(place):
            return True
        if place.network is None or entry.addresses == ():
            return False
        if network is None or not self.whole_subnets(place.network):
            return True
        words = address_entries(entry, network)
        prefixes = [subnet.subnet for subnet in network.subnets or ()]
        chosen = [prefix for prefix in prefixes if values.AUTO in words or str(prefix) in words]
        if network.subnets is None and network.parent is None and version == 4:
            return values.AUTO in words
        return any(prefix.version == version for prefix in chosen)

    def by_dhcp(self, place: Place) -> bool:
        """Whether a link is to have an address by DHCP."""
        return asks_dhcp(place.entry, self.network_of(place))

    def whole_subnets(self, network: str | None) -> bool:
        """Whether all subnets of a network could be read."""
        if network is None:
            return False
        if network not in self._whole:
            self._whole[network] = self._is_whole(network)
        return self._whole[network]

    @cached_property
    def _whole(self) -> dict[str, bool]:
        return {}

    def _is_whole(self, network: str) -> bool:
        start: Path = ("networks", network, "subnets")
        cuts = [cut[len(start) :] for cut in self.draft.gone if cut[: len(start)] == start]
        outer = any(self.lost(*start[:length]) for length in (2, 3))
        return not outer and all(len(cut) > 1 and cut[1] != "subnet" for cut in cuts)


def _with_peer(path: Path, space: str, name: str, link: LinkConfig) -> Iterator[Place]:
    kind = KINDS.get(link.kind or "")
    yield Place(path, space, name, link, kind, link.options, link.parent)
    if link.peer is not None:
        peer = link.peer
        yield Place((*path, "peer"), peer.namespace or HOST, peer.name, peer, kind)


def is_subnet_of(word: str, network: NetworkConfig | None) -> bool:
    """Whether an entry of ``addresses`` is a subnet of the network, as written there."""
    if network is None or "/" not in word:
        return False
    return any(str(one.subnet) == word for one in network.subnets or ())


def is_edge(ip: Ip, prefix: Prefix) -> bool:
    """Whether it is the network, broadcast or (IPv6) subnet-router anycast address."""
    if prefix.prefixlen >= prefix.max_prefixlen - 1 or ip not in prefix:
        return False
    return ip == prefix.network_address or (prefix.version == 4 and ip == prefix.broadcast_address)


def edge_name(ip: Ip, prefix: Prefix) -> str:
    """What an address at the edge of a prefix is."""
    if prefix.version == 6:
        return "subnet-router anycast"
    return "network" if ip == prefix.network_address else "broadcast"


def between(prefix: Prefix) -> str:
    """The addresses of a prefix that links can have."""
    last = prefix.broadcast_address - (1 if prefix.version == 4 else 0)
    return f"from {prefix.network_address + 1} to {last}"


def holding(ip: Ip, network: NetworkConfig) -> Prefix | None:
    """The subnet of the network that contains an address."""
    return next((one.subnet for one in network.subnets or () if ip in one.subnet), None)


Rule = Callable[[RuleIndex], Iterator[Problem]]
