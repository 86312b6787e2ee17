"""What renews the leases of a topology: clients, and the addresses that they set and remove.

It also hears what routers advertise of DNS. It has its sockets opened for it, and no rights but to
use them. What follows beyond the address is told to the process that started it.
"""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from vlanlink.dataclass import dataclass
from vlanlink.dhcp import client as machine
from vlanlink.dhcp import guests, joining
from vlanlink.dhcp.engine import Engine, LeaseAction
from vlanlink.dhcp.namespace_sockets import CARRIER, NamespaceSockets, notices
from vlanlink.dhcp.port import Port
from vlanlink.dhcp.routers import Routers
from vlanlink.dhcp.state import Client, Configure
from vlanlink.host import since_boot
from vlanlink.kernel.netlink.encode import removed_address, renewed_address
from vlanlink.kernel.packet.sockets import close_all
from vlanlink.kernel.packet.solicit import solicit
from vlanlink.model import Address, LinkName
from vlanlink.planning.operations import AddAddress, RemoveAddress
from vlanlink.store.advertised import Advertised, advertised_row
from vlanlink.store.dhcp_leases import FOREVER, DhcpLease, lease_row
from vlanlink.store.keeper_file import word_of

_LARGEST: Final = 1 << 16
_RETRY_SECONDS: Final = 1.0
_PAUSE_SECONDS, _LONGEST_PAUSE = 1.0, 60.0
"""Before an address is set again that goes again at once, twice as long each time."""
_LONGEST_WAIT: Final = 60.0
"""While a machine is suspended its timers stand still, but leases end."""
_FRESH_SECONDS: Final = 30.0
"""A lease younger than this needs no confirmation by its server, which knows all of the client."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint whose lease is to be renewed, and its open sockets."""

    index: int
    client: Client
    port: Port
    lease: DhcpLease | None
    wanted: str | None = None
    """Without a lease, the address to ask for."""
    advertised: Advertised | None = None
    """What routers were heard to say of DNS; None: nobody listens."""


@dataclass(frozen=True, slots=True)
class Guests:
    """Where others ask for endpoints to join or to leave."""

    at: socket.socket
    uid: int
    """The user who may."""


