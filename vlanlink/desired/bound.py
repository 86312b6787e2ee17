"""Parents by altname or by MAC: which links these are now. Pure.

All that follows knows links by their names. A VLAN keeps its own name when the NIC below it is
renamed, so what such a name stands for is kept beside the topology (``Topology.vlans``).
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar
from zlib import crc32

from vlanlink.dataclass import replace
from vlanlink.errors import Path
from vlanlink.kinds.vlan import VLAN, implied_vlan
from vlanlink.model import HOST, Link, State
from vlanlink.topology import LinkConfig, NamespaceConfig, NetworkConfig, Topology
from vlanlink.topology.mac_parents import is_by_mac

_LONGEST_NAME = 15
_Entry = TypeVar("_Entry", bound=NetworkConfig | LinkConfig)


def bound(topology: Topology, observed: State) -> Topology:
    """``topology`` with every parent by the name that its link has now.

    A parent that is not there, or that several links may be, stays as written.
    """
    links = observed.host.links
    named = {parent for _, parent in parents(topology)}
    if topology.written is not None or all(_is_plain(name, topology, links) for name in named):
        return topology
    names = _Names(topology, links)
    return topology.edited(
        networks={key: names.entry(one) for key, one in topology.networks.items()},
        namespaces={key: names.namespace(one) for key, one in topology.namespaces.items()},
        links={key: names.entry(one) for key, one in topology.links.items()},
        written=topology,
        vlans=names.vlans,
    )


def nics_with(mac: str, observed: State) -> list[Link]:
    """The host's NICs that have a MAC."""
    return [link for link in observed.host.links.values() if link.nic_mac == mac]


def altnames(link: Link) -> tuple[str, ...]:
    """The altnames of an observed link."""
    found = link.settings.get("altnames")
    return tuple(map(str, found)) if isinstance(found, tuple) else ()


def parents(topology: Topology) -> Iterator[tuple[Path, str]]:
    """All parents of a topology, each with its path in the file."""
    for path, entry in _entries(topology):
        if entry.parent is not None:
            yield (*path, "parent"), entry.parent


def _entries(topology: Topology) -> Iterator[tuple[Path, NetworkConfig | LinkConfig]]:
    yield from ((("networks", name), one) for name, one in topology.networks.items())
    for space, namespace in topology.namespaces.items():
        for name, interface in namespace.interfaces.items():
            yield ("namespaces", space, "interfaces", name), interface
    yield from ((("links", name), one) for name, one in topology.links.items())


def _is_plain(name: str, topology: Topology, links: Mapping[str, Link]) -> bool:
    """Whether a parent is called as written, down to the NIC."""
    while name not in topology.links and (implied := implied_vlan(name)):
        name = implied[0]
    return name in topology.links or name in links


class _Names:
    """What the parents of a topology are called now."""

    def __init__(self, topology: Topology, links: Mapping[str, Link]) -> None:
        self.vlans: dict[str, tuple[str, int]] = {}
        self._topology, self._links = topology, links
        self._altnames = {name: link.name for link in links.values() for name in altnames(link)}

    def entry(self, entry: _Entry) -> _Entry:
        """The entry, on the same parent."""
        name = self._name(entry.parent) if entry.parent is not None else None
        return entry if name == entry.parent else replace(entry, parent=name)

    def namespace(self, namespace: NamespaceConfig) -> NamespaceConfig:
        """The namespace, its interfaces on the same parents."""
        found = {name: self.entry(one) for name, one in namespace.interfaces.items()}
        same = all(found[name] is one for name, one in namespace.interfaces.items())
        return namespace if same else replace(namespace, interfaces=found)

    def _name(self, parent: str) -> str:
        if parent in self._topology.links:
            return parent
        if parent not in self._links and parent in self._altnames:
            return self._altnames[parent]
        implied = implied_vlan(parent)
        if implied:
            return self._vlan(parent, *implied)
        nics = [link.name for link in self._links.values() if link.nic_mac == parent]
        return nics[0] if len(nics) == 1 else parent

    def _vlan(self, parent: str, base: str, vlan: int) -> str:
        below = self._name(base)
        if below == base:
            return parent
        name = self._name_of(below, vlan) if is_by_mac(parent) else parent
        self.vlans[name] = below, vlan
        return name

    def _name_of(self, below: str, vlan: int) -> str:
        """The name of a VLAN that the file does not name: it may be there under any."""
        known = {what: name for name, what in self.vlans.items()}
        known |= {what: link.name for link in self._links.values() if (what := _is_vlan(link))}
        known |= {what: name for name, what in self._defined()}
        return known.get((below, vlan)) or _short_name(below, vlan)

    def _defined(self) -> Iterator[tuple[str, tuple[str, int]]]:
        """The VLANs of NICs that the file has as links, each with what it is on and its id."""
        for name, link in self._topology.links.items():
            below = link.parent
            if (
                link.kind != VLAN.name
                or below is None
                or (is_by_mac(below) and implied_vlan(below))
            ):
                continue
            number, protocol = (VLAN.get(link.options, key) for key in ("id", "protocol"))
            if isinstance(number, int) and protocol == "802.1q":
                yield name, (self._name(below), number)


def vlan_name(below: str, vlan: int, links: Mapping[str, Link]) -> str:
    """The name of a VLAN of one of the host's links: it may be there under any."""
    known = {what: link.name for link in links.values() if (what := _is_vlan(link))}
    return known.get((below, vlan)) or _short_name(below, vlan)


def _short_name(below: str, vlan: int) -> str:
    plain = f"{below}.{vlan}"
    return plain if len(plain.encode()) <= _LONGEST_NAME else f"vl-{crc32(plain.encode()):08x}"


def _is_vlan(link: Link) -> tuple[str, int] | None:
    """The name of the link below an 802.1Q VLAN of the host's, and its id."""
    number, below = link.settings.get("id"), link.parent
    tagged = link.kind == VLAN.name and link.settings.get("protocol") == "802.1q"
    if not tagged or below is None or below.namespace != HOST or not isinstance(number, int):
        return None
    return below.name, number
