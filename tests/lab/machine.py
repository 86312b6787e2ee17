"""A lab machine over a persistent ssh connection, with `ip` as the judge."""

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
        """Run a shell command to its end, as root."""
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
        """Start a shell command in the background; it has to end by itself."""
        return subprocess.Popen(
            [*self._ssh, f"sudo sh -c {shlex.quote(command)}"], stdout=subprocess.PIPE, text=True
        )

    def write(self, path: str, text: str) -> None:
        """Write a file on the machine."""
        self.run(f"cat >{path}", stdin=text)

    def ip(self, words: str, namespace: str = "") -> Any:
        """Output of `ip -j WORDS`."""
        where = f"-n {namespace} " if namespace else ""
        return json.loads(self.run(f"ip {where}-j {words}").stdout or "[]")

    def endpoint(self, namespace: str) -> tuple[str, list[str]]:
        """MAC and addresses of a namespace's eth0, without link-local ones."""
        found = self.ip("addr show dev eth0", namespace)[0]
        return found["address"], [a["local"] for a in found["addr_info"] if a["scope"] != "link"]

    def has_carrier(self) -> bool:
        """True if the trunk's cable is plugged in."""
        return "LOWER_UP" in self.ip(f"link show dev {_CARD}")[0]["flags"]

    def pings(self, namespace: str, address: str) -> bool:
        """True if one ping is answered within two seconds; namespace "" is the host."""
        inside = f"ip netns exec {namespace} " if namespace else ""
        return self.run(f"{inside}ping -n -c1 -W2 {address}", check=False).returncode == 0

    def reaches(self, namespace: str, address: str) -> None:
        """Assert that a ping is answered within a bound."""
        what = f"ping from {self.name}/{namespace} to {address}"
        until(lambda: self.pings(namespace, address), what, seconds=60)

    def does_not_reach(self, namespace: str, address: str) -> None:
        """Assert that a ping gets no answer. First reach something else on the same wire."""
        assert not self.pings(namespace, address), f"{self.name}/{namespace} reaches {address}"

    def lab(self, verb: str, seconds: float = 60.0) -> None:
        """Run `scripts/lab VERB` for this machine, outside it."""
        subprocess.run([_ROOT / "scripts/lab", verb, self.name], check=True, timeout=seconds)

    def boot_id(self) -> str:
        """The boot id, which changes with every boot."""
        return self.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def reboot(self) -> None:
        """Shut the machine down, start it and wait until it accepts ssh."""
        before = self.boot_id()
        self.disconnect()
        self.lab("reload", BOOT_SECONDS)
        assert self.boot_id() != before

    def disconnect(self) -> None:
        """Close the connection; the next command opens a new one."""
        subprocess.run([*self._ssh, "-Oexit"], capture_output=True, check=False, timeout=10)
        self._control.unlink(missing_ok=True)

    def dump(self) -> dict[str, Any]:
        """All of its network, once no address is tentative (RFC 4862, section 5.4)."""
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
        """Assert that the machine becomes as in a dump within a bound."""
        left: list[str] = []

        def equal() -> bool:
            left[:] = differences(before, self._dump())
            return not left

        try:
            until(equal, seconds=60, poll=POLL_SECONDS)
        except AssertionError:
            raise AssertionError(f"{self.name} differs:\n" + "\n".join(left[:20])) from None

    def _dump(self) -> dict[str, Any]:
        """Its network, interface sysctls and relevant files now."""
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
