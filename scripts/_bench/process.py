"""A command run to its end, and what it took by the kernel's own account."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the clock, seconds of processor, peak memory in MiB (wait4(2))."""

    wall: float
    cpu: float
    memory: float
    output: str


def timed(words: Sequence[str], *, keep: bool = False) -> Sample:
    """Run a command with its children; ``keep`` what it prints. Raises CalledProcessError."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as kept:
        start = time.perf_counter()
        process = subprocess.Popen(
            words, stdout=kept if keep else subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            raise subprocess.CalledProcessError(process.returncode, list(words), stderr=said)
        kept.seek(0)
        output = kept.read().decode(errors="replace")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)
