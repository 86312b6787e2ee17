"""A Debian with network managers and DHCP clients, for tests/daemons: a directory in the cache."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from _rig import apt, mmdebstrap, tools
from _rig.bare import host

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
    settings = host.apt_settings()
    key = "\n".join([Path(__file__).read_text(), suite, apt.archives()[0], settings])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    cache = tools.cache_directory()
    target = cache / f"daemons-{suite}-{digest}"
    with tools.locked(cache / f"daemons-{suite}.lock"):
        if not target.exists():
            for old in cache.glob(f"daemons-{suite}-*"):
                shutil.rmtree(old)
            tools.note(f"building a {suite} with daemons (once; kept in {target})", who="test")
            with tempfile.TemporaryDirectory(prefix="daemons.", dir=cache) as temporary:
                options = Path(temporary) / "apt.conf"
                options.write_text(settings)
                root = Path(temporary) / "root"
                mmdebstrap.build(suite, root, _PACKAGES, [f"--aptopt={options}"])
                root.rename(target)
    return target
