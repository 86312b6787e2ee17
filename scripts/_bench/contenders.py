"""Who takes part: a name, and the commands that each of its verbs is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import vlanlink
from _bench import replay
from _bench.scene import NETNS, PARENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _bench.scene import Scene

_HERE = Path(__file__).parent
_OURS = str(Path(sys.executable).with_name("vlanlink"))


@dataclass(frozen=True)
class Contender:
    """Verbs and their commands, in the order in which they are run."""

    name: str
    verbs: Mapping[str, Sequence[str]]
    keeps_output: frozenset[str] = field(default_factory=frozenset)
    """The verbs that tell themselves where the time went."""


def ours(scene: Scene, directory: Path) -> Contender:
    """What all this is about."""
    file = directory / "bench.toml"
    file.write_text(scene.topology())
    return Contender(
        "vlanlink",
        {
            "plan": [_OURS, "plan", str(file)],
            "up": [_OURS, "up", "--timings", str(file)],
            "up again": [_OURS, "up", "--timings", str(file)],
            "down": [_OURS, "down", str(file)],
        },
        frozenset({"up", "up again"}),
    )


def script(scene: Scene, directory: Path) -> Contender:
    """A shell script of iproute2, as people write it: as few processes as `ip` allows."""
    links = directory / "links.batch"
    links.write_text(
        "".join(
            f"link add link {PARENT} name eth0 netns {name} type macvlan mode bridge\n"
            for name in scene.names
        )
    )
    up = directory / "up.sh"
    up.write_text(
        f"set -e\nfor n in $(seq {scene.size}); do ip netns add n$n; done\n"
        f"ip -batch {links}\n"
        + "".join(f"ip -n {n} -batch - <<EOF\n{_inside(scene, n)}EOF\n" for n in scene.names)
    )
    down = directory / "down.sh"
    down.write_text(f"set -e\nfor n in $(seq {scene.size}); do ip netns del n$n; done\n")
    return Contender("ip script", {"up": ["sh", str(up)], "down": ["sh", str(down)]})


def _inside(scene: Scene, name: str) -> str:
    lines = ["link set lo up"]
    lines += [f"addr add {address} dev eth0 nodad" for address in scene.addresses(name)]
    lines += ["link set eth0 up"]
    lines += [f"route add default via {gateway}" for gateway in scene.gateways()]
    return "".join(f"{line}\n" for line in lines)


def floor(scene: Scene, directory: Path) -> Contender:
    """The messages of our own plan, sent by a C program that does nothing else."""
    program, file = directory / "floor", directory / "orders"
    subprocess.run(["cc", "-O2", "-o", program, _HERE / "floor.c"], check=True)
    plan = vlanlink.plan(vlanlink.load(directory / "bench.toml", text=scene.topology()))
    file.write_bytes(replay.orders(plan))
    NETNS.mkdir(exist_ok=True)
    return Contender("floor", {"up": [str(program), str(file)]}, frozenset({"up"}))
