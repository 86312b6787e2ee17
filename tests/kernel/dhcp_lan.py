"""DHCP servers on the simulated LAN: dnsmasq on a station."""

from pathlib import Path
from subprocess import Popen

from tests.kernel.lan import Lan
from tests.kernel.world import until

SERVER = "192.168.77.1"
RANGE = "192.168.77.100,192.168.77.199"


class Dnsmasq:
    """dnsmasq on a station of the LAN."""

    def __init__(self, lan: Lan, *words: str, given: str = RANGE, seconds: int = 3600) -> None:
        self.lan = lan
        self.words = words
        self.range = f"{given},{seconds}"
        if "dhcp" not in lan.world.places:
            lan.station("dhcp", f"{SERVER}/24")
        self.leases = Path("/run/dnsmasq.leases")
        self.log = Path("/run/dnsmasq.log")
        self.process = self.start()

    def start(self) -> Popen[bytes]:
        """Start it, and wait until it serves."""
        self.log.write_text("")
        command = [
            "dnsmasq",
            "--no-daemon",
            "--port=0",
            "--no-ping",
            "--conf-file=/dev/null",
            "--user=root",
            "--dhcp-authoritative",
            "--log-dhcp",
            f"--log-facility={self.log}",
            f"--dhcp-leasefile={self.leases}",
            "--interface=eth0",
            f"--dhcp-range={self.range}",
            *self.words,
        ]
        process = self.lan.world.start(command, "dhcp")
        until(lambda: "DHCP, IP range" in self.log.read_text(), "dnsmasq serves")
        return process

    def stop(self) -> None:
        """End it; its leases stay in its file."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """End it and start it again."""
        self.stop()
        self.process = self.start()

    def given(self) -> dict[str, str]:
        """The leases that it knows: address by MAC."""
        rows = [line.split() for line in self.leases.read_text().splitlines()]
        return {row[1]: row[2] for row in rows if len(row) > 3}

    def count(self, words: str) -> int:
        """How often its log has ``words``."""
        return self.log.read_text().count(words)
