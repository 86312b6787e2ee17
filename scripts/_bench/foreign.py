"""What foreign namespaces, routes and links cost: one endpoint, alone and beside them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import scene
from _bench.process import timed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _bench.report import Samples

NAMESPACES, ROUTES, LINKS = 3_000, 100_000, 2_000
"""Named namespaces, routes in one of them, macvlans on another parent."""
_PARENT = "q1"


def samples(runs: int) -> Samples:
    """``plan``, ``up``, ``up`` again, ``status`` and ``down`` of one endpoint, in both places."""
    found: Samples = defaultdict(list)
    scene.clear()
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "one.toml"
        file.write_text(scene.Scene(1).topology())
        _measure("alone", file, runs, found)
        _make(Path(place))
        _measure("beside", file, runs, found)
    scene.clear()
    subprocess.run(["ip", "link", "del", _PARENT], check=True)
    return found


def _measure(where: str, file: Path, runs: int, found: Samples) -> None:
    ours = str(Path(sys.executable).with_name("vlanlink"))
    verbs = {
        "plan": [ours, "plan", str(file)],
        "up": [ours, "up", str(file)],
        "up again": [ours, "up", str(file)],
        "status": [ours, "status", "one"],
        "down": [ours, "down", "one"],
    }
    for number in range(max(1, runs) + 1):
        for verb, words in verbs.items():
            sample = timed(words)
            if number:
                found[where, verb].append(sample)


def _make(directory: Path) -> None:
    _batch(directory, (f"netns add f{number}" for number in range(NAMESPACES)))
    dummy = f"link add {_PARENT} type veth peer name q2"
    _batch(directory, [dummy, f"link set {_PARENT} up"])
    made = f"link add link {_PARENT} name m{{}} type macvlan mode bridge"
    _batch(directory, (made.format(number) for number in range(LINKS)))
    _batch(directory, ["link set lo up"], namespace="f0")
    prefixes = ((n >> 16 & 255, n >> 8 & 255, n & 255) for n in range(ROUTES))
    routes = (f"route add 11.{a}.{b}.{c}/32 dev lo" for a, b, c in prefixes)
    _batch(directory, routes, namespace="f0")


def _batch(directory: Path, lines: Iterable[str], *, namespace: str | None = None) -> None:
    file = directory / "batch"
    file.write_text("".join(f"{line}\n" for line in lines))
    inside = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *inside, "-batch", str(file)], check=True)
