"""Where vlanlink works: one value, handed from the verbs down to the kernel's door.

Nothing else looks at /run, /proc/self/ns or /etc/machine-id, so two hosts can live on one machine
and tests run side by side.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Host:
    """A machine as vlanlink sees it. Left as it is: the one that the process runs on.

    ``network_namespace`` is the path of the namespace that plays the host, None for the caller's.
    ``machine_id`` enters the derived MACs; None means what /etc/machine-id says. The
    configuration directory holds the topologies that come up at boot, the unit directory is where
    the administrator's systemd units are.
    """

    network_namespace: str | None = None
    netns_directory: Path = Path("/run/netns")
    run_directory: Path = Path("/run/vlanlink")
    state_directory: Path = Path("/var/lib/vlanlink")
    machine_id: str | None = None
    configuration_directory: Path = Path("/etc/vlanlink")
    unit_directory: Path = Path("/etc/systemd/system")

    def identity(self) -> str:
        """The machine's identity, machine-id(5); empty where a machine has none."""
        if self.machine_id is not None:
            return self.machine_id
        try:
            return Path("/etc/machine-id").read_text().strip()
        except OSError:
            return ""
