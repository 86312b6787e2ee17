"""What is there now: dumps of each namespace, put together into one observed State."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from vlanlink.kernel import netlink, procfs
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netlink.nl80211 import NETLINK_GENERIC, stations
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.model import (
    HOST,
    LOOPBACK,
    Address,
    Link,
    LinkName,
    Namespace,
    Route,
    State,
)

_OwnerOf = Callable[[netlink.SeenLink], tuple[str | None, bool]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a snapshot is to hold beyond the host and every named namespace.

    ``paths`` are namespaces that are not in the netns directory; ``sysctls`` the keys to read,
    by namespace; ``topologies`` the names that a mark without its alias may stand for.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    topologies: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    """The names that a namespace is called by if it has several."""


@dataclass(slots=True)
class Reading:
    """A namespace as dumped, its links still referring to each other by number."""

    name: str
    path: str | None
    inode: int
    links: dict[int, netlink.SeenLink]
    addresses: dict[int, list[Address]]
    routes: frozenset[Route]
    sysctls: dict[str, str]
    stations: frozenset[int] = frozenset()
    """The links that are Wi-Fi stations, by number."""


def read_namespace(
    name: str, namespaces: Namespaces, keys: Collection[str], *, protocols: bool
) -> Reading:
    """Dump one namespace. Raises OSError."""
    socket = namespaces.socket(name)
    addresses: dict[int, list[Address]] = {}
    with netlink.readable():
        seen = map(netlink.decode_link, socket.dump(netlink.dump_links()))
        links = {link.index: link for link in seen}
        for message in socket.dump(netlink.dump_addresses()):
            index, address = netlink.decode_address(message, protocols=protocols)
            addresses.setdefault(index, []).append(address)
        routes = _routes(socket, links)
    sysctls = read_sysctls(name, namespaces, keys)
    path = None if name == HOST else namespaces.path(name)
    inode = os.fstat(namespaces.descriptor(name)).st_ino
    wifi = _stations(namespaces) if name == HOST else frozenset()  # parents are on the host
    return Reading(name, path, inode, links, addresses, routes, sysctls, wifi)


def read_sysctls(name: str, namespaces: Namespaces, keys: Collection[str]) -> dict[str, str]:
    """The sysctls of a namespace that can be read. Raises OSError."""
    if not keys:
        return {}
    root = namespaces.sysctls(name)
    values = ((key, procfs.read(key, root)) for key in keys)
    return {key: value for key, value in values if value is not None}


def _stations(namespaces: Namespaces) -> frozenset[int]:
    namespaces.enter(HOST)
    with closing(Socket(NETLINK_GENERIC)) as generic:
        return stations(generic)


def _routes(socket: Socket, links: Mapping[int, netlink.SeenLink]) -> frozenset[Route]:
    names = {index: link.name for index, link in links.items()}
    found = []
    for family in (4, 6):
        for message in socket.dump(netlink.dump_routes(family)):
            route = netlink.decode_route(message, names)
            if route is not None:
                found.append(route)
    return frozenset(found)


def assemble(
    readings: Iterable[Reading],
    wanted: Wanted,
    processes: Mapping[int, list[int]],
    aliases: Mapping[str, tuple[str, ...]],
    marks: Marks,
) -> State:
    """One State of many readings: numbers become names, marks become owners.

    ``aliases`` are the other names that namespaces have, ``marks`` those of the host.
    """

    def owner_of(seen: netlink.SeenLink) -> tuple[str | None, bool]:
        return marks.owner(seen.group, seen.alias, wanted.topologies)

    by_name = {reading.name: reading for reading in readings}
    pairs = _pairs(by_name.values())
    namespaces = {
        reading.name: _namespace(reading, by_name, owner_of, processes, pairs, aliases)
        for reading in by_name.values()
    }
    return State(namespaces)


def _namespace(
    reading: Reading,
    all_readings: Mapping[str, Reading],
    owner_of: _OwnerOf,
    processes: Mapping[int, list[int]],
    pairs: Mapping[tuple[int, int], list[LinkName]],
    aliases: Mapping[str, tuple[str, ...]],
) -> Namespace:
    links = {
        seen.name: _link(seen, reading, all_readings, owner_of, pairs)
        for seen in reading.links.values()
    }
    loopback = links.get(LOOPBACK)
    return Namespace(
        reading.name,
        path=reading.path,
        links=links,
        routes=reading.routes,
        sysctls=reading.sysctls,
        owner=loopback.owner if loopback and reading.name != HOST else None,
        pids=tuple(processes.get(reading.inode, ())),
        aliases=aliases.get(reading.name, ()),
    )


def _link(
    seen: netlink.SeenLink,
    reading: Reading,
    all_readings: Mapping[str, Reading],
    owner_of: _OwnerOf,
    pairs: Mapping[tuple[int, int], list[LinkName]],
) -> Link:
    owner, labelled = owner_of(seen)
    parent = peer = None
    if seen.kind == "veth":
        own = LinkName(reading.name, seen.name)
        ends = pairs.get((seen.parent_index, seen.index), [])
        others = [end for end in ends if end != own]
        if not seen.elsewhere:
            others = [end for end in others if end.namespace == reading.name]
        peer = others[0] if others else None
    elif seen.parent_index and seen.parent_index != seen.index:
        where = all_readings.get(HOST) if seen.elsewhere else reading
        below = where.links.get(seen.parent_index) if where else None
        parent = LinkName(where.name, below.name) if where and below else None
    master = reading.links.get(seen.master_index)
    return Link(
        name=seen.name,
        kind=seen.kind,
        namespace=reading.name,
        parent=parent,
        peer=peer,
        settings=seen.settings,
        addresses=tuple(reading.addresses.get(seen.index, ())),
        owner=owner,
        labelled=labelled,
        index=seen.index,
        parent_index=seen.parent_index,
        master=master.name if master else None,
        carrier=seen.carrier,
        station=seen.index in reading.stations,
    )


def _pairs(readings: Iterable[Reading]) -> dict[tuple[int, int], list[LinkName]]:
    """Ends of veth pairs by (own number, the other end's number)."""
    found: dict[tuple[int, int], list[LinkName]] = {}
    for reading in readings:
        for link in reading.links.values():
            if link.kind == "veth" and link.parent_index:
                key = (link.index, link.parent_index)
                found.setdefault(key, []).append(LinkName(reading.name, link.name))
    return found
