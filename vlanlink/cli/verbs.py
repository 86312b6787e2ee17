"""The verbs: a line of help each, and the module behind each, imported only when it is needed."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Final

VERBS: Final[Mapping[str, str]] = {
    "up": "create or change what FILE describes, all of it or nothing",
    "down": "remove what a topology created, and restore what it changed",
    "restart": "take a topology down and bring it up again; endpoints keep their addresses",
    "plan": "show what up would do; change nothing",
    "status": "show which topologies are up, and how they differ from their files",
    "verify": "probe which endpoints reach each other, and compare with what the topology promises",
    "confirm": "keep the change that `up --confirm` made, or roll it back",
    "watch": "bring a topology up, then repair drift from FILE",
    "ls": "list the networks that are up",
    "inspect": "show a network and its endpoints",
    "attach": "give a container or process an endpoint of a network",
    "detach": "end an attachment; its addresses and MAC are free again",
    "attachments": "list what is attached, and the ids that keep addresses",
    "leases": "list the addresses that endpoints keep, or release some",
    "exec": "run a command in a namespace",
    "init": "write a first topology for this machine, each line explained",
    "fmt": "lay out topologies in one style; comments stay",
    "validate": "check topologies without reading the machine; needs no root",
    "import": "make a topology of Docker's or Podman's networks",
    "export": "write a topology as an iproute2 script, networkd files or CNI conflists",
    "graph": "draw a topology: a tree, an SVG picture or an HTML page",
    "schema": "print the JSON schema of the topology file, for editors",
    "doctor": "find what will fail on this machine, for FILE or in general",
    "enable": "bring a topology up at every boot, with a systemd unit",
    "disable": "don't bring a topology up at boot any more",
    "logs": "show the journal of a topology's unit",
    "help": "show the verbs, or one verb's options, examples and exit codes",
}
"""Help by verb."""
_MODULES: Final[Mapping[str, str]] = {"exec": "enter", "help": "show_help", "import": "importing"}
"""Modules that can't bear their verb's name."""
OFFLINE: Final = frozenset({"validate", "init", "fmt", "import", "schema", "help"})
"""Verbs that don't depend on the machine."""
UNLOGGED: Final = OFFLINE | {"exec", "logs"}
"""Verbs without --verbose and --debug."""
CHANGING: Final = frozenset(
    {"attach", "detach", "up", "down", "restart", "watch", "confirm", "enable", "disable"}
)
"""Verbs whose exit code tells of a change, even where nobody could read of it."""


def module(verb: str) -> ModuleType:
    """The module of a verb: ``arguments``, ``run``, ``EXAMPLES``, ``EXITS`` and ``READ_ON``."""
    return import_module(f"vlanlink.cli.{_MODULES.get(verb, verb)}")
