"""The unit ``vlanlink@.service`` and its drop-ins: names, paths and contents."""

import re
import sys
from pathlib import Path
from typing import Final

from vlanlink.host import Host

TEMPLATE: Final = "vlanlink@.service"
WATCH: Final = "watch.conf"
ONLINE: Final = "online.conf"
DROP_INS: Final = (WATCH, ONLINE)


_PACKAGED: Final = (Path("/usr/lib/vlanlink"), Path("/usr/lib/systemd/system") / TEMPLATE)
"""The environment of the Debian package, and its unit."""


def is_packaged() -> bool:
    """Whether this program is the Debian package's, which brings the unit."""
    prefix, template = _PACKAGED
    return Path(sys.prefix) == prefix and template.exists()


def name(topology: str) -> str:
    """Name of a topology's instance."""
    return f"vlanlink@{topology}.service"


def path(host: Host) -> Path:
    """Path of the unit file."""
    return host.unit_directory / TEMPLATE


def drop_in_path(topology: str, host: Host, drop_in: str = WATCH) -> Path:
    """Path of a drop-in of a topology's unit."""
    return host.unit_directory / f"{name(topology)}.d" / drop_in


def text(packaged: str = TEMPLATE) -> str:
    """A packaged file, with the word vlanlink replaced by the path of this program."""
    from importlib.resources import files  # what asks for paths alone needs no text

    template = files("vlanlink.boot").joinpath(packaged).read_text()
    program = f"{_quoted(sys.executable)} -P -m vlanlink"
    return re.sub(r"(?m)^(Exec\w+=)vlanlink\b", lambda found: found[1] + program, template)


def others_enabled(topology: str, host: Host) -> bool:
    """True if other topologies use the unit."""
    links = host.unit_directory.glob("*.wants/vlanlink@?*.service")
    return any(link.name != name(topology) for link in links)


def _quoted(word: str) -> str:
    """A word of a command line, quoted for systemd.service(5)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if " " in word or escaped != word else word
