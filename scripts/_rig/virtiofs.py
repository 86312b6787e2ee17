"""Serves this machine's root file system, read-only by the guest's mount, through virtiofsd."""

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

# Debian 12 has it in qemu-system-common, a C program; later ones have a package of that name.
_PLACES = (Path("/usr/libexec/virtiofsd"), Path("/usr/lib/qemu/virtiofsd"))
_START_SECONDS = 10


@contextlib.contextmanager
def shared_root(work: Path) -> Iterator[Path]:
    """A running virtiofsd; the value is its socket. Raises RigError where it can't run."""
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
        options = ["-o", "source=/,cache=always,sandbox=chroot,xattr", f"--socket-path={socket}"]
    else:
        sandbox = "chroot" if os.geteuid() == 0 else "none"
        options = ["--shared-dir=/", "--cache=always", f"--sandbox={sandbox}", "--xattr"]
        options.append(f"--socket-path={socket}")
    return [program, *options]


def _find() -> str:
    for place in _PLACES:
        if os.access(place, os.X_OK):
            return str(place)
    found = tools.find_program("virtiofsd")
    if found is None:
        raise RigError("there is no virtiofsd here")
    return found
