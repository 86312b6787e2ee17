"""Calls of systemctl(1); its error output becomes the error's message."""

import os
import shutil
import subprocess
from pathlib import Path

from vlanlink.errors import ConflictError, Diagnostic
from vlanlink.host import Host

_BOOTED = Path("/run/systemd/system")
"""Exists if systemd is the init, sd_booted(3)."""
_ANSWER_SECONDS = 90.0
_JOB_SECONDS = 900.0
"""A restart of our unit may take twice its TimeoutSec=5min; systemctl itself has no bound."""
_JOBS = frozenset({"start", "stop", "restart", "reload"})
"""Verbs that end with a job of systemd's, not with its answer."""


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
    """The result of ``is-enabled`` or ``is-active``. Raises ConflictError without an answer."""
    return _systemctl(verb, unit).returncode == 0


def has_process(unit: str) -> bool:
    """True if a unit has a main process: it watches, or is still coming up.

    Raises ConflictError without an answer.
    """
    done = _systemctl("show", "--property=MainPID", "--value", unit)
    return done.stdout.strip() not in ("", "0")


def show(unit: str, *properties: str) -> str:
    """Properties of a unit, a line each; empty where systemd does not run.

    Raises ConflictError without an answer.
    """
    asked = [f"--property={one}" for one in properties]
    done = _systemctl("show", "--value", *asked, unit)
    return done.stdout if done.returncode == 0 else ""


def sockets_of(service: str) -> list[str]:
    """The sockets that start a service. Raises ConflictError without an answer.

    Its TriggeredBy= names those alone that systemd has loaded, so every socket is asked.
    """
    done = _systemctl("list-unit-files", "--no-legend", "--plain", "*.socket")
    names = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    names = [name for name in names if "@." not in name]
    if not names:
        return []
    done = _systemctl("show", "--property=Id", "--property=Triggers", *names)
    units = [dict(x.split("=", 1) for x in one.splitlines()) for one in done.stdout.split("\n\n")]
    return [one["Id"] for one in units if service in one.get("Triggers", "").split()]


def run(*words: str) -> None:
    """Run ``systemctl WORDS``. Raises ConflictError with its output on failure."""
    done = _systemctl(*words)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise ConflictError(Diagnostic(f"systemctl {' '.join(words)} failed: {reason}"))


def reload() -> None:
    """Make systemd read its unit files; does nothing where systemd is not the init."""
    if _systemctl("is-system-running").stdout.strip() != "offline":
        run("daemon-reload")


def _systemctl(*words: str) -> "subprocess.CompletedProcess[str]":
    is_job = words[0] in _JOBS
    seconds = _JOB_SECONDS if is_job else _ANSWER_SECONDS
    try:
        return subprocess.run(
            ["systemctl", *words], capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        message = f"systemctl {' '.join(words)} did not end within {seconds:g} s"
        waits = "systemctl list-jobs shows what systemd waits for"
        hint = waits if is_job else "try again once systemctl is-system-running answers"
        raise ConflictError(Diagnostic(message, hint=hint)) from None
