"""What people type who come from other tools, or mistype."""

from collections.abc import Mapping
from typing import Final

import vlanlink
from vlanlink.cli.verbs import VERBS

_VERBS: Final[Mapping[str, str]] = {
    "up": "start apply create add deploy ifup set make",
    "down": "stop delete del remove rm destroy teardown clean cleanup ifdown prune flush unset",
    "restart": "reload reapply recreate bounce",
    "plan": "diff dry-run dryrun preview",
    "status": "state health",
    "verify": "test ping probe",
    "watch": "monitor run daemon follow",
    "ls": "list ps networks",
    "inspect": "show info describe get",
    "attach": "connect join",
    "detach": "disconnect leave",
    "leases": "lease addresses ips ipam",
    "exec": "enter shell sh bash netns nsenter",
    "init": "new generate example",
    "fmt": "format",
    "validate": "check lint",
    "import": "convert",
    "export": "dump save",
    "graph": "draw picture diagram dot svg tree",
    "doctor": "diagnose preflight",
    "logs": "log journal",
    "help": "usage man",
    "--version": "version -v",
    "--help": "-?",
}
"""Verbs and options of the command itself, and what Docker, ip(8), Terraform and systemctl call
them."""
_OPTIONS: Final = ("--help", "--version")
_BY_WORD: Final = {word: verb for verb, words in _VERBS.items() for word in words.split()}


def meant(word: str) -> str | None:
    """The verb or option of the command itself that an unknown word stands for."""
    known = _OPTIONS if word.startswith("-") else tuple(VERBS)
    return _BY_WORD.get(word.lower()) or vlanlink.nearest(word.lower(), known)
