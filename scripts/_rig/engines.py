"""A Debian with container engines, for tests/containers: a directory in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _rig import cached_root

if TYPE_CHECKING:
    from pathlib import Path

_SUITE = "trixie"
_PACKAGES = (
    "busybox-static",
    "crun",
    "docker-cli",
    "docker.io",
    "iproute2",
    "iptables",
    "lxc",
    "podman",
    "systemd-container",
)


def get() -> Path:
    """Its root directory, from the cache or else built. Nothing is installed on this machine."""
    return cached_root.get("engines", _SUITE, _PACKAGES)
