"""A host that lives: what its own network managers do to its NIC while a topology is up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vlanlink
from tests.kernel.judge import dump
from tests.kernel.lan import HOST_MAC, SWITCH, Lan
from tests.kernel.world import World, until

ROUTER, STATION = "192.168.77.1", "192.168.77.9"
HOST4, HOST6 = "192.168.77.5", "2001:db8:77::5"
WEB4, WEB6 = "192.168.77.130", "2001:db8:77::130"

FILE = "/run/home.toml"
TEXT = f"""
[topology]
name = "home"
[networks.lan]
kind = "macvlan"
parent = {{parent}}
probe = false
shim = true
subnets = [
  {{ subnet = "192.168.77.0/24", gateway = "{ROUTER}" }},
  {{ subnet = "2001:db8:77::/64", gateway = "2001:db8:77::1" }},
]
[namespaces.web.interfaces.eth0]
network = "lan"
addresses = ["{WEB4}", "{WEB6}"]
"""


@dataclass
class LivingHost:
    """The host on its LAN, and what the manager of its NIC does."""

    lan: Lan
    address: str = HOST4

    def __post_init__(self) -> None:
        """A router, a station, and a host as its manager has configured it."""
        self.lan.router(f"{ROUTER}/24", "2001:db8:77::1/64")
        self.lan.station("station", f"{STATION}/24", "2001:db8:77::9/64")
        self.configure()
        self.is_ready()

    def is_ready(self) -> None:
        """It is on the LAN."""
        until(lambda: HOST6 in self.world.ip("-6 route show table local"), "the address is usable")
        self.world.reaches("", ROUTER)

    @property
    def world(self) -> World:
        """Its machine."""
        return self.lan.world

    def topology(self, parent: str = '"eth0"') -> vlanlink.Topology:
        """A network with a shim, as its user has it in a file."""
        Path(FILE).write_text(TEXT.replace("{parent}", parent))
        return vlanlink.load(FILE)

    def configure(self, address: str = HOST4) -> None:
        """What a DHCP client does with a lease: an address with a lifetime, a default route."""
        self.address = address
        self.world.batch(
            f"addr replace {address}/24 dev eth0 valid_lft 3600 preferred_lft 3600\n"
            f"addr replace {HOST6}/64 dev eth0 valid_lft 3600 preferred_lft 3600 nodad\n"
            f"route replace default via {ROUTER} dev eth0 proto dhcp src {address} metric 100\n"
        )

    def lose_lease(self) -> None:
        """What a DHCP client does when its lease expires."""
        self.world.ip(f"addr del {self.address}/24 dev eth0")
        self.world.ip(f"addr del {HOST6}/64 dev eth0")

    def set_down(self) -> None:
        """As `ip link set eth0 down` by hand; IPv6 addresses and routes go."""
        self.world.ip("link set eth0 down")

    def set_up(self) -> None:
        """The manager sees it up again."""
        self.world.ip("link set eth0 up")
        self.configure()

    def unplug(self) -> None:
        """The cable is out, and the manager has dropped what it configured."""
        self.world.ip("link set port1 down", SWITCH)
        until(lambda: "NO-CARRIER" in self.world.link("eth0")["flags"], "no carrier")
        self.lose_lease()

    def plug(self) -> None:
        """The cable is in again, and the lease is renewed."""
        self.world.ip("link set port1 up", SWITCH)
        until(lambda: "NO-CARRIER" not in self.world.link("eth0")["flags"], "a carrier")
        self.configure()

    def lose_nic(self) -> None:
        """Its driver goes, and all links on it with it."""
        self.world.ip("link delete eth0")

    def find_nic(self) -> None:
        """Its driver is back."""
        self.lan.trunk("eth0")
        self.configure()

    def move(self) -> None:
        """The lease comes back with another address."""
        self.configure("192.168.77.6")

    def start_docker(self) -> None:
        """What Docker's daemon does to the firewall when it starts."""
        self.world.run(["nft", FIREWALL])

    def stop_docker(self) -> None:
        """Its rules stay until somebody flushes them."""
        self.world.run("nft flush ruleset")

    def rename(self) -> None:
        """What udev does when somebody has written another name for the NIC."""
        self.world.ip("link set eth0 down")
        self.world.ip("link set eth0 name lan0")
        self.world.ip("link property add dev lan0 altname eth0")
        self.set_up()

    def rename_back(self) -> None:
        """The NIC has the name again that it had, and no other."""
        self.world.ip("link property del dev lan0 altname eth0")
        self.world.ip("link set lan0 down")
        self.world.ip("link set lan0 name eth0")
        self.set_up()

    def flush_routes(self) -> None:
        """`ip route flush` by hand: connected routes go too."""
        for family in ("-4", "-6"):
            self.world.ip(f"{family} route flush table main")

    def renew(self) -> None:
        """The manager takes the address away and configures it again, routes and all."""
        self.lose_lease()
        self.configure()

    def flush_rules(self) -> None:
        """`ip rule flush`: only the rule for table local stays."""
        for family in ("-4", "-6"):
            self.world.ip(f"{family} rule flush")

    def restore_rules(self) -> None:
        """The rules that the kernel starts with, written by hand."""
        self.world.ip("-4 rule add from all lookup main pref 32766")
        self.world.ip("-4 rule add from all lookup default pref 32767")
        self.world.ip("-6 rule add from all lookup main pref 32766")

    def network(self) -> dict[str, Any]:
        """The NIC's own state and addresses, and all routes through it."""
        found = dump(self.world, sysctls=False)["host"]
        routes = [route for route in found["route"] if route.get("dev") == "eth0"]
        return {"addr": found["addr"]["eth0"]["addr_info"], "route": routes}

    def is_whole(self) -> None:
        """It reaches its gateway, and the LAN reaches it, at the parent's MAC."""
        world = self.world
        assert "UP" in world.link("eth0")["flags"]
        assert f"{self.address}/24" in world.addresses("eth0")
        assert f"default via {ROUTER} dev eth0" in world.ip("route show default")
        for there in (ROUTER, STATION):
            world.reaches("", there)
        for address in (self.address, HOST6):
            world.ip(f"neigh flush to {address}", "station")
            world.reaches("station", address)
            (neighbour,) = world.json(f"neigh show {address}", "station")
            assert neighbour["lladdr"] == HOST_MAC

    def joins_its_endpoints(self) -> None:
        """Host and endpoint reach each other, at the host's own addresses."""
        for address in (WEB4, WEB6):
            self.world.reaches("", address)
            self.world.reaches("station", address)
        for address in (self.address, HOST6):
            self.world.reaches("web", address)


