"""The managers of a NIC, each as Debian ships it, and what is done to them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any, ClassVar

from tests.daemons.system import System, stop
from tests.kernel.lan import HOST_MAC, SWITCH
from tests.kernel.living import HOST4
from tests.kernel.world import BOUND_SECONDS, World, until

MOVED4 = "192.168.77.6"


class Server:
    """dnsmasq on the LAN's router: it gives the host its address."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.give(HOST4)
        words = (
            "dnsmasq --keep-in-foreground --port=0 --no-ping --conf-file=/dev/null --user=root"
            " --dhcp-authoritative --log-dhcp --log-facility=- --dhcp-leasefile=/run/dnsmasq.leases"
            " --interface=eth0 --dhcp-range=192.168.77.0,static,120"
            " --dhcp-hostsfile=/run/dnsmasq.hosts"
        )
        self.process = system.start(words, "dnsmasq", "router")
        until(lambda: "DHCP, static leases" in system.log("dnsmasq"), "dnsmasq serves")

    def give(self, address: str) -> None:
        """The address of the host; dnsmasq reads it when it starts, or on SIGHUP."""
        Path("/run/dnsmasq.hosts").write_text(f"{HOST_MAC},{address}\n")
        if hasattr(self, "process"):
            self.process.send_signal(1)
            until(lambda: self.system.log("dnsmasq").count("read /run/dnsmasq.hosts") > 1)


@dataclass
class Manager:
    """A daemon, or a client, that configures the host's eth0."""

    system: System
    world: World
    server: Server
    events: ClassVar[dict[str, "Happening"]] = {}
    package: ClassVar[str] = ""
    process: Popen[bytes] = field(init=False)

    def prepare(self) -> None:
        """What is there before it starts for the first time."""

    def start(self) -> None:
        """Start it."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it as its unit does."""
        stop(self.process)

    def unplug(self) -> None:
        """The cable is out until the manager has dropped what it configured."""
        self.world.ip("link set port1 down", SWITCH)
        self.loses()

    def plug(self) -> None:
        """The cable is in."""
        self.world.ip("link set port1 up", SWITCH)

    def silence(self) -> None:
        """The LAN hears nothing from the DHCP server."""
        self.world.run(["nft", SILENCE], "router")

    def speak(self) -> None:
        """It does again."""
        self.world.run("nft flush ruleset", "router")

    def loses(self, seconds: float = BOUND_SECONDS) -> None:
        """The manager has dropped the address."""

        def lost() -> bool:
            return HOST4 not in self.world.ip("-4 addr show dev eth0")

        until(lost, "the address goes", seconds)


SILENCE = """
add table ip silence
add chain ip silence out { type filter hook output priority 0; }
add rule ip silence out udp sport 67 drop
"""


@dataclass(frozen=True)
class Happening:
    """What is done to a manager, and how it ends."""

    begins: Callable[[Any], None]
    ends: Callable[[Any], None]
    address: str = HOST4
    stays: bool = False
    """The address is never away."""
    away: bool = True
    """It is away between the two."""
    slow: bool = False
