"""DHCP servers on the simulated LAN: dnsmasq on a station."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from shutil import which
from subprocess import Popen

import pytest

from tests.kernel.dhcp_liar import HEARD, MODE
from tests.kernel.lan import Lan
from tests.kernel.world import until
from tests.unit.dhcp_server import SERVER_MAC
from vlanlink.store import keeper_file

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
            "--keep-in-foreground",
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


RELAY, UPSTREAM = "192.168.77.2", "10.9.0.1"


def relayed(lan: Lan, *words: str) -> Dnsmasq:
    """A server behind a router that relays: its answers come from another network."""
    world = lan.world
    lan.station("relay", f"{RELAY}/24")
    world.make_place("dhcp")
    inside = world.places["dhcp"]
    world.ip(f"link add up0 type veth peer name eth0 netns {inside}", "relay")
    world.batch("addr add 10.9.0.2/24 dev up0\nlink set up0 up", "relay")
    world.batch(
        f"addr add {UPSTREAM}/24 dev eth0\nlink set eth0 up\nroute add default via 10.9.0.2", "dhcp"
    )
    world.run("sysctl -qw net.ipv4.ip_forward=1", "relay")
    server = Dnsmasq(lan, *words, given=f"{RANGE},255.255.255.0")
    relay = "dnsmasq --keep-in-foreground --port=0 --conf-file=/dev/null --user=root"
    log = Path("/run/relay.log")
    world.start(f"{relay} --log-facility={log} --dhcp-relay={RELAY},{UPSTREAM}", "relay")
    until(lambda: log.exists() and "DHCP relay from" in log.read_text(), "it relays")
    return server


def end_keepers() -> None:
    """Kill the keepers of the test's machine, and wait for their end."""
    for file in Path("/run/vlanlink").glob("*.keeper"):
        found = keeper_file.find(file)
        if found is not None and found.pid:
            os.kill(found.pid, signal.SIGKILL)
        until(partial(_is_gone, file), "the keeper has ended")


def _is_gone(file: Path) -> bool:
    return keeper_file.find(file) is None


class Liar:
    """A server of ours on a station: its leases are as short as one likes, and it may lie."""

    def __init__(self, lan: Lan, seconds: int, mode: str = "answer") -> None:
        lan.station("dhcp", "192.0.2.1/24", mac=SERVER_MAC)
        HEARD.touch()
        self.says(mode)
        lan.world.start([sys.executable, "-m", "tests.kernel.dhcp_liar", str(seconds)], "dhcp")
        until(MODE.with_suffix(".ready").exists, "the server serves")

    def says(self, mode: str) -> None:
        """From now on."""
        self.before = HEARD.stat().st_size
        MODE.write_text(mode)

    def hears(self, state: str) -> None:
        """Wait until a client has told of a state since what the server says has changed."""
        until(lambda: state in HEARD.read_text()[self.before :], f"a client is {state}")


def need_kea() -> None:
    """Skip the test where there is no Kea; scripts/test fetches it, so in CI it fails."""
    if which("kea-dhcp4") is None:
        reason = "kea-dhcp4 is not on PATH"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


class Kea:
    """Kea on a station: its leases may be shorter than dnsmasq's."""

    def __init__(self, lan: Lan, seconds: int) -> None:
        if "dhcp" not in lan.world.places:
            lan.station("dhcp", f"{SERVER}/24")
        self.lan = lan
        pool = {"pool": RANGE.replace(",", "-")}
        options = [{"name": "routers", "data": SERVER}]
        subnet = {"subnet": "192.168.77.0/24", "pools": [pool], "option-data": options}
        log = [{"output": "/run/kea.log"}]
        database = {"type": "memfile", "persist": False}
        config = {
            "interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "raw"},
            "valid-lifetime": seconds,
            "lease-database": database,
            "subnet4": [subnet],
            "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": log}],
        }
        Path("/run/kea.json").write_text(json.dumps({"Dhcp4": config}))
        self.process = self.start()

    def start(self) -> Popen[bytes]:
        """Start it, and wait until it serves."""
        log = Path("/run/kea.log")
        log.write_text("")
        program = which("kea-dhcp4")
        assert program is not None
        places = ["KEA_PIDFILE_DIR=/run", "KEA_LOG_FILE_DIR=/run", "KEA_LOCKFILE_DIR=none"]
        words = ["env", *places, program]
        process = self.lan.world.start([*words, "-c", "/run/kea.json"], "dhcp")
        until(lambda: "DHCP4_STARTED" in log.read_text(), "Kea serves")
        return process

    def stop(self) -> None:
        """End it. It forgets its leases."""
        self.process.kill()
        self.process.wait()
