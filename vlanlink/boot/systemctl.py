"""systemctl(1), asked and told; what it says on a failure is passed on."""

import shutil
import subprocess

from vlanlink.errors import ConflictError, Diagnostic


def need() -> None:
    """Raise ConflictError if there is none here."""
    if shutil.which("systemctl") is None:
        hint = "here the init's own means must run vlanlink up and vlanlink down"
        raise ConflictError(Diagnostic("there is no systemctl, so no systemd", hint=hint))


def says(verb: str, unit: str) -> bool:
    """The answer to ``is-enabled`` or ``is-active``."""
    done = subprocess.run(["systemctl", verb, unit], capture_output=True, check=False)
    return done.returncode == 0


def has_process(unit: str) -> bool:
    """Whether a unit has a main process: one that watches, or that still comes up."""
    words = ["systemctl", "show", "--property=MainPID", "--value", unit]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() not in ("", "0")


def tell(*words: str) -> None:
    """``systemctl WORDS``. Raises ConflictError with what it said."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise ConflictError(Diagnostic(f"systemctl {' '.join(words)} failed: {said}"))


def reload() -> None:
    """Have systemd read its units anew; where it is not the init there is nobody to do it."""
    done = subprocess.run(["systemctl", "is-system-running"], capture_output=True, check=False)
    if done.stdout.strip() != b"offline":
        tell("daemon-reload")
