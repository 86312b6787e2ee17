"""The observed State: dumps of each namespace, assembled."""

import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.kernel import netlink, procfs
from vlanlink.kernel.netlink.bridges import DUMP_BRIDGES, open_vlans
from vlanlink.kernel.netlink.nl80211 import NETLINK_GENERIC, wifi_clients
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.netns.nsid import NamespaceIds
from vlanlink.kinds.common import TOKEN
from vlanlink.model import (
    HOST,
    LOOPBACK_KIND,
    NAMELESS,
    VLAN_AWARE,
    Address,
    Link,
    LinkName,
    Namespace,
    Route,
    State,
    Stray,
    self_vlan,
)
from vlanlink.store.evidence import Evidence

OwnerOf = Callable[[netlink.SeenLink, "Reading"], tuple[str | None, bool]]
"""The owner of a link in a namespace, and whether its mark says so completely."""
_PAIR = "veth"
_ALWAYS = 2
"""accept_ra where forwarding does not matter (ip-sysctl.rst)."""
_WITH_PORTS = frozenset({"bridge", "bond", "team", "openvswitch"})
"""Masters that take all frames of their ports by a receive handler; a VRF has none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a snapshot reads in addition to the host.

    ``paths``: namespaces outside the netns directory; ``sysctls``: keys by namespace;
    ``topologies``: candidates for marks without an alias.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    topologies: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    """Preferred names of namespaces that have several."""
    whole: frozenset[str] | None = None
    """The namespaces to read with all that is in them; None: every one that has a name."""
    links: frozenset[str] | None = frozenset()
    """Other namespaces of which only links are read, with the addresses of those whose parent is
    elsewhere; None: all others. Strangers' namespaces may be many, and large."""
    strangers: bool = False
    """Also namespaces without a name that have links on others' links."""
    evidence: Evidence = field(default_factory=Evidence)
    """What the records say of namespaces."""
    only: bool = False
    """Look at the host's namespace and ``paths``, at nothing else."""

    def reads(self, names: Collection[str]) -> bool | None:
        """Whether a namespace of these names is read whole; None: not at all."""
        if self.whole is None or not self.whole.isdisjoint(names):
            return True
        return False if self.links is None or not self.links.isdisjoint(names) else None


@dataclass(slots=True)
class Reading:
    """The dumps of a namespace; links still refer to each other by ifindex."""

    name: str
    path: str | None
    inode: int
    links: dict[int, netlink.SeenLink]
    addresses: dict[int, list[Address]]
    routes: frozenset[Route]
    sysctls: dict[str, str]
    wifi_clients: frozenset[int] = frozenset()
    """Ifindexes of Wi-Fi clients."""
    pids: tuple[int, ...] = ()
    """Its processes."""
    aliases: tuple[str, ...] = ()
    """Its other names."""
    identity: int = 0
    """Of a namespace other than the host's."""
    recorded: bool = False
    """A record says what in it is ours."""
    stranger: bool = False
    """It has no name of its own."""
    strays: tuple[Stray, ...] = ()
    """What of ours is in it nevertheless."""


def read_namespace(
    name: str,
    namespaces: Namespaces,
    keys: Collection[str],
    matters: Callable[[int, Iterable[netlink.SeenLink]], bool],
    *,
    protocols: bool,
) -> Reading:
    """Dump one namespace; if it does not matter only links, and few addresses. Raises OSError."""
    socket = namespaces.socket(name)
    identity = 0 if name == HOST else namespaces.identity(name)
    with netlink.readable():
        seen = map(netlink.decode_link, socket.dump(netlink.dump_links()))
        links = {link.index: link for link in seen}
        whole = matters(identity, links.values())
        asked = [None] if whole else [one.index for one in links.values() if one.nsid is not None]
        addresses = _addresses(socket, asked, protocols=protocols)
        routes = _routes(socket, links) if whole else frozenset()
        if any(link.vlan_aware for link in links.values()):
            _add_vlans(socket, links)
        if name != HOST and any(map(_hears_routers, links.values())):
            _add_tokens(socket, links)
    sysctls = read_sysctls(name, namespaces, keys)
    path = None if name == HOST else namespaces.path(name)
    inode = os.fstat(namespaces.descriptor(name)).st_ino
    wifi = _wifi_clients(namespaces) if name == HOST else frozenset()  # parents are on the host
    return Reading(name, path, inode, links, addresses, routes, sysctls, wifi, identity=identity)


