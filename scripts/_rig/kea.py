"""Kea's DHCP server for the tests: unpacked from Debian's packages into the cache, never installed.

The package would start a server on the machine and enable it for the next boot.
"""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

from _rig import tools
from _rig.apt import Archive, unpack
from _rig.problems import RigError

_PACKAGE = "kea-dhcp4-server"
_WRAPPER = """\
#!/bin/sh
LD_LIBRARY_PATH={libraries} exec {program} "$@"
"""


def directory() -> Path | None:
    """A directory with kea-dhcp4, for PATH, from the cache or from Debian; None if it is installed.

    Raises RigError.
    """
    if tools.find_program("kea-dhcp4"):
        return None
    suite = _suite()
    cache = tools.cache_directory()
    home = cache / f"kea-{suite}"
    with tools.locked(cache / "kea.lock"):
        if not home.exists():
            _fetch(suite, home)
    return home / "bin"


def _suite() -> str:
    """The Debian release of this machine: its libraries fit."""
    release = platform.freedesktop_os_release()
    if release.get("ID") != "debian" or "VERSION_CODENAME" not in release:
        raise RigError("Kea is fetched on Debian only; install kea-dhcp4 to run its tests")
    return release["VERSION_CODENAME"]


def _fetch(suite: str, target: Path) -> None:
    tools.note(f"fetching Kea from Debian's {suite} (once; kept in {target})", who="test")
    archive = Archive([suite], tools.cache_directory() / f"apt-{suite}-kea")
    archive.refresh()
    with (
        tempfile.TemporaryDirectory(prefix="vlanlink-kea-") as packages,
        tools.new_directory(target) as home,
    ):
        for package in archive.download(archive.lacking(_PACKAGE), into=Path(packages)):
            unpack(package, home)
        _wrap(home, target)


def _wrap(home: Path, target: Path) -> None:
    program = home / "usr/sbin/kea-dhcp4"
    libraries = {path.parent for path in home.glob("usr/lib/*/lib*.so*")}
    wrapper = home / "bin/kea-dhcp4"
    wrapper.parent.mkdir()
    wrapper.write_text(
        _WRAPPER.format(
            libraries=":".join(str(target / path.relative_to(home)) for path in libraries),
            program=target / program.relative_to(home),
        )
    )
    wrapper.chmod(0o755)
