"""Where vlanlink works: one value, passed from the verbs down to the kernel interface.

Nothing else reads /run, /proc/self/ns or /etc/machine-id, so two hosts can share a machine and
tests run side by side.
"""

import os
import re
import time
from pathlib import Path
from typing import Final

from vlanlink.dataclass import dataclass

HOST: Final = ""
"""The name that stands for the host's own namespace, the one that vlanlink is started in."""

StrPath = str | os.PathLike[str]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}", re.ASCII)


def is_topology_name(name: str) -> bool:
    """Whether a topology can have this name: it becomes part of marks, paths and command lines."""
    return _NAME.fullmatch(name) is not None and not name.endswith(".toml")


_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


def is_domain(name: str) -> bool:
    """Whether it is a domain name by its grammar (RFC 1035, 2.3.1; underscores are common)."""
    return 0 < len(name) <= 253 and all(re.fullmatch(_LABEL, label) for label in name.split("."))


def boot_id() -> str:
    """The id of this boot; empty if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def since_boot() -> float:
    """Seconds since boot, those in suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True, init=False)
class Host:
    """A machine as vlanlink sees it. The defaults describe the machine that runs this process."""

    network_namespace: str | None
    """Path of the network namespace that acts as the host; None: the caller's."""
    netns_directory: Path
    run_directory: Path
    state_directory: Path
    machine_id: str | None
    """Goes into derived MACs; None: the contents of /etc/machine-id."""
    configuration_directory: Path
    """Topologies that come up at boot."""
    unit_directory: Path
    """The administrator's systemd units."""
    etc_netns_directory: Path
    """Files of single namespaces, which replace those of /etc there (ip-netns(8))."""

    def __init__(
        self,
        network_namespace: StrPath | None = None,
        netns_directory: StrPath = "/run/netns",
        run_directory: StrPath = "/run/vlanlink",
        state_directory: StrPath = "/var/lib/vlanlink",
        machine_id: str | None = None,
        configuration_directory: StrPath = "/etc/vlanlink",
        unit_directory: StrPath = "/etc/systemd/system",
        etc_netns_directory: StrPath = "/etc/netns",
    ) -> None:
        """Accept str and PathLike for every path."""
        own = None if network_namespace is None else os.fspath(network_namespace)
        values = {
            "network_namespace": own,
            "netns_directory": Path(netns_directory),
            "run_directory": Path(run_directory),
            "state_directory": Path(state_directory),
            "machine_id": machine_id,
            "configuration_directory": Path(configuration_directory),
            "unit_directory": Path(unit_directory),
            "etc_netns_directory": Path(etc_netns_directory),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def copy_path(self, topology: str) -> Path:
        """Path of the copy of a topology that is enabled at boot."""
        return self.configuration_directory / f"{topology}.toml"

    def has_services(self) -> bool:
        """Whether ``enable`` has tied systemd units to namespaces."""
        return any(self.unit_directory.glob("*.d/vlanlink.conf"))

    def identity(self) -> str:
        """Machine identity, machine-id(5); empty if the machine has none."""
        if self.machine_id is not None:
            return self.machine_id
        try:
            return Path("/etc/machine-id").read_text().strip()
        except OSError:
            return ""

    def nsswitch(self) -> str:
        """The host's nsswitch.conf(5), beside ``etc_netns_directory``; empty if there is none."""
        try:
            return (self.etc_netns_directory.parent / "nsswitch.conf").read_text()
        except (OSError, UnicodeDecodeError):
            return ""
