"""Where the time of a run goes: modules and their import, system calls by purpose, by size."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import scene
from _bench.fetch import AbsentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CALLS = {
    "send": ("sendto", "sendmsg"),
    "receive": ("recvfrom", "recvmsg"),
    "open": ("openat", "open", "socket"),
    "stat": ("newfstatat", "stat", "lstat", "fstat", "statx"),
    "enter": ("setns", "unshare"),
    "mount": ("mount", "umount2"),
}
"""System calls by purpose; the others count in `all` only."""
_COUNTED = re.compile(r"^\s*[0-9.]+\s+[0-9.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.MULTILINE)
_IMPORTED = re.compile(r"^import time:\s*(\d+) \|\s*\d+ \|\s*(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Profile:
    """One run of a verb: what it imports, and what it asks of the kernel."""

    modules: int
    ours: int
    milliseconds: float
    calls: Counter[str]

    def row(self) -> str:
        """The cells of a table."""
        purposes = (self.calls[purpose] for purpose in _CALLS)
        counts = " | ".join(str(one) for one in (self.calls["all"], *purposes))
        return f"{self.modules} ({self.ours}) | {self.milliseconds:.0f} | {counts}"


def table(sizes: Sequence[int]) -> str:
    """The profiles of all verbs at all sizes, as Markdown. Raises AbsentError without strace."""
    lines = [
        f"| endpoints | verb | modules (ours) | import, ms | calls | {' | '.join(_CALLS)} |",
        "|---" * (len(_CALLS) + 5) + "|",
    ]
    for size in sizes:
        scene.clear()
        lines += [f"| {size} | {verb} | {found.row()} |" for verb, found in _profiles(size)]
    scene.clear()
    return "\n".join(lines)


def _profiles(size: int) -> Iterator[tuple[str, Profile]]:
    """Twice: once with the imports timed, once with the system calls counted."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "profiled.toml"
        file.write_text(scene.Scene(size).topology())
        verbs = {
            "plan": ["plan", str(file)],
            "up": ["up", str(file)],
            "up again": ["up", str(file)],
            "status": ["status", file.stem],
            "down": ["down", file.stem],
        }
        imported = {verb: _imports(words) for verb, words in verbs.items()}
        scene.settle()
        for verb, words in verbs.items():
            modules = imported[verb]
            ours = sum(name.startswith("vlanlink") for name in modules)
            spent = sum(modules.values()) / 1000
            yield verb, Profile(len(modules), ours, spent, _calls(words))


def _imports(words: Sequence[str]) -> dict[str, int]:
    """Microseconds of each module that a verb imports."""
    run = [sys.executable, "-X", "importtime", "-m", "vlanlink", *words]
    said = subprocess.run(run, check=True, capture_output=True, text=True).stderr
    return {name: int(spent) for spent, name in _IMPORTED.findall(said)}


def _calls(words: Sequence[str]) -> Counter[str]:
    """System calls of a verb, by purpose."""
    with tempfile.NamedTemporaryFile("r") as counted:
        run = ["strace", "-f", "-c", "-o", counted.name]
        run += [sys.executable, "-m", "vlanlink", *words]
        try:
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            raise AbsentError("strace is not installed: apt install strace") from None
        rows = {name: int(number) for number, name in _COUNTED.findall(counted.read())}
    found = Counter({"all": sum(number for name, number in rows.items() if name != "total")})
    for purpose, names in _CALLS.items():
        found[purpose] = sum(rows.get(name, 0) for name in names)
    return found
