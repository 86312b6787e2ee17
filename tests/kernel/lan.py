"""The simulated LAN: a switch with VLANs, the host's eth0 in one port, stations in others.

The switch is a bridge in a namespace of its own, VLAN-filtering where a test wants VLANs. The
host's port is a trunk then: VLAN 1 untagged, others tagged. A station hangs on an access port of
one VLAN, so that the LAN itself needs no 802.1Q interfaces.
"""

from pathlib import Path

from tests.kernel.world import World, until

SWITCH = "switch"
HOST_MAC = "02:00:00:00:00:aa"


class Lan:
    """A LAN in a test's world."""

    def __init__(self, world: World, *, vlans: tuple[int, ...] = ()) -> None:
        self.world = world
        self.ports = 0
        world.make_place(SWITCH)
        filtering = "vlan_filtering 1" if vlans else ""
        world.batch(
            f"link add br0 type bridge {filtering} mcast_snooping 0\nlink set br0 up", SWITCH
        )
        self.trunk("eth0", vlans=vlans)

    def trunk(self, name: str, *, vlans: tuple[int, ...] = (), mac: str = HOST_MAC) -> None:
        """A NIC of the host on a port of the switch."""
        port = self._port()
        self.world.batch(
            f"link add {name} address {mac} type veth peer name {port}\n"
            f"link set {port} netns {self.world.places[SWITCH]}\n"
        )
        # No duplicate detection on the host's own NIC: a test need not wait for it.
        Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
        self.world.ip(f"link set {name} up")
        self._attach(port, [f"vlan add dev {port} vid {vlan}" for vlan in vlans])
        # The carrier comes a moment later, and with it the link-local address: the kernel tells of
        # it after what it cleans up, which takes a while where many namespaces have just gone.
        until(lambda: name in Path("/proc/net/if_inet6").read_text(), f"carrier on {name}", 30.0)

    def station(self, name: str, *addresses: str, vlan: int = 1, mac: str | None = None) -> None:
        """A machine on an access port, its interface called eth0. Its namespace has its name.

        A station may hang on several VLANs: further calls add eth1, eth2 ….
        """
        first = name not in self.world.places
        if first:
            self.world.make_place(name)
        dev = f"eth{0 if first else len(self.world.names(name)) - 1}"
        port = self._port()
        path = self.world.places[name]
        hardware = f"address {mac} " if mac else ""
        self.world.batch(
            f"link add st {hardware}type veth peer name {port}\n"
            f"link set {port} netns {self.world.places[SWITCH]}\n"
            f"link set st netns {path} name {dev}"
        )
        lines = [f"addr add {a} dev {dev}{' nodad' if ':' in a else ''}" for a in addresses]
        self.world.batch("\n".join([*lines, f"link set {dev} up"]), name)
        access = [f"vlan del dev {port} vid 1"] if vlan != 1 else []
        access += [f"vlan add dev {port} vid {vlan} pvid untagged"] if vlan != 1 else []
        self._attach(port, access)

    def router(self, *addresses: str, vlan: int = 1) -> None:
        """The station with the gateway addresses; it forwards between its VLANs."""
        first = "router" not in self.world.places
        self.station("router", *addresses, vlan=vlan)
        if first:
            self.world.run(
                ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"],
                "router",
            )

    def hairpin(self, *, on: bool) -> None:
        """Whether the switch sends a frame back out of the host's port."""
        self.world.run(f"bridge link set dev port1 hairpin {'on' if on else 'off'}", SWITCH)

    def capture(self, where: str, dev: str, words: str) -> "Capture":
        """tcpdump on a device of a station, or of the switch."""
        return Capture(self.world, where, dev, words)

    def _port(self) -> str:
        self.ports += 1
        return f"port{self.ports}"

    def _attach(self, port: str, vlans: list[str]) -> None:
        self.world.batch(f"link set {port} master br0\nlink set {port} up", SWITCH)
        if vlans:
            self.world.run("bridge -batch -", SWITCH, stdin="\n".join(vlans))


class Capture:
    """A running tcpdump, and what it has seen so far."""

    def __init__(self, world: World, where: str, dev: str, words: str) -> None:
        self.world = world
        self.file = f"/run/capture-{where}-{dev}-{len(world.started)}"
        shell = f"exec tcpdump -B 8192 -l -n -e -i {dev} '{words}' >{self.file} 2>{self.file}.err"
        world.start(["sh", "-c", shell], where)
        until(self._listening, "tcpdump listens")

    def _listening(self) -> bool:
        errors = Path(f"{self.file}.err")
        return errors.exists() and "listening on" in errors.read_text()

    def text(self) -> str:
        """What it printed."""
        return Path(self.file).read_text()

    def saw(self, words: str) -> None:
        """A line with ``words`` comes within the bound."""
        until(lambda: words in self.text(), f"{words!r} in the capture")
