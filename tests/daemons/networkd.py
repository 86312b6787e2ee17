"""systemd-networkd on the host's NIC."""

from tests.daemons.managers import Happening, Manager
from tests.kernel.living import HOST6
from tests.kernel.world import until


class Networkd(Manager):
    """systemd-networkd, with a file that matches every NIC named eth*."""

    package = "systemd"
    file = "/run/systemd/network/10-eth.network"
    text = (
        "[Match]\nName=eth*\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n"
        f"Address={HOST6}/64\n[DHCPv4]\nClientIdentifier=mac\n"
    )

    def prepare(self) -> None:
        self.system.start_bus()
        self.system.write(self.file, self.text)
        for name in ("links", "leases", "lldp"):
            self.system.path(f"/run/systemd/netif/{name}").mkdir(parents=True)
        self.system.run("chown -R systemd-network: /run/systemd/netif")

    def start(self) -> None:
        words = "env SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-networkd"
        self.process = self.system.start(words, "networkd")

    def reload(self) -> None:
        """Its files have changed; it asks for a lease again, which some versions drop first."""
        before = self.system.log("networkd").count("acquired from")
        self.system.write(self.file, self.text + "UseDNS=no\n")
        self.system.run("networkctl reload")
        until(lambda: self.system.log("networkd").count("acquired from") > before, "a lease")

    def reconfigure(self) -> None:
        """And the DHCP server does not answer at once."""
        self.silence()
        self.system.run("networkctl reconfigure eth0")
        self.loses()

    def down(self) -> None:
        self.system.run("networkctl down eth0")
        until(lambda: "UP" not in self.world.link("eth0")["flags"], "eth0 is down")

    def up(self) -> None:
        self.system.run("networkctl up eth0")

    def forget(self) -> None:
        """The file is gone: it manages nothing."""
        self.system.path(self.file).unlink()
        self.system.run("networkctl reload")
        self.system.run("networkctl reconfigure eth0", check=False)
        self.loses()

    def remember(self) -> None:
        self.system.write(self.file, self.text)
        self.system.run("networkctl reload")
        self.system.run("networkctl reconfigure eth0")


Networkd.events = {
    "restarted": Happening(Networkd.stop, Networkd.start),
    "reload": Happening(Networkd.reload, Networkd.reload, stays=True),
    "reconfigure": Happening(Networkd.reconfigure, Networkd.speak),
    "cable out and in": Happening(Networkd.unplug, Networkd.plug),
    "down and up": Happening(Networkd.down, Networkd.up),
    "file lost and back": Happening(Networkd.forget, Networkd.remember),
}
