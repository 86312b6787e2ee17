"""Serves this machine's root file system through virtiofsd; the guest mounts it read-only."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _rig import machine, tools
from _rig.problems import RigError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A C program in qemu-system-common up to Debian 12; a Rust program in a package of its own later.
_PLACES = (Path("/usr/libexec/virtiofsd"), Path("/usr/lib/qemu/virtiofsd"))
_START_SECONDS = 10


@contextlib.contextmanager
def shared_root(work: Path) -> Iterator[Path]:
    """Run virtiofsd; yields its socket. Raises RigError if it can't run here."""
    socket = work / "root.socket"
    log = work / "virtiofsd.log"
    with machine.process(_command(socket), log) as daemon:
        deadline = time.monotonic() + _START_SECONDS
        while not socket.exists():
            if daemon.poll() is not None or time.monotonic() > deadline:
                words = log.read_text(errors="replace").strip().splitlines()
                raise RigError("virtiofsd does not run here: " + (words or ["it said nothing"])[-1])
            time.sleep(0.005)
        yield socket


def _command(socket: Path) -> list[str]:
    program = _find()
    if "/qemu/" in program:
        return [
            program,
            "-o",
            "source=/,cache=always,sandbox=chroot,xattr",
            f"--socket-path={socket}",
        ]
    sandbox = "chroot" if os.geteuid() == 0 else "none"
    options = ["--shared-dir=/", "--cache=always", f"--sandbox={sandbox}", "--xattr"]
    # Announced mounts are mounts in the guest too, and its overlay can't create anything over one:
    # /run is always a mount.
    options += ["--no-announce-submounts", f"--socket-path={socket}"]
    return [program, *options]


def _find() -> str:
    for place in _PLACES:
        if os.access(place, os.X_OK):
            return str(place)
    found = tools.find_program("virtiofsd")
    if found is None:
        raise RigError("there is no virtiofsd here")
    return found
