"""DHCP clients that run by themselves: dhclient, udhcpc, dhcpcd."""

import signal
from pathlib import Path

from tests.daemons.managers import MOVED4, Happening, Manager
from tests.kernel.living import HOST6
from tests.kernel.world import until


class _Client(Manager):
    """One that somebody starts and that knows nothing of IPv6, whose address is static."""

    words: str

    def start(self) -> None:
        self.world.ip("link set eth0 up")
        self.world.ip(f"addr replace {HOST6}/64 dev eth0 nodad")
        self.process = self.system.start(self.words, "client")

    def kill(self) -> None:
        """It has no time to put anything back."""
        self.process.kill()
        self.process.communicate()

    def expire(self) -> None:
        """The DHCP server is gone until the lease has ended, two minutes later."""
        self.silence()
        self.loses(seconds=180)

    def move(self) -> None:
        """The server has another address for the host; the client asks when it starts."""
        self.server.give(MOVED4)

    def restart(self) -> None:
        self.kill()
        self.start()


class Dhclient(_Client):
    """ISC's, with Debian's script."""

    package = "isc-dhcp-client"
    words = (
        "dhclient -d -sf /sbin/dhclient-script -lf /run/dhclient.leases -pf /run/dhclient.pid eth0"
    )

    def prepare(self) -> None:
        self.system.write("/etc/dhcp/dhclient.conf", "retry 5;\ntimeout 10;\n")

    def release(self) -> None:
        """`dhclient -r` releases the lease that it finds in the file, and ends the client."""
        until(lambda: "lease {" in Path("/run/dhclient.leases").read_text(), "the lease is kept")
        until(Path("/run/dhclient.pid").exists, "its process is known")
        self.system.run(self.words.replace("-d", "-r"))
        self.process.communicate(timeout=30)
        self.loses()


class Udhcpc(_Client):
    """BusyBox's, with Debian's script."""

    package = "udhcpc"
    words = "udhcpc --foreground --interface eth0 --retries 3 --tryagain 2"

    def release(self) -> None:
        """SIGUSR2 releases the lease."""
        self.process.send_signal(signal.SIGUSR2)
        self.loses()

    def start_over(self) -> None:
        """It begins by flushing the NIC; then no server answers."""
        self.silence()
        self.restart()
        self.loses()

    def renew(self) -> None:
        """SIGUSR1 asks for one."""
        self.process.send_signal(signal.SIGUSR1)


class Dhcpcd(_Client):
    """The client of Raspberry Pi OS and others; Debian's keeps what it configured."""

    package = "dhcpcd-base"
    words = "dhcpcd --nobackground --ipv4only --noipv4ll eth0"

    def stop(self) -> None:
        """As its unit does; the signal alone may be lost while it starts."""
        self.system.run("dhcpcd --exit --ipv4only eth0")
        self.process.communicate(timeout=30)

    def release(self) -> None:
        """`dhcpcd --release eth0` drops all of it and ends the client."""
        self.system.run("dhcpcd --release --ipv4only eth0")
        self.process.communicate(timeout=30)
        self.loses()


_MOVED = Happening(_Client.move, _Client.restart, address=MOVED4, away=False)
Dhclient.events = {
    "killed and started": Happening(_Client.kill, _Client.start, stays=True),
    "another address": _MOVED,
    "released and back": Happening(Dhclient.release, _Client.start),
    "lease expired and back": Happening(_Client.expire, _Client.speak, slow=True),
}
Udhcpc.events = {
    "killed and started": Happening(Udhcpc.start_over, _Client.speak),
    "another address": _MOVED,
    "released and back": Happening(Udhcpc.release, Udhcpc.renew),
    "lease expired and back": Happening(_Client.expire, _Client.speak, slow=True),
}
Dhcpcd.events = {
    "restarted": Happening(_Client.stop, _Client.start, stays=True),
    "released and back": Happening(Dhcpcd.release, _Client.start),
    "cable out and in": Happening(_Client.unplug, _Client.plug),
}
