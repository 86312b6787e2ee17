"""NetworkManager on the host's NIC."""

from pathlib import Path

from tests.daemons.managers import Happening, Manager
from tests.kernel.living import HOST6
from tests.kernel.world import until


class NetworkManager(Manager):
    """NetworkManager with one profile, by DHCP; it looks at every other link of the host too."""

    package = "network-manager"
    profile = "/etc/NetworkManager/system-connections/lan.nmconnection"

    def prepare(self) -> None:
        self.system.start_bus()
        self.system.write(
            "/etc/NetworkManager/conf.d/10-nic.conf",
            "[main]\nauth-polkit=root-only\n[device-nic]\nmatch-device=interface-name:eth0\nmanaged=1\n",
        )
        self.system.write(
            self.profile,
            "[connection]\nid=lan\ntype=ethernet\ninterface-name=eth0\n"
            "[ipv4]\nmethod=auto\ndhcp-client-id=mac\n"
            f"[ipv6]\nmethod=manual\naddress1={HOST6}/64\n",
        )
        self.system.path(self.profile).chmod(0o600)

    def start(self) -> None:
        self.process = self.system.start("NetworkManager --debug --log-level=INFO", "nm")
        socket = Path("/run/dbus/system_bus_socket")
        assert socket.exists()
        until(
            lambda: self.system.run("nmcli general status", check=False).returncode == 0,
            "NetworkManager answers",
        )

    def again(self) -> None:
        """The profile is brought up again, and the DHCP server does not answer at once."""
        self.silence()
        self.system.run("nmcli --wait 0 connection up lan")
        self.loses()

    def leave(self) -> None:
        self.system.run("nmcli connection down lan")
        self.loses()

    def join(self) -> None:
        self.system.run("nmcli connection up lan")

    def reapply(self) -> None:
        self.system.run("nmcli device reapply eth0")


NetworkManager.events = {
    "restarted": Happening(NetworkManager.stop, NetworkManager.start, stays=True),
    "connection up": Happening(NetworkManager.again, NetworkManager.speak),
    "connection down and up": Happening(NetworkManager.leave, NetworkManager.join),
    "reapply": Happening(NetworkManager.reapply, NetworkManager.reapply, stays=True),
    "cable out and in": Happening(NetworkManager.unplug, NetworkManager.plug),
}
