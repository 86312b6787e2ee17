"""Whether a contender made what it was asked for, by `ip`'s account."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from _bench.scene import NETNS, PARENT, Scene, Vlans, vlans

_LOOKS = 16
"""At so many of the namespaces it looks: each look costs two processes."""


class NotMadeError(Exception):
    """A contender was done, and what it should have made is not there."""


def judge(who: str, scene: Scene | Vlans) -> None:
    """Raise NotMadeError unless ``scene`` is there."""
    if isinstance(scene, Vlans):
        _judge_vlans(who, scene)
    else:
        _judge_namespaces(who, scene)


def _judge_vlans(who: str, scene: Vlans) -> None:
    wanted = {(f"{PARENT}.{n}", n, PARENT, True) for n in range(1, scene.size + 1)}
    found = {
        (link["ifname"], link["linkinfo"]["info_data"]["id"], link["link"], "UP" in link["flags"])
        for link in vlans()
    }
    for name, *_ in sorted(wanted - found):
        raise NotMadeError(f"{who}: no such VLAN link as {name} should be")


def _judge_namespaces(who: str, scene: Scene) -> None:
    """All namespaces, and what is in some."""
    missing = set(scene.names) - {path.name for path in NETNS.iterdir()}
    if missing:
        raise NotMadeError(f"{who}: no namespace {min(missing)}")
    for name in scene.names[:: max(1, scene.size // _LOOKS)]:
        for what, found, wanted in _differences(scene, name):
            if found != wanted:
                raise NotMadeError(f"{who}: {what} in {name}: {found}, not {wanted}")


def _differences(scene: Scene, name: str) -> list[tuple[str, object, object]]:
    (link,) = _ip(name, "-d", "addr", "show", "dev", "eth0")
    addresses = [
        f"{one['local']}/{one['prefixlen']}"
        for one in link["addr_info"]
        if one["scope"] == "global"
    ]
    gateways = [
        one["gateway"]
        for family in scene.families
        for one in _ip(name, f"-{family}", "route", "show", "default")
    ]
    mode = link["linkinfo"]["info_data"]["mode"]
    return [
        ("link", (link["linkinfo"]["info_kind"], mode), ("macvlan", "bridge")),
        ("state", "UP" in link["flags"], True),
        ("addresses", addresses, scene.addresses(name)),
        ("gateways", gateways, scene.gateways()),
    ]


def _ip(name: str, *words: str) -> list[dict[str, Any]]:
    command = ["ip", "-n", name, "-j", *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(json.loads(said or "[]"))
