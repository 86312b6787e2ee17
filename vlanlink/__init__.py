"""VLAN, macvlan and ipvlan networks from a TOML topology: planned, applied, verified, undone.

::

    import vlanlink

    topology = vlanlink.load("topology.toml")
    print(vlanlink.plan(topology))
    vlanlink.up(topology)
    vlanlink.down("office")

Names are imported when they are first used, so that reading a topology does not load netlink.
"""

from typing import TYPE_CHECKING, Any

from vlanlink._version import __version__

if TYPE_CHECKING:
    from vlanlink.api import (
        Status,
        down,
        enter,
        inspect,
        networks,
        plan,
        snapshot,
        status,
        up,
        verify,
    )
    from vlanlink.boot import disable, enable
    from vlanlink.commit_confirm.commit import confirm
    from vlanlink.errors import (
        ApplyError,
        ConflictError,
        Diagnostic,
        Interrupted,
        PrivilegeError,
        TopologyError,
        UsageError,
        VlanlinkError,
    )
    from vlanlink.host import Host
    from vlanlink.model import State
    from vlanlink.planning.plan import Plan
    from vlanlink.preflight.examine import doctor
    from vlanlink.reachability.result import Verification
    from vlanlink.topology import Topology, load
    from vlanlink.watcher import Watch

_HOMES = {
    "vlanlink.api": (
        "Status",
        "down",
        "enter",
        "inspect",
        "networks",
        "plan",
        "snapshot",
        "status",
        "up",
        "verify",
    ),
    "vlanlink.boot": ("disable", "enable"),
    "vlanlink.commit_confirm.commit": ("confirm",),
    "vlanlink.errors": (
        "ApplyError",
        "ConflictError",
        "Diagnostic",
        "Interrupted",
        "PrivilegeError",
        "TopologyError",
        "UsageError",
        "VlanlinkError",
    ),
    "vlanlink.preflight.examine": ("doctor",),
    "vlanlink.host": ("Host",),
    "vlanlink.model": ("State",),
    "vlanlink.planning.plan": ("Plan",),
    "vlanlink.topology": ("Topology", "load"),
    "vlanlink.reachability.result": ("Verification",),
    "vlanlink.watcher": ("Watch",),
}

__all__ = [
    "ApplyError",
    "ConflictError",
    "Diagnostic",
    "Host",
    "Interrupted",
    "Plan",
    "PrivilegeError",
    "State",
    "Status",
    "Topology",
    "TopologyError",
    "UsageError",
    "Verification",
    "VlanlinkError",
    "Watch",
    "__version__",
    "confirm",
    "disable",
    "doctor",
    "down",
    "enable",
    "enter",
    "inspect",
    "load",
    "networks",
    "plan",
    "snapshot",
    "status",
    "up",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home (PEP 562)."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'vlanlink' has no attribute {name!r}")
