"""Many clients in one thread: their sockets, their timers, and what they do."""

import heapq
import selectors
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from vlanlink.dhcp import client as machine
from vlanlink.dhcp.client import Step
from vlanlink.dhcp.port import Port
from vlanlink.dhcp.state import NEVER, Client, Configure, Phase, Probe, Send, Withdraw
from vlanlink.host import since_boot
from vlanlink.model import LinkName

LeaseAction = Configure | Withdraw
OnLease = Callable[[LinkName, LeaseAction], None]
_GAP_SECONDS: Final = 0.001
"""Between the first messages of clients: a server's queue is short."""


class Engine:
    """Runs clients. ``on_lease`` is called for each address to set or remove."""

    def __init__(self, ports: Mapping[LinkName, Port], on_lease: OnLease) -> None:
        """Take over the sockets."""
        self.clients: dict[LinkName, Client] = {}
        self._ports: dict[LinkName, Port] = {}
        self._on_lease = on_lease
        self._timers: list[tuple[float, LinkName]] = []
        self._selector = selectors.DefaultSelector()
        for key, port in ports.items():
            self.open(key, port)

    def add(self, key: LinkName, step: Step) -> None:
        """Begin with a client and the first thing that it does."""
        self._ports[key].listen(step[0], arp=step[0].phase is Phase.PROBING)
        self._take(key, step)

    def add_all(self, steps: Iterable[tuple[LinkName, Callable[[float], Step]]]) -> None:
        """Begin with many, a little apart."""
        for key, begin in steps:
            self.add(key, begin(since_boot()))
            self.run_once(_GAP_SECONDS)

    def watch(self, file: socket.socket, ready: Callable[[], None]) -> None:
        """Call ``ready`` whenever ``file`` has something to read."""
        self._selector.register(file, selectors.EVENT_READ, ready)

    def unwatch(self, file: socket.socket) -> None:
        """Undo ``watch``."""
        self._selector.unregister(file)

    def run_once(self, seconds: float) -> None:
        """Wait up to ``seconds`` for messages, and do what is due."""
        now = since_boot()
        due = self._timers[0][0] if self._timers else NEVER
        wait = max(0.0, min(seconds, due - now))
        for event, _ in self._selector.select(None if wait == NEVER else wait):
            if isinstance(event.data, LinkName):
                assert isinstance(event.fileobj, socket.socket)
                self._receive(event.data, event.fileobj)
            else:
                event.data()
        self._tick()

    def open(self, key: LinkName, port: Port) -> None:
        """Take over the sockets of a client that is added later."""
        self._ports[key] = port
        for each in port.sockets():
            self._selector.register(each, selectors.EVENT_READ, key)

    def carrier_back(self, key: LinkName) -> None:
        """A link has its carrier again."""
        if key in self.clients:
            self._take(key, machine.carrier_back(self.clients[key], since_boot()))

    def drop(self, key: LinkName) -> tuple[socket.socket, ...]:
        """Forget a client; its sockets, to be closed."""
        self.clients.pop(key, None)
        port = self._ports.pop(key, None)
        found = port.sockets() if port else ()
        for each in found:
            self._selector.unregister(each)
        return found

    def close(self) -> tuple[socket.socket, ...]:
        """End; all sockets, to be closed."""
        self._selector.close()
        return tuple(each for port in self._ports.values() for each in port.sockets())

    def _receive(self, key: LinkName, at: socket.socket) -> None:
        port = self._ports.get(key)
        if port is None or key not in self.clients:
            return
        for mac, what in port.heard(at, self.clients[key]):
            client, now = self.clients[key], since_boot()
            if isinstance(what, str):
                self._take(key, machine.conflict(client, now, what, mac))
            else:
                self._take(key, machine.receive(client, now, what, mac))

    def _tick(self) -> None:
        now = since_boot()
        while self._timers and self._timers[0][0] <= now:
            _, key = heapq.heappop(self._timers)
            client = self.clients.get(key)
            if client is not None and client.due <= now:
                self._take(key, machine.tick(client, now))

    def _take(self, key: LinkName, step: Step) -> None:
        before, (client, actions) = self.clients.get(key), step
        self.clients[key] = client
        port = self._ports[key]
        probing = client.phase is Phase.PROBING
        if before and probing is not (before.phase is Phase.PROBING):
            port.listen(client, arp=probing)
        if client.due < NEVER and (before is None or before.due != client.due):
            heapq.heappush(self._timers, (client.due, key))
        for action in actions:
            match action:
                case Send():
                    port.send(client, action)
                case Probe():
                    port.probe(client, action.address)
                case Configure() | Withdraw():
                    self._on_lease(key, action)
