"""Others who make the same networks: the CNI plugins, pyroute2 used plainly, IfState."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import fetch
from _bench.contender import Contender
from _bench.scene import NETNS, PARENT

if TYPE_CHECKING:
    from _bench.scene import Scene

LARGEST = 500
"""Endpoints: with more they take minutes a run."""


def cni(scene: Scene, directory: Path) -> Contender:
    """The CNI plugins macvlan and static, called in a shell's loop; `ip netns` as a runtime does.

    A runtime also calls the plugin loopback. Raises AbsentError.
    """
    plugins = fetch.cni_plugins()
    verbs = {}
    for verb, command, before, after in (
        ("up", "ADD", "ip netns add {}\n", ""),
        ("down", "DEL", "", "ip netns del {}\n"),
    ):
        script = directory / f"cni-{verb}.sh"
        script.write_text(
            f"set -e\nexport CNI_COMMAND={command} CNI_IFNAME=eth0 CNI_PATH={plugins}\n"
            + "".join(
                before.format(name)
                + f"CNI_CONTAINERID={name} CNI_NETNS={NETNS / name} {plugins}/macvlan <<EOF\n"
                + f"{_cni_configuration(scene, name)}\nEOF\n"
                + after.format(name)
                for name in scene.names
            )
        )
        verbs[verb] = ["sh", str(script)]
    return Contender("CNI", verbs)


def _cni_configuration(scene: Scene, name: str) -> str:
    pairs = zip(scene.addresses(name), scene.gateways(), strict=True)
    return json.dumps(
        {
            "cniVersion": "0.4.0",
            "name": "bench",
            "type": "macvlan",
            "master": PARENT,
            "mode": "bridge",
            "ipam": {
                "type": "static",
                "addresses": [{"address": one, "gateway": gateway} for one, gateway in pairs],
                "routes": [{"dst": everywhere} for everywhere in scene.everywhere()],
            },
        }
    )


def pyroute2(scene: Scene, directory: Path) -> Contender:
    """IPRoute and NetNS, a call at a time, as pyroute2's documentation shows them."""
    file = directory / "wanted.json"
    wanted = {name: scene.addresses(name) for name in scene.names}
    file.write_text(json.dumps({"gateways": scene.gateways(), "namespaces": wanted}))
    program = [sys.executable, str(Path(__file__).with_name("plain_pyroute2.py"))]
    verbs = {verb: [*program, verb, PARENT, str(file)] for verb in ("up", "read", "down")}
    return Contender("pyroute2", verbs)


def ifstate(scene: Scene, directory: Path) -> Contender:
    """IfState, with the parent left to itself; down is a configuration without namespaces.

    It runs only where the first process is in its network namespace. Raises AbsentError.
    """
    command = fetch.ifstate()
    ignored = {"parameters": {"ignore": {"ifname": ["^lo$", f"^{PARENT}$", "^q0$"]}}}
    nothing = {**ignored, "interfaces": {}}
    namespaces = {name: _ifstate_namespace(scene, name) for name in scene.names}
    files = {}
    for verb, wanted in (("up", {**nothing, "namespaces": namespaces}), ("down", nothing)):
        files[verb] = directory / f"ifstate-{verb}.json"  # which is YAML too
        files[verb].write_text(json.dumps(wanted))
    steps = {"up": "up", "up again": "up", "down": "down"}
    return Contender(
        "IfState",
        {verb: [*command, "-c", str(files[which]), "apply"] for verb, which in steps.items()},
    )


def _ifstate_namespace(scene: Scene, name: str) -> dict[str, object]:
    link = {"kind": "macvlan", "macvlan_mode": "bridge", "link": PARENT, "link_netns": None}
    ways = zip(scene.everywhere(), scene.gateways(), strict=True)
    routes = [{"to": to, "via": gateway, "dev": "eth0"} for to, gateway in ways]
    return {
        "interfaces": {
            "eth0": {"link": {**link, "state": "up"}, "addresses": scene.addresses(name)}
        },
        "routing": {"routes": routes},
    }
