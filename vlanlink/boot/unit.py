"""The unit ``vlanlink@.service`` and its drop-in: their names, their places, what is in them."""

import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

from vlanlink.host import Host

TEMPLATE: Final = "vlanlink@.service"
DROP_IN: Final = "watch.conf"


def name(topology: str) -> str:
    """The instance for a topology."""
    return f"vlanlink@{topology}.service"


def path(host: Host) -> Path:
    """Where the unit goes."""
    return host.unit_directory / TEMPLATE


def drop_in_path(topology: str, host: Host) -> Path:
    """Where that goes which has the unit of a topology watch it."""
    return host.unit_directory / f"{name(topology)}.d" / DROP_IN


def text(packaged: str = TEMPLATE) -> str:
    """A packaged file as it runs this very program; there it is the bare word vlanlink."""
    template = files("vlanlink.boot").joinpath(packaged).read_text()
    program = f"{_quoted(sys.executable)} -P -m vlanlink"
    return re.sub(r"(?m)^(Exec\w+=)vlanlink\b", lambda found: found[1] + program, template)


def others_enabled(topology: str, host: Host) -> bool:
    """Whether other topologies come up at boot by the unit."""
    links = host.unit_directory.glob("*.wants/vlanlink@?*.service")
    return any(link.name != name(topology) for link in links)


def _quoted(word: str) -> str:
    """A word of a command line as systemd.service(5) reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if " " in word or escaped != word else word
