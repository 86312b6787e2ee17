"""Calls of systemctl(1); its error output becomes the error's message."""

import os
import shutil
import subprocess
from pathlib import Path

from vlanlink.errors import ConflictError, Diagnostic
from vlanlink.host import Host

_BOOTED = Path("/run/systemd/system")
"""Exists if systemd is the init, sd_booted(3)."""


def systemd_runs_here(host: Host) -> bool:
    """Whether a systemd unit has the same init, network and mounts as this process."""
    same = ["mnt"] if host.network_namespace else ["mnt", "net"]
    try:
        return (
            _BOOTED.is_dir()
            and shutil.which("systemd-run") is not None
            and all(
                os.path.samefile(f"/proc/thread-self/ns/{kind}", f"/proc/1/ns/{kind}")
                for kind in same
            )
        )
    except OSError:
        return False


def need() -> None:
    """Raise ConflictError if systemctl is missing."""
    if shutil.which("systemctl") is None:
        hint = "without systemd, let the init run: vlanlink up --wait 60 FILE"
        raise ConflictError(Diagnostic("systemctl not found", hint=hint))


def check(verb: str, unit: str) -> bool:
    """The result of ``is-enabled`` or ``is-active``."""
    done = subprocess.run(["systemctl", verb, unit], capture_output=True, check=False)
    return done.returncode == 0


def has_process(unit: str) -> bool:
    """True if a unit has a main process: it watches, or is still coming up."""
    words = ["systemctl", "show", "--property=MainPID", "--value", unit]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() not in ("", "0")


def show(unit: str, *properties: str) -> str:
    """Properties of a unit, a line each; empty where systemd does not run."""
    asked = [f"--property={one}" for one in properties]
    words = ["systemctl", "show", "--value", *asked, unit]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def sockets_of(service: str) -> list[str]:
    """The sockets that start a service.

    Its TriggeredBy= names those alone that systemd has loaded, so every socket is asked.
    """
    words = ["systemctl", "list-unit-files", "--no-legend", "--plain", "*.socket"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    names = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    names = [name for name in names if "@." not in name]
    if not names:
        return []
    words = ["systemctl", "show", "--property=Id", "--property=Triggers", *names]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    units = [dict(x.split("=", 1) for x in one.splitlines()) for one in done.stdout.split("\n\n")]
    return [one["Id"] for one in units if service in one.get("Triggers", "").split()]


def run(*words: str) -> None:
    """Run ``systemctl WORDS``. Raises ConflictError with its output on failure."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise ConflictError(Diagnostic(f"systemctl {' '.join(words)} failed: {reason}"))


def reload() -> None:
    """Make systemd read its unit files; does nothing where systemd is not the init."""
    done = subprocess.run(["systemctl", "is-system-running"], capture_output=True, check=False)
    if done.stdout.strip() != b"offline":
        run("daemon-reload")
