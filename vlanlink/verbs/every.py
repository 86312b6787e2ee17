"""The topologies that ``--all`` stands for: active ones, and those to bring up."""

from pathlib import Path

from vlanlink.host import Host, is_topology_name
from vlanlink.reconcile.session import open_session


def active(host: Host | None = None) -> tuple[str, ...]:
    """Names of the topologies that are up, or of which something is left."""
    with open_session(host) as session:
        return session.survey().topologies


def boot_files(host: Host | None = None) -> tuple[Path, ...]:
    """Topology files in the configuration directory (/etc/vlanlink), sorted by name."""
    directory = (host or Host()).configuration_directory
    return tuple(path for path in sorted(directory.glob("*.toml")) if is_topology_name(path.stem))