class Service:
    """Renews leases until its starter hangs up."""

    def __init__(
        self,
        endpoints: Mapping[LinkName, Endpoint],
        sockets: Mapping[str, NamespaceSockets],
        starter: socket.socket,
        guests: Guests | None = None,
    ) -> None:
        """Take over ``sockets``, by namespace. ``starter`` gets a message for each lease.

        ``guests`` ask for endpoints to join or to leave.
        """
        self._endpoints = dict(endpoints)
        self._sockets = dict(sockets)
        self._starter = starter
        self._guests = guests
        self._untold: list[bytes] = []
        self._up: dict[LinkName, bool] = dict.fromkeys(endpoints, True)
        self._disturbed: set[LinkName] = set()
        self._set_at: dict[LinkName, float] = {}
        """When a lost address was set again."""
        self._set_next: dict[LinkName, float] = {}
        """When one that went again at once is set next."""
        self._pauses: dict[LinkName, float] = {}
        self._hung_up = False
        heard = {
            key: one.advertised for key, one in endpoints.items() if one.advertised is not None
        }
        self._routers = Routers(heard, since_boot())
        ports = {key: one.port for key, one in endpoints.items()}
        self._engine = Engine(ports, self._on_lease)

    def run(self) -> None:
        """Go on until the starter hangs up; then close everything."""
        self._starter.setblocking(False)
        self._engine.watch(self._starter, self._on_starter)
        if self._guests:
            self._engine.watch(self._guests.at, self._on_guest)
        for namespace, opened in self._sockets.items():
            self._engine.watch(opened.events, partial(self._on_events, namespace))
        self._engine.add_all((key, partial(self._begin, key)) for key in list(self._endpoints))
        while not self._hung_up:
            self._engine.run_once(_RETRY_SECONDS if self._untold else self._idle())
            self._tell_again()
            self._ask_and_tell()
            self._set_due()
        close_all(self._engine.close())

    def _begin(self, key: LinkName, now: float) -> machine.Step:
        one = self._endpoints[key]
        if one.lease is None:
            self._tell(key, lease=None, why="it ended before it could be renewed", changed=False)
            return machine.start(one.client, now, one.wanted)
        same = one.lease.client in (None, one.client.words)
        young = same and now - one.lease.obtained < _FRESH_SECONDS
        if now < one.lease.expires:  # the address may have a lifetime of another lease
            self._set_address(key, one.lease)
        return machine.resume(one.client, now, one.lease, confirm=not young)

    # -- leases --------------------------------------------------------------------------------

    def _on_lease(self, key: LinkName, action: LeaseAction) -> None:
        if isinstance(action, Configure):
            self._set_address(key, action.lease)
            before = action.before
            changed = before is None or before.terms != action.lease.terms
            again = key in self._disturbed
            self._disturbed.discard(key)
            self._tell(key, lease=lease_row(action.lease), changed=changed or again)
            return
        self._remove_address(key, action.lease)
        if action.why != "replaced":
            self._tell(key, lease=None, why=action.why, changed=True)

    def _set_address(self, key: LinkName, lease: DhcpLease) -> None:
        left = lease.left(since_boot())
        address = Address(lease.address, seconds=FOREVER if left is None else left)
        index = self._endpoints[key].index
        add = AddAddress(namespace=key.namespace, dev=key.name, index=index, address=address)
        self._request(key, renewed_address(add))

    def _remove_address(self, key: LinkName, lease: DhcpLease) -> None:
        address, index = Address(lease.address), self._endpoints[key].index
        gone = RemoveAddress(namespace=key.namespace, dev=key.name, index=index, address=address)
        self._request(key, removed_address(gone))

    def _request(self, key: LinkName, message: bytearray) -> None:
        """Ask the kernel. What it refuses shows as drift, and is put right the same way."""
        with suppress(OSError):
            self._sockets[key.namespace].requests.request([message])

    # -- routers -------------------------------------------------------------------------------

    def _idle(self) -> float:
        now = since_boot()
        due = min((self._routers.due(now), now + _LONGEST_WAIT, *self._set_next.values()))
        return max(0.0, due - now)

    def _ask_and_tell(self) -> None:
        now = since_boot()
        for key in self._routers.to_ask(now):
            asking = self._sockets[key.namespace].asking
            if asking:
                solicit(asking, self._endpoints[key].index)
        for news in self._routers.to_tell(now):
            self._tell(news.link, advertised=advertised_row(news.known), changed=news.changed)

    # -- the starter ---------------------------------------------------------------------------

    def _tell(self, key: LinkName, **what: Any) -> None:
        self._untold.append(json.dumps({"endpoint": list(key), **what}).encode())
        self._tell_again()

    def _tell_again(self) -> None:
        """Tell what is still untold; the starter may be busy."""
        with suppress(BlockingIOError):
            while self._untold:
                self._starter.send(self._untold[0])
                self._untold.pop(0)

    def _on_starter(self) -> None:
        """A list of namespaces that are gone; nothing at all: it hung up."""
        try:
            data = self._starter.recv(_LARGEST)
        except OSError:
            data = b""
        if not data:
            self._hung_up = True
            return
        for namespace, inode in json.loads(data):
            opened = self._sockets.get(namespace)
            if opened and opened.inode == inode:
                self._drop([key for key in self._endpoints if key.namespace == namespace])

    def _drop(self, keys: Sequence[LinkName]) -> None:
        closing: list[socket.socket] = []
        for key in keys:
            del self._endpoints[key]
            closing += self._engine.drop(key)
            self._routers.drop(key)
        for namespace in {key.namespace for key in keys} - {key[0] for key in self._endpoints}:
            opened = self._sockets.pop(namespace)
            self._engine.unwatch(opened.events)
            opened.close()
        close_all(closing)

    # -- guests --------------------------------------------------------------------------------

    def _on_guest(self) -> None:
        assert self._guests
        with suppress(OSError):
            guest, _ = self._guests.at.accept()
            guest.setblocking(False)
            if guests.uid_of(guest) == self._guests.uid:
                self._engine.watch(guest, partial(self._on_request, guest))
            else:
                guest.close()

    def _on_request(self, guest: socket.socket) -> None:
        """Do what is asked, and answer what is served then; what can't be done has no answer."""
        self._engine.unwatch(guest)
        with guest, suppress(OSError, ValueError):
            request, sockets = guests.receive(guest)
            if "leave" in request:
                self._leave(guests.read_keys(request["leave"]))
            elif "join" in request:
                one = joining.read_joining(request["join"])
                self._join(one, joining.as_given(one, sockets))
            guest.send(self._serves().encode())

    def _serves(self) -> str:
        rows = sorted(self._endpoints.items())
        return " ".join(
            word_of(key, one.index, one.client.mac, one.client.config) for key, one in rows
        )

    def _leave(self, keys: Sequence[LinkName]) -> None:
        served = [key for key in keys if key in self._endpoints]
        self._drop(served)
        for key in served:
            self._tell(key, left=key.namespace not in self._sockets)

    def _join(self, one: joining.Joining, given: joining.Given) -> None:
        self._leave([one.key])
        space = one.key.namespace
        if space in self._sockets and self._sockets[space].inode != one.inode:
            self._leave([key for key in self._endpoints if key.namespace == space])
        opened = NamespaceSockets(given.requests, given.events, one.inode)
        if space in self._sockets:
            opened.close()
        else:
            self._sockets[space] = opened
            self._engine.watch(opened.events, partial(self._on_events, space))
        self._endpoints[one.key] = Endpoint(one.index, one.client, given.port, one.lease)
        self._up[one.key] = True
        self._tell(one.key, joined=[one.path, one.inode])
        self._engine.open(one.key, given.port)
        self._engine.add(one.key, self._begin(one.key, since_boot()))

    # -- events --------------------------------------------------------------------------------

    def _on_events(self, namespace: str) -> None:
        opened = self._sockets.get(namespace)
        if opened is None:  # it was let go a moment ago
            return
        try:
            data = opened.events.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:  # some were lost: ask all servers rather than none
            for key in self._endpoints:
                if key.namespace == namespace:
                    self._carrier(key, up=False)
                    self._carrier(key, up=True)
            return
        for index, what in notices(data):
            for key, one in list(self._endpoints.items()):
                if key.namespace == namespace and one.index == index:
                    if isinstance(what, str):
                        self._lost(key, what)
                    elif isinstance(what, bytes):
                        self._routers.hear(key, what, since_boot())
                    else:
                        self._carrier(key, up=what & CARRIER == CARRIER)

    def _lost(self, key: LinkName, address: str) -> None:
        """Set an address again that somebody removed though its lease goes on.

        The kernel does too, where it could not be told of a renewal in time; and the link's routes
        go with the address. Pauses follow each other: `ip address flush` looks again, and removes
        what was set meanwhile.
        """
        now, lease = since_boot(), self._lease(key)
        if lease is None or lease.bare != address:
            return
        pause = self._pauses.get(key, _PAUSE_SECONDS)
        if now - self._set_at.get(key, 0.0) >= pause:
            self._pauses[key] = _PAUSE_SECONDS
            self._set_again(key, lease)
        elif key not in self._set_next:
            self._pauses[key] = min(2 * pause, _LONGEST_PAUSE)
            self._set_next[key] = now + pause

    def _set_due(self) -> None:
        now = since_boot()
        for key in [key for key, due in self._set_next.items() if due <= now]:
            del self._set_next[key]
            if lease := self._lease(key):
                self._set_again(key, lease)

    def _set_again(self, key: LinkName, lease: DhcpLease) -> None:
        self._set_at[key] = since_boot()
        self._set_address(key, lease)
        self._tell(key, lease=lease_row(lease), changed=True)

    def _lease(self, key: LinkName) -> DhcpLease | None:
        """The lease of an endpoint, while it goes on."""
        client = self._engine.clients.get(key)
        lease = client.lease if client else None
        return lease if lease and since_boot() < lease.expires else None

    def _carrier(self, key: LinkName, *, up: bool) -> None:
        before, self._up[key] = self._up[key], up
        if up and not before:
            self._disturbed.add(key)  # routes go with the link, and leases may have changed
            self._engine.carrier_back(key)


def fork(serve: Callable[[socket.socket], None]) -> tuple[int, socket.socket]:
    """Run ``serve`` in a child process: its pid, and the socket to it. Raises OSError."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid:
        there.close()
        return pid, here
    status = 1
    try:
        here.close()
        serve(there)
        status = 0
    finally:
        os._exit(status)
