"""A Debian with network managers and DHCP clients, for tests/daemons: a directory in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _rig import cached_root

if TYPE_CHECKING:
    from pathlib import Path

SUITES = ("bookworm", "trixie")
_PACKAGES = (
    "avahi-daemon",
    "avahi-utils",
    "dbus",
    "dhcpcd-base",
    "dnsmasq-base",
    "iproute2",
    "isc-dhcp-client",
    "network-manager",
    "radvd",
    "systemd",
    "systemd-resolved",
    "udhcpc",
)


def get(suite: str) -> Path:
    """Its root directory, from the cache or else built. Nothing is installed on this machine."""
    return cached_root.get("daemons", suite, _PACKAGES)
