"""Brings the peers that have to be had from elsewhere, before the bench leaves the network.

Nothing is installed: the Debian package of the CNI plugins is unpacked, and IfState has a virtual
environment of its own, both in the cache directory. What can't be had leaves a note of why.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from _rig import tools
from _rig.problems import RigError

if TYPE_CHECKING:
    from collections.abc import Callable

BUSYBOX = "busybox"
CNI_PACKAGE = "containernetworking-plugins"
IFSTATE = "ifstate==2.5.1"


class AbsentError(Exception):
    """A peer is not to be had here, and why."""


def cni_plugins() -> Path:
    """Where the CNI plugins are. Raises AbsentError."""
    return _place("cni") / "usr/lib/cni"


def busybox() -> str:
    """Debian's busybox, which has udhcpc. Raises AbsentError."""
    return str(_place(BUSYBOX) / "bin/busybox")


def ifstate() -> list[str]:
    """IfState's command. Raises AbsentError."""
    programs = _place(IFSTATE) / "bin"
    return [str(programs / "python"), str(programs / "ifstatecli")]


def _home() -> Path:
    path = tools.cache_directory() / "bench"
    path.mkdir(exist_ok=True)
    return path


def _place(name: str) -> Path:
    path = _home() / name
    if not path.is_dir():
        note = _note(name)
        why = note.read_text() if note.exists() else "not in the cache"
        raise AbsentError(f"{name} takes no part: {why}")
    return path


def _note(name: str) -> Path:
    return _home() / f"{name}.absent"


def _fetch_package(name: str, into: Path) -> None:
    with tempfile.TemporaryDirectory() as download:
        tools.run(["apt-get", "-q", "download", name], cwd=Path(download))
        (package,) = Path(download).glob("*.deb")
        tools.run(["dpkg", "-x", package, into])


def _fetch_ifstate(into: Path) -> None:
    tools.run([sys.executable, "-m", "venv", into])
    quiet = ("--quiet", "--disable-pip-version-check")
    tools.run([into / "bin/python", "-m", "pip", "install", *quiet, IFSTATE])


def main() -> None:
    """Fetch what is not in the cache yet."""
    wanted = (
        ("cni", partial(_fetch_package, CNI_PACKAGE)),
        (BUSYBOX, partial(_fetch_package, BUSYBOX)),
        (IFSTATE, _fetch_ifstate),
    )
    for name, fetch in wanted:
        if not (_home() / name).is_dir():
            _try(name, fetch)


def _try(name: str, fetch: Callable[[Path], None]) -> None:
    note = _note(name)
    note.unlink(missing_ok=True)
    tools.note(f"fetch {name} into {_home()}", who="bench")
    try:
        with tools.new_directory(_home() / name) as work:
            fetch(work)
    except RigError as error:
        note.write_text(str(error))


if __name__ == "__main__":
    main()
