"""A host whose NIC a real manager configures."""

from dataclasses import dataclass, field

from tests.daemons.managers import Manager, Server
from tests.daemons.recorder import Recorder
from tests.daemons.system import System
from tests.kernel.living import HOST4, HOST6, ROUTER, Event, LivingHost
from tests.kernel.world import until


@dataclass
class DaemonHost(LivingHost):
    """A host whose NIC a real manager configures, from a real DHCP server."""

    system: System = field(kw_only=True)
    kind: type[Manager] = field(kw_only=True)
    late: bool = field(default=False, kw_only=True)
    """The manager does not run yet."""
    manager: Manager = field(init=False)
    server: Server = field(init=False)
    recorder: Recorder = field(init=False)

    def configure(self, address: str = HOST4) -> None:
        del address
        self.server = Server(self.system)
        self.manager = self.kind(self.system, self.world, self.server)
        self.world.ip("link set eth0 down")
        self.manager.prepare()
        self.recorder = Recorder(self.world, "eth0")
        if not self.late:
            self.manager.start()
            self.settles()
        self.recorder.mark()

    def is_ready(self) -> None:
        if not self.late:
            super().is_ready()

    def settles(self) -> None:
        """The manager has configured the NIC."""
        until(lambda: self.address in self.world.ip("-4 addr show dev eth0"), self._missing("IPv4"))
        until(lambda: HOST6 in self.world.ip("-6 route show table local"), self._missing("IPv6"))
        until(
            lambda: f"default via {ROUTER} dev eth0" in self.world.ip("route show default"),
            self._missing("a default route"),
        )

    def _missing(self, what: str) -> str:
        return f"{type(self.manager).__name__} gives the NIC {what}"

    def event(self, name: str) -> Event:
        """An event of its manager, as the matrix wants it."""
        happening = self.kind.events[name]

        def begins(_: LivingHost) -> None:
            happening.begins(self.manager)
            if happening.stays:
                self.settles()

        def ends(_: LivingHost) -> None:
            happening.ends(self.manager)
            self.address = happening.address
            self.settles()

        return Event(
            begins,
            ends,
            same_address=happening.address == HOST4,
            address_stays=happening.stays,
            away=happening.away,
        )
