"""Signals that were ignored when this process started.

Python ignores SIGPIPE and SIGXFSZ as it starts, and the kernel keeps no trace of what was before.
The parent tells: a shell and a service manager hand on what they ignore themselves. Other programs
(Python, sshd) ignore a signal for themselves alone, and are not asked.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

HIDDEN = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals whose inherited disposition Python replaces."""
_SHELLS = frozenset({"sh", "dash", "bash", "ash", "busybox", "ksh", "mksh", "zsh", "fish"})
_MANAGERS = frozenset({"systemd", "init"})
_GO_BETWEENS = frozenset(
    {"sudo", "doas", "su", "runuser", "timeout", "flock", "unshare", "nsenter", "xargs", "find"}
)
"""They wait for what they start, and hand on what they inherited whatever they ignore."""
_DEPTH = 8


def ignored() -> frozenset[signal.Signals]:
    """Those of ``HIDDEN`` that the caller ignored, as far as it can be told."""
    process = os.getppid()
    with suppress(OSError, ValueError, KeyError):
        for _ in range(_DEPTH):
            status = _status(process)
            if status["Name"] in _SHELLS | _MANAGERS:
                mask = int(status["SigIgn"], 16)
                return frozenset(s for s in HIDDEN if mask >> (s - 1) & 1)
            if status["Name"] not in _GO_BETWEENS:
                break
            process = int(status["PPid"])
    return frozenset()


def _status(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text(errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key: value.strip() for key, _, value in pairs}
