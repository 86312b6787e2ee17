"""The start: short commands, against an interpreter that does nothing."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from _bench.process import timed
from _bench.scene import Scene, clear

if TYPE_CHECKING:
    from _bench.report import Samples

_ROUNDS = 4
"""Starts per run: they are short and vary a lot."""


def samples(runs: int) -> Samples:
    """`python3 -c pass`, `--help`, and `validate`, `plan` and `status` of 10 endpoints, in turn."""
    found: Samples = defaultdict(list)
    clear()
    ours = str(Path(sys.executable).with_name("vlanlink"))
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "small.toml"
        file.write_text(Scene(10).topology())
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "--help": [ours, "--help"],
            "validate": [ours, "validate", str(file)],
            "plan": [ours, "plan", str(file)],
            "status": [ours, "status", file.stem],
        }
        timed([ours, "up", str(file)])
        for number in range(max(1, runs) * _ROUNDS + 1):
            for name, words in commands.items():
                sample = timed(words)
                if number:
                    found["start", name].append(sample)
        timed([ours, "down", file.stem])
    return found
