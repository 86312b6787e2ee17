"""A LAN whose router advertises prefixes: radvd, and what changes in it."""

import tomllib
from subprocess import Popen

import pytest

import vlanlink
from tests.daemons.system import System, stop
from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.living import HOST4, ROUTER, STATION, WEB4
from tests.kernel.living_verbs import SOON
from tests.kernel.watching import watching
from tests.kernel.world import World, until

pytestmark = pytest.mark.needs("macvlan")
OLD, NEW = "2001:db8:a::", "2001:db8:b::"
TEXT = f"""
[topology]
name = "home"
[networks.lan]
kind = "macvlan"
parent = "eth0"
probe = false
shim = true
subnets = [{{ subnet = "192.168.77.0/24", gateway = "{ROUTER}" }}]
[namespaces.web.interfaces.eth0]
network = "lan"
addresses = ["{WEB4}"]
ipv6 = "slaac"
"""


class Radvd:
    """radvd on the router, advertising one prefix."""

    def __init__(self, lan: Lan, system: System) -> None:
        self.world, self.system = lan.world, system
        lan.router(f"{ROUTER}/24", f"{OLD}1/64", f"{NEW}1/64")
        lan.station("station", f"{STATION}/24", f"{OLD}9/64", f"{NEW}9/64")
        self.process = self.start(OLD)

    def start(self, prefix: str) -> Popen[bytes]:
        self.system.write(
            "/etc/radvd.conf",
            "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;"
            f" prefix {prefix}/64 {{ DeprecatePrefix on; }}; }};",
        )
        return self.system.start("radvd --nodaemon --logmethod stderr", "radvd", "router")

    def change(self, prefix: str) -> None:
        """The old prefix is deprecated as radvd ends."""
        stop(self.process)
        self.process = self.start(prefix)


def slaac(world: World, prefix: str, namespace: str = "") -> str:
    """The address that a link made from a prefix, once it is usable."""

    def found() -> str | None:
        rows = world.json("-6 addr show dev eth0 scope global -tentative", namespace)
        addresses = [info.get("local", "") for row in rows for info in row.get("addr_info", ())]
        return next((a for a in addresses if a.startswith(prefix.removesuffix(":"))), None)

    text: str = until(found, f"an address in {prefix}, {namespace or 'host'}")
    return text


def prefers(world: World, prefix: str) -> bool:
    """The host asks from the address in a prefix."""
    return f"src {prefix.removesuffix(':')}" in world.ip("-6 route get 2001:db8:ffff::1")


@pytest.mark.parametrize("verb", ["up", "watch"])
def test_the_prefix_of_the_lan_changes(lan: Lan, system: System, verb: str) -> None:
    world = lan.world
    radvd = Radvd(lan, system)
    world.batch(f"addr add {HOST4}/24 dev eth0\nroute add default via {ROUTER}\n")
    slaac(world, OLD)
    topology = vlanlink.load(tomllib.loads(TEXT))

    def changes() -> None:
        web = slaac(world, OLD, "web")
        world.reaches("station", web)
        world.reaches("", WEB4)
        radvd.change(NEW)
        slaac(world, NEW)
        until(lambda: prefers(world, NEW), "the host prefers the new prefix")
        world.reaches("station", slaac(world, NEW, "web"))

    if verb == "watch":
        with watching(topology, SOON):
            changes()
            until(lambda: vlanlink.status(topology).state == "up", "in sync")
    else:
        vlanlink.up(topology)
        changes()
        assert vlanlink.up(topology).operations == ()
    assert vlanlink.status(topology).state == "up"
    world.reaches("", WEB4)
    before = slaac(world, NEW)
    vlanlink.down("home")
    assert "default via fe80" in world.ip("-6 route show default dev eth0")
    for address in (HOST4, before):
        world.ip("neigh flush dev eth0", "station")
        world.reaches("station", address)
        (neighbour,) = world.json(f"neigh show {address}", "station")
        assert neighbour["lladdr"] == HOST_MAC