def _addresses(
    socket: Socket, asked: Iterable[int | None], *, protocols: bool
) -> dict[int, list[Address]]:
    """The addresses of each link ``asked`` for; None stands for all links."""
    found: dict[int, list[Address]] = {}
    for one in asked:
        for message in _of_link(socket, one):
            index, address = netlink.decode_address(message, protocols=protocols)
            found.setdefault(index, []).append(address)
    return found


def _of_link(socket: Socket, index: int | None) -> Iterator[bytes]:
    try:
        yield from socket.dump(netlink.dump_addresses(index or 0))
    except OSError as error:
        if index is None or error.errno != errno.ENODEV:  # it has gone since
            raise


def _add_vlans(socket: Socket, links: Mapping[int, netlink.SeenLink]) -> None:
    """The VLANs that VLAN-aware bridges have open to the host."""
    for message in socket.dump(bytearray(DUMP_BRIDGES)):
        index, vlans = open_vlans(message)
        link = links.get(index)
        if link and link.vlan_aware:
            link.settings[VLAN_AWARE] = True
            link.settings.update({self_vlan(vlan): True for vlan in vlans})


def _hears_routers(link: netlink.SeenLink) -> bool:
    """Whether it accepts advertisements as an interface with ``ipv6 = "slaac"`` does."""
    return link.settings.get("accept_ra") == _ALWAYS


def _add_tokens(socket: Socket, links: Mapping[int, netlink.SeenLink]) -> None:
    for message in socket.dump(netlink.dump_tokens()):
        index, token = netlink.decode_token(message)
        if index in links and _hears_routers(links[index]):
            links[index].settings[TOKEN] = token


def read_sysctls(name: str, namespaces: Namespaces, keys: Collection[str]) -> dict[str, str]:
    """The readable ones of a namespace's sysctls. Raises OSError."""
    if not keys:
        return {}
    root = namespaces.sysctls(name)
    values = ((key, procfs.read(key, root)) for key in keys)
    return {key: value for key, value in values if value is not None}


def _wifi_clients(namespaces: Namespaces) -> frozenset[int]:
    namespaces.enter(HOST)
    with closing(Socket(NETLINK_GENERIC)) as generic:
        return wifi_clients(generic)


def _routes(socket: Socket, links: Mapping[int, netlink.SeenLink]) -> frozenset[Route]:
    names = {index: link.name for index, link in links.items()}
    found = []
    for family in (4, 6):
        for message in socket.dump(netlink.dump_routes(family)):
            route = netlink.decode_route(message, names)
            if route is not None:
                found.append(route)
    return frozenset(found)


def unicast_macs(socket: Socket, indexes: Iterable[int]) -> Iterator[str]:
    """The MACs in the lists of unicast addresses of links. Raises OSError."""
    with netlink.readable():
        for index in indexes:
            found = socket.dump(netlink.dump_forwarding(index))
            yield from filter(None, map(netlink.decode_unicast, found))


def assemble(
    readings: Iterable[Reading],
    owner_of: OwnerOf,
    ids: NamespaceIds,
    kept: Mapping[str, Namespace],
) -> State:
    """One State of all readings: ifindexes become names, marks become owners. Raises OSError.

    Those ``kept`` are taken as they are, but for their processes.
    """
    every = {reading.name: reading for reading in readings}
    find = _Finder(every, owner_of, ids)
    there = ((name, one) for name, one in kept.items() if name in every)
    same = {name: replace(one, pids=every[name].pids) for name, one in there}
    found = {n: same.get(n) or _namespace(each, owner_of, find) for n, each in every.items()}
    return State(found)


