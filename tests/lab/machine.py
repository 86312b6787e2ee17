"""A machine of the lab, over one kept ssh connection, and what `ip` tells of it."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from tests.kernel.judge import TREES, differences
from tests.kernel.world import until

COMMAND_SECONDS = 180.0
BOOT_SECONDS = 360.0
POLL_SECONDS = 1.0
_ROOT = Path(__file__).parents[2]
_CARD = "eth1"
_TOLD = ("link", "addr", "route show table all", "-6 route show table all", "rule", "-6 rule")
_FILES = "/etc/vlanlink /etc/systemd/system /run/netns /run/vlanlink /var/lib/vlanlink"


class Machine:
    """One of host1, host2 and router. Commands run there as root."""

    def __init__(self, name: str, ssh_config: str, directory: Path) -> None:
        self.name = name
        self._control = directory / name
        options = ["ControlMaster=auto", "ControlPersist=yes", f"ControlPath={self._control}"]
        options += ["LogLevel=ERROR", "ConnectTimeout=10", "ServerAliveInterval=10"]
        self._ssh = ["ssh", "-F", ssh_config, *(f"-o{option}" for option in options), name]

    def run(
        self, command: str, *, check: bool = True, stdin: str = "", seconds: float = COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command to its end; its output is text."""
        done = subprocess.run(
            [*self._ssh, f"sudo sh -c {shlex.quote(command)}"],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, (self.name, command, done.stdout, done.stderr)
        return done

    def start(self, command: str) -> "subprocess.Popen[str]":
        """Start a shell command that goes on; it ends with what it has to do, or by itself."""
        return subprocess.Popen(
            [*self._ssh, f"sudo sh -c {shlex.quote(command)}"], stdout=subprocess.PIPE, text=True
        )

    def write(self, path: str, text: str) -> None:
        """Write a file there."""
        self.run(f"cat >{path}", stdin=text)

    def ip(self, words: str, namespace: str = "") -> Any:
        """What `ip -j WORDS` says there."""
        where = f"-n {namespace} " if namespace else ""
        return json.loads(self.run(f"ip {where}-j {words}").stdout or "[]")

    def endpoint(self, namespace: str) -> tuple[str, list[str]]:
        """The MAC of a namespace's eth0, and its addresses that are not link-local."""
        found = self.ip("addr show dev eth0", namespace)[0]
        return found["address"], [a["local"] for a in found["addr_info"] if a["scope"] != "link"]

    def has_carrier(self) -> bool:
        """Whether the trunk's cable is plugged in."""
        return "LOWER_UP" in self.ip(f"link show dev {_CARD}")[0]["flags"]

    def pings(self, namespace: str, address: str) -> bool:
        """Whether one ping is answered within two seconds; the machine itself has no name."""
        inside = f"ip netns exec {namespace} " if namespace else ""
        return self.run(f"{inside}ping -n -c1 -W2 {address}", check=False).returncode == 0

    def reaches(self, namespace: str, address: str) -> None:
        """A ping is answered, within a bound."""
        what = f"ping from {self.name}/{namespace} to {address}"
        until(lambda: self.pings(namespace, address), what, seconds=60)

    def does_not_reach(self, namespace: str, address: str) -> None:
        """No ping is answered. Ask only after something on the same wire was reached."""
        assert not self.pings(namespace, address), f"{self.name}/{namespace} reaches {address}"

    def lab(self, verb: str, seconds: float = 60.0) -> None:
        """Have `scripts/lab` do something with the machine, as its hypervisor can."""
        subprocess.run([_ROOT / "scripts/lab", verb, self.name], check=True, timeout=seconds)

    def boot_id(self) -> str:
        """Another one after each boot."""
        return self.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def reboot(self) -> None:
        """Shut it down and start it, and wait until it lets us in."""
        before = self.boot_id()
        self.disconnect()
        self.lab("reload", BOOT_SECONDS)
        assert self.boot_id() != before

    def disconnect(self) -> None:
        """Give up the connection; the next command makes a new one."""
        subprocess.run([*self._ssh, "-Oexit"], capture_output=True, check=False, timeout=10)
        self._control.unlink(missing_ok=True)

    def dump(self) -> dict[str, Any]:
        """All of its network, once no address is tentative any more (RFC 4862, section 5.4)."""
        found = self._dump()

        def settled() -> bool:
            rows = [a for link in found["addr"].values() for a in link["addr_info"]]
            if not any(row.get("tentative") for row in rows):
                return True
            found.update(self._dump())
            return False

        until(settled, f"{self.name}: no address is tentative", seconds=60, poll=POLL_SECONDS)
        return found

    def is_as(self, before: dict[str, Any]) -> None:
        """It is what a dump shows, within a bound."""
        left: list[str] = []

        def equal() -> bool:
            left[:] = differences(before, self._dump())
            return not left

        try:
            until(equal, seconds=60, poll=POLL_SECONDS)
        except AssertionError:
            raise AssertionError(f"{self.name} differs:\n" + "\n".join(left[:20])) from None

    def _dump(self) -> dict[str, Any]:
        """All of its network now, the sysctls of its interfaces, and the files that matter."""
        told = "; ".join(f"ip -j -d {words}; echo" for words in _TOLD)
        trees = " ".join(f"/proc/sys/{tree}" for tree in TREES)
        files = f"find {_FILES} -mindepth 1 ! -name 'lock*' 2>/dev/null"
        text = self.run(f"{told}; echo ==; grep -rs '' {trees}; echo ==; {files}; true").stdout
        network, sysctls, found_files = text.split("==\n")
        arrays = [json.loads(line or "[]") for line in network.splitlines() if line]
        found = dict(zip(_TOLD, arrays, strict=True))
        for what in ("link", "addr"):
            found[what] = {row["ifname"]: row for row in found[what] if row}
        for what in _TOLD[2:]:
            found[what] = sorted(found[what], key=str)
        return {
            **found,
            "sysctls": dict(line.split(":", 1) for line in sysctls.splitlines()),
            "files": sorted(found_files.splitlines()),
        }