FIREWALL = """
add table ip docker
add chain ip docker forward { type filter hook forward priority 0; policy drop; }
add chain ip docker post { type nat hook postrouting priority 100; }
add rule ip docker post ip saddr 172.17.0.0/16 masquerade
"""


@dataclass(frozen=True)
class Event:
    """Something that happens to the NIC, and how it ends."""

    begins: Callable[[LivingHost], None]
    ends: Callable[[LivingHost], None]
    same_address: bool = True
    """What was up before works again, with nothing of ours running."""
    nic_stays: bool = True
    parent: str = '"eth0"'
    """As the file has it."""
    address_stays: bool = False
    away: bool = True
    """The host has no address between the two."""


EVENTS = {
    "nic down and up": Event(LivingHost.set_down, LivingHost.set_up),
    "cable out and in": Event(LivingHost.unplug, LivingHost.plug),
    "lease lost and back": Event(LivingHost.lose_lease, LivingHost.configure),
    "lease back with another address": Event(
        LivingHost.lose_lease, LivingHost.move, same_address=False
    ),
    "firewall of Docker": Event(
        LivingHost.start_docker, LivingHost.stop_docker, address_stays=True
    ),
    "routes flushed": Event(LivingHost.flush_routes, LivingHost.renew, address_stays=True),
    "rules flushed": Event(LivingHost.flush_rules, LivingHost.restore_rules, address_stays=True),
    "renamed, the old name an altname": Event(
        LivingHost.rename, LivingHost.rename_back, address_stays=True
    ),
    "renamed, the parent named by MAC": Event(
        LivingHost.rename,
        LivingHost.rename_back,
        address_stays=True,
        parent=f'{{ mac = "{HOST_MAC}" }}',
    ),
    "driver reloaded": Event(
        LivingHost.lose_nic, LivingHost.find_nic, same_address=False, nic_stays=False
    ),
}