def _namespace(reading: Reading, owner_of: OwnerOf, find: "_Finder") -> Namespace:
    links = {seen.name: _link(seen, reading, owner_of, find) for seen in reading.links.values()}
    loopback = next((link for link in links.values() if link.kind == LOOPBACK_KIND), None)
    return Namespace(
        reading.name,
        path=reading.path,
        links=links,
        routes=reading.routes,
        sysctls=reading.sysctls,
        owner=loopback.owner if loopback and reading.name != HOST else None,
        pids=reading.pids,
        aliases=reading.aliases,
        identity=reading.identity,
        recorded=reading.recorded,
        stranger=reading.stranger,
    )


def _link(seen: netlink.SeenLink, reading: Reading, owner_of: OwnerOf, find: "_Finder") -> Link:
    owner, labelled = owner_of(seen, reading)
    master = reading.links.get(seen.master_index)
    return Link(
        name=seen.name,
        kind=seen.kind,
        namespace=reading.name,
        parent=find.parent(reading, seen) if seen.kind != _PAIR else None,
        peer=find.peer(reading, seen) if seen.kind == _PAIR else None,
        settings=seen.settings,
        addresses=tuple(reading.addresses.get(seen.index, ())),
        owner=owner,
        labelled=labelled,
        index=seen.index,
        parent_index=seen.parent_index,
        master=master.name if master and master.kind in _WITH_PORTS else None,
        carrier=seen.carrier,
        wifi_client=seen.index in reading.wifi_clients,
        nic_mac=seen.nic_mac,
    )


class _Finder:
    """Parents and peers by ifindex, in the right namespace."""

    def __init__(
        self, readings: Mapping[str, Reading], owner_of: OwnerOf, ids: NamespaceIds
    ) -> None:
        self._readings = readings
        self._owner_of = owner_of
        self._ids = ids
        self._ends: dict[tuple[int, int], list[str]] = {}
        """Namespaces with an end of a pair to another namespace, by (ifindex, the peer's)."""
        for name, reading in readings.items():
            for link in reading.links.values():
                if link.kind == _PAIR and link.nsid is not None:
                    self._ends.setdefault((link.index, link.parent_index), []).append(name)

    def peer(self, reading: Reading, seen: netlink.SeenLink) -> LinkName | None:
        """The other end of a pair."""
        if seen.nsid is None:
            other = reading.links.get(seen.parent_index)
            return LinkName(reading.name, other.name) if other else None
        candidates = self._ends.get((seen.parent_index, seen.index), ())
        return self._elsewhere(reading, seen, (one for one in candidates if one != reading.name))

    def parent(self, reading: Reading, seen: netlink.SeenLink) -> LinkName | None:
        """The link below."""
        if not seen.parent_index or (seen.nsid is None and seen.parent_index == seen.index):
            return None
        if seen.nsid is None:
            below = reading.links.get(seen.parent_index)
            return LinkName(reading.name, below.name) if below else None
        owner, _ = self._owner_of(seen, reading)
        if owner and not owner.startswith(NAMELESS):  # parents of ours are on the host
            below = self._readings[HOST].links.get(seen.parent_index)
            return LinkName(HOST, below.name) if below else None
        others = (name for name in self._readings if name != reading.name)
        return self._elsewhere(reading, seen, others)

    def _elsewhere(
        self, reading: Reading, seen: netlink.SeenLink, candidates: Iterable[str]
    ) -> LinkName | None:
        having = (one for one in candidates if seen.parent_index in self._readings[one].links)
        where = self._ids.find(reading.name, seen.nsid or 0, having)
        if where is None:
            return None
        return LinkName(where, self._readings[where].links[seen.parent_index].name)
