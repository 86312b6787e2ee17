"""What an attachment costs: the first, one beside 500 others, and the CNI plugins' ADD and DEL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import fetch, scene
from _bench.process import timed

if TYPE_CHECKING:
    from _bench.report import Samples

BESIDE = 500
MOST = 1.3
"""Times that one beside them may take, of the first's time."""
_TOPOLOGY = f"""
[topology]
name = "bench"

[networks.pub]
kind = "macvlan"
parent = "{scene.PARENT}"
probe = false
subnets = [{{ subnet = "10.9.0.0/16", gateway = "10.9.0.1" }}]
"""
_MANY = """
import sys, vlanlink
for name in sys.argv[1:]:
    vlanlink.attach("bench/pub", path=f"/run/netns/{name}", id=name)
"""


def samples(runs: int) -> Samples:
    """``attach`` and ``detach``, alone and beside others, and CNI's macvlan and static."""
    found: Samples = defaultdict(list)
    scene.clear()
    names = [f"a{number}" for number in range(BESIDE)]
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "bench.toml"
        file.write_text(_TOPOLOGY)
        batch = Path(place) / "batch"
        batch.write_text("".join(f"netns add {name}\n" for name in (*names, "one", "first")))
        subprocess.run(["ip", "-batch", str(batch)], check=True)
        ours = str(Path(sys.executable).with_name("vlanlink"))
        subprocess.run([ours, "up", str(file)], check=True, stdout=subprocess.DEVNULL)
        _attach(ours, "first", {})  # the network has its parent from now on
        _measure(ours, "vlanlink, the second", runs, found)
        subprocess.run([sys.executable, "-c", _MANY, *names], check=True)
        _measure(ours, f"vlanlink, beside {BESIDE}", runs, found)
        subprocess.run([ours, "down", "bench"], check=True, stdout=subprocess.DEVNULL)
        _measure_cni(Path(place), runs, found)
    scene.clear()
    return found


def _attach(ours: str, name: str, found: Samples, key: tuple[str, str] | None = None) -> None:
    sample = timed([ours, "attach", "bench/pub", "--path", f"/run/netns/{name}", "--id", name])
    if key:
        found[key].append(sample)


def _measure(ours: str, where: str, runs: int, found: Samples) -> None:
    for number in range(max(1, runs) + 1):
        _attach(ours, "one", found, (where, "attach") if number else None)
        sample = timed([ours, "detach", "bench/pub", "one"])
        if number:
            found[where, "detach"].append(sample)


def _measure_cni(directory: Path, runs: int, found: Samples) -> None:
    try:
        plugins = fetch.cni_plugins()
    except fetch.AbsentError:
        return
    configuration = directory / "cni.json"
    configuration.write_text(
        json.dumps(
            {
                "cniVersion": "0.4.0",
                "name": "bench",
                "type": "macvlan",
                "master": scene.PARENT,
                "mode": "bridge",
                "ipam": {
                    "type": "static",
                    "addresses": [{"address": "10.9.0.2/16", "gateway": "10.9.0.1"}],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        )
    )
    os.environ |= {
        "CNI_CONTAINERID": "one",
        "CNI_NETNS": "/run/netns/one",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(plugins),
    }
    for number in range(max(1, runs) + 1):
        for command in ("ADD", "DEL"):
            words = f"CNI_COMMAND={command} exec {plugins}/macvlan <{configuration}"
            sample = timed(["sh", "-c", words])
            if number:
                found["CNI", "attach" if command == "ADD" else "detach"].append(sample)
