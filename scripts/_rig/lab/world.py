"""The lab's world: PID, mount and network namespaces in which libvirt's daemon runs.

Bridges, firewall rules, DHCP servers and virtual machines live in it, so this machine's network and
its libvirt are not touched, and killing the world removes all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _rig import tools
from _rig.problems import RigError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_PROCESS = Path(__file__).with_name("world-init")
_START_SECONDS = 60
_END_SECONDS = 30


class World:
    """A world with its files in one directory; it outlives this process."""

    def __init__(self, directory: Path) -> None:
        """Start nothing yet."""
        self.directory = directory
        self._file = directory / "world.json"

    def start(self) -> None:
        """Start the world with an empty directory and wait until libvirt answers."""
        self.directory.mkdir(parents=True)
        unshare = [tools.program("unshare", "util-linux"), "--fork", "--kill-child", "--mount-proc"]
        unshare += ["--pid", "--net", "--mount", str(_FIRST_PROCESS), str(self.directory)]
        with (self.directory / "world.log").open("wb") as log:
            started = subprocess.Popen(
                unshare, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        told = {"pid": started.pid, "started": _start_time(started.pid)}
        self._file.write_text(json.dumps(told))
        self._await_libvirt(started)

    def _await_libvirt(self, started: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        ask = ["virsh", "--quiet", "--connect", "qemu:///system", "list"]
        while started.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(RigError, subprocess.TimeoutExpired):
                command = self.inside(ask)
                done = subprocess.run(command, capture_output=True, check=False, timeout=10)
                if done.returncode == 0:
                    return
            time.sleep(0.2)
        logs = [self.directory / name for name in ("world.log", "libvirtd.log")]
        words = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
        raise RigError("libvirt's daemon did not answer\n" + "\n".join(words[-20:]))

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command, wrapped to run in the world. Raises RigError if there is no world."""
        return [
            *self._enter("--mount", "--root", "--pid"),
            "env",
            f"--chdir={Path.cwd()}",
            *command,
        ]

    def on_its_network(self, command: Sequence[str]) -> list[str]:
        """The command, wrapped to run with this machine's files and the world's network."""
        return [*self._enter("--pid"), *command]

    def is_there(self) -> bool:
        """True if the world is running."""
        return self._process() is not None

    def end(self) -> None:
        """Kill everything in the world and remove its directory."""
        process = self._process()
        if process is not None:
            os.kill(process, signal.SIGKILL)  # the kernel then kills the world's first process
            deadline = time.monotonic() + _END_SECONDS
            while _is_alive(process) and time.monotonic() < deadline:
                time.sleep(0.05)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _enter(self, *kinds: str) -> list[str]:
        process = self._process()
        children = Path(f"/proc/{process}/task/{process}/children")
        if process is None or not (first := children.read_text().split()):
            raise RigError("the lab is not up; scripts/lab up starts it")
        return [tools.program("nsenter", "util-linux"), f"--target={first[0]}", "--net", *kinds]

    def _process(self) -> int | None:
        """The world's outer process; None if it ended, even if its pid was reused."""
        try:
            told = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return None
        pid = int(told["pid"])
        return pid if _is_alive(pid) and _start_time(pid) == told["started"] else None


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on; see proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def _is_alive(pid: int) -> bool:
    return _stat(pid)[:1] not in ([], ["Z"])


def _start_time(pid: int) -> str:
    return _stat(pid)[19]
