"""The lab's machines, through Vagrant: start, ssh, trunk cables, stop."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from _rig import tools
from _rig.lab import box
from _rig.lab.world import World
from _rig.problems import GuestTimeoutError, MissingError, RigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAMES = ("host1", "host2", "router")
_STATE = tools.CHECKOUT / ".vagrant"
_PACKAGE = _STATE / "package"
SSH_CONFIG = _STATE / "ssh_config"
_SHOWN_LINES = 40
_UP_SECONDS = 480
_RELOAD_SECONDS = 300
_SHORT_SECONDS = 60


def note(message: str) -> None:
    """Say what is going on, on stderr."""
    tools.note(message, who="lab")


class Machines:
    """Root's machines live in their own world; a user's are plain Vagrant machines."""

    def __init__(self, accelerator: str) -> None:
        """`accelerator` is tcg or kvm, for root's machines."""
        self._world = World(_STATE / "lab") if os.geteuid() == 0 else None
        self._accelerator = accelerator

    def up(self) -> None:
        """Build what is missing and start all three; a failure leaves nothing behind."""
        if self._world and self._world.is_there():
            raise RigError("the lab is already up; scripts/lab down stops it")
        self.down()
        try:
            self._start()
        except BaseException:
            self.down()
            raise

    def _start(self) -> None:
        _build_package()
        if self._world:
            built = box.get()
            note("starting libvirt's daemon in its own namespaces")
            self._world.start()
            self._vagrant("box", "add", "--name", "vlanlink-lab", str(built))
        note(f"starting {', '.join(NAMES)} (at most {_UP_SECONDS} s)")
        self._vagrant("up", seconds=_UP_SECONDS)
        SSH_CONFIG.write_text(self._vagrant("ssh-config"))

    def down(self) -> None:
        """Stop and remove what exists."""
        if self._world:
            self._world.end()
        elif (_STATE / "machines").exists():
            self._vagrant("destroy", "--force")
        shutil.rmtree(_PACKAGE, ignore_errors=True)
        SSH_CONFIG.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            _STATE.rmdir()

    def ssh(self, name: str, words: Sequence[str]) -> int:
        """Log in to a machine or run a command there; returns ssh's exit status."""
        command = ["ssh", "-F", str(self._config()), name, *words]
        return subprocess.run(self.reaching(command), check=False).returncode

    def reaching(self, command: Sequence[str]) -> list[str]:
        """The command, wrapped so that it can reach the machines by ssh."""
        self._config()
        return self._world.on_its_network(command) if self._world else list(command)

    def set_cable(self, name: str, *, plugged: bool) -> None:
        """Plug a machine's trunk cable in, or pull it."""
        machine = _STATE / ("lab/vagrant" if self._world else "") / "machines" / name
        for provider in ("libvirt", "virtualbox"):
            identity = machine / provider / "id"
            if identity.exists():
                for command in _cable_commands(provider, identity.read_text(), plugged=plugged):
                    self._run(command)
                return
        raise RigError(f"{name} is not a machine of libvirt or VirtualBox")

    def reload(self, name: str) -> None:
        """Shut a machine down cleanly and start it again.

        After a reset instead, QEMU 7.2 under TCG can take minutes to unpack the kernel.
        """
        self._vagrant("reload", name, seconds=_RELOAD_SECONDS)

    def _config(self) -> Path:
        if not SSH_CONFIG.exists():
            raise RigError("the lab is not up; scripts/lab up starts it")
        return SSH_CONFIG

    def _vagrant(self, *words: str, seconds: float = _SHORT_SECONDS) -> str:
        vagrant = tools.find_program("vagrant")
        if vagrant is None:
            raise MissingError("Vagrant is not installed, see https://www.vagrantup.com")
        return self._run([vagrant, *words], seconds=seconds)

    def _run(self, command: Sequence[str], *, seconds: float = _SHORT_SECONDS) -> str:
        """Run a command in the machines' world; returns its output."""
        inside = self._world.inside(command) if self._world else list(command)
        try:
            done = subprocess.run(
                inside,
                env=self._environment(),
                cwd=tools.CHECKOUT,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as end:
            said = (end.stdout or b"") + (end.stderr or b"")
            shown = _last_lines(said.decode(errors="replace"))
            what = " ".join(command)
            raise GuestTimeoutError(f"{what} did not end within {seconds:g} s\n{shown}") from None
        if done.returncode != 0:
            raise RigError(f"failed: {' '.join(command)}\n{_last_lines(done.stdout + done.stderr)}")
        return done.stdout

    def _environment(self) -> Mapping[str, str]:
        if self._world is None:
            return os.environ
        directory = self._world.directory
        own = {
            "VAGRANT_HOME": str(directory / "home"),
            "VAGRANT_DOTFILE_PATH": str(directory / "vagrant"),
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
            "VLANLINK_LAB_BOX": "vlanlink-lab",
            "VLANLINK_LAB_CONSOLES": str(directory / "log"),
            "VLANLINK_LAB_DRIVER": {"tcg": "qemu", "kvm": "kvm"}[self._accelerator],
            "VLANLINK_LAB_MANAGEMENT": "none",
        }
        return {**tools.plain_environment(), **own}


def _build_package() -> None:
    note("building a package of vlanlink")
    shutil.rmtree(_PACKAGE, ignore_errors=True)
    script = str(tools.CHECKOUT / "scripts/package")
    tools.run([script, "deb", f"--python={box.PYTHON}", f"--output={_PACKAGE}"])


def _cable_commands(provider: str, identity: str, *, plugged: bool) -> list[list[str]]:
    if provider == "virtualbox":
        state = "on" if plugged else "off"
        return [["VBoxManage", "controlvm", identity, "setlinkstate2", state]]
    state = "up" if plugged else "down"
    virsh = "virsh --connect qemu:///system"
    trunk = f"$({virsh} domiflist {identity} | awk '$3 == \"vlanlink-trunk\" {{ print $5 }}')"
    return [["sh", "-c", f"{virsh} domif-setlink {identity} {trunk} {state}"]]


def _last_lines(text: str) -> str:
    """The last lines of Vagrant's output, with the final state of progress bars."""
    lines = [re.split(r"[\r\x1b]", line)[-1] for line in text.splitlines()]
    return "\n".join(lines[-_SHOWN_LINES:])
