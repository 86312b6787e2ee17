"""Ourselves, the script that people would write, and the floor."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import vlanlink
from _bench import replay
from _bench.contender import Contender
from _bench.scene import NETNS, PARENT, Vlans

if TYPE_CHECKING:
    from _bench.scene import Scene

_HERE = Path(__file__).parent
_OURS = str(Path(sys.executable).with_name("vlanlink"))


def ours(scene: Scene | Vlans, directory: Path) -> Contender:
    """What all this is about."""
    file = directory / "bench.toml"
    file.write_text(scene.topology())
    more = directory / "more" / file.name
    more.parent.mkdir(exist_ok=True)
    more.write_text(replace(scene, size=scene.size + 1).topology())
    verbs = {
        "plan": [_OURS, "plan", str(file)],
        "up": [_OURS, "up", "--timings", str(file)],
        "up again": [_OURS, "up", "--timings", str(file)],
        # Where a busy machine answers too late it exits 3; it is timed all the same.
        "verify": ["sh", "-c", f"{_OURS} verify {file} || [ $? -eq 3 ]"],
        "one more": [_OURS, "up", "--replace", str(more)],
        "down": [_OURS, "down", str(file)],
    }
    if isinstance(scene, Vlans):
        del verbs["verify"], verbs["one more"]  # there are no endpoints
    return Contender("vlanlink", verbs, frozenset({"up", "up again"}))


def script(scene: Scene | Vlans, directory: Path) -> Contender:
    """A shell script of iproute2, as people write it: as few processes as `ip` allows."""
    if isinstance(scene, Vlans):
        return _vlan_batches(scene, directory)
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


def _vlan_batches(scene: Vlans, directory: Path) -> Contender:
    up, down = directory / "up.batch", directory / "down.batch"
    up.write_text(
        "".join(
            f"link add link {PARENT} name {name} up type vlan id {number}\n"
            for number, name in enumerate(scene.names, 1)
        )
    )
    down.write_text("".join(f"link del {name}\n" for name in scene.names))
    verbs = {"up": ["ip", "-batch", str(up)], "down": ["ip", "-batch", str(down)]}
    return Contender("ip script", verbs)


def _inside(scene: Scene, name: str) -> str:
    lines = ["link set lo up"]
    lines += [f"addr add {address} dev eth0 nodad" for address in scene.addresses(name)]
    lines += ["link set eth0 up"]
    lines += [f"route add default via {gateway}" for gateway in scene.gateways()]
    return "".join(f"{line}\n" for line in lines)


def floor(scene: Scene | Vlans, directory: Path) -> Contender:
    """The messages of our own plan, sent by a C program that does nothing else.

    Then what reading back costs in Python at the least.
    """
    program, file = directory / "floor", directory / "orders"
    subprocess.run(["cc", "-O2", "-o", program, _HERE / "floor.c"], check=True)
    plan = vlanlink.plan(vlanlink.load(directory / "bench.toml", text=scene.topology()))
    file.write_bytes(replay.orders(plan))
    NETNS.mkdir(exist_ok=True)
    verbs = {
        "up": [str(program), str(file)],
        "read": [sys.executable, str(_HERE / "rawread.py")],
    }
    return Contender("floor", verbs, frozenset(verbs))
