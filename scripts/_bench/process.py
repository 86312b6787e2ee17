"""A command run to its end, and what it took by the kernel's own account."""

from __future__ import annotations

import os
import re
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
    own: dict[str, float]
    """Seconds by phase, where the command tells."""


def timed(words: Sequence[str], *, keep: bool = False) -> Sample:
    """Run a command with its children; ``keep`` what it says on stderr.

    Raises CalledProcessError.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(words), stderr=said)
    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    return Sample(wall, cpu, memory, _figures(said) if keep else {})


def _figures(said: str) -> dict[str, float]:
    """Lines of a name and a number of seconds, as `up --timings` writes them."""
    rows = (re.fullmatch(r"(\S.*?)\s+([0-9.]+) s", line) for line in said.splitlines())
    return {row[1]: float(row[2]) for row in rows if row}
