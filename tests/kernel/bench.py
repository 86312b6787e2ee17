"""A host and a topology to bring up, edit and take down, and the comparison with before."""

import json
from pathlib import Path
from typing import Any

import vlanlink
from tests.kernel.examples import example
from tests.kernel.judge import differences, dump
from tests.kernel.lan import Lan
from tests.kernel.pairs import FILE, HEAD, PAIRS
from tests.kernel.world import World, until
from vlanlink.kernel.netns.identity import identify


class Bench:
    """A host with two NICs, of which eth1 is down, and a topology to bring up on it."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.pair = PAIRS[kind]
        # Without duplicate address detection, nothing changes by itself between dumps.
        Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
        world.batch(
            "link add eth0 type veth peer name far0\nlink add eth1 type veth peer name far1\n"
        )
        for far in ("far0", "far1"):
            Path(f"/proc/sys/net/ipv6/conf/{far}/disable_ipv6").write_text("1")
        world.batch(
            "link set far0 up\nlink set far1 up\nlink set eth0 up\n"
            "addr add 192.0.2.1/24 dev eth0\naddr add 2001:db8::1/64 dev eth0\n"
        )
        # Written once, so that the keys that the kernel changes along with it agree.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        until(lambda: "tentative" not in world.ip("-6 addr"), "addresses settle")

        texts = (self.pair.text, self.pair.edited)
        self.topologies = [vlanlink.load(FILE, text=HEAD + text) for text in texts]

    def up(self, *, edited: bool = False, on_progress: Any = None) -> None:
        vlanlink.up(self.topologies[edited], on_progress=on_progress)

    def namespaces(self) -> list[str]:
        return sorted(self.world.namespaces())

    def dump(self, *, sysctls: bool = False) -> dict[str, Any]:
        return dump(self.world, *self.namespaces(), sysctls=sysctls)

    def same(self, before: dict[str, Any], *, numbers: bool = True) -> None:
        """Assert that all is as before; without ``numbers``, recreated links may have new ones."""
        left: list[str] = []

        def equal() -> bool:
            now = self.dump(sysctls="sysctls" in before)
            left[:] = [
                line for line in differences(before, now) if numbers or ".ifindex: " not in line
            ]
            return not left

        try:
            until(equal, seconds=3)
        except AssertionError:
            raise AssertionError("differs from before:\n" + "\n".join(left[:20])) from None

    def files(self) -> dict[str, Any]:
        """The records; for the identity of a namespace, whether it is that of the one there."""
        found = {p.name: json.loads(p.read_text()) for p in Path("/run/vlanlink").glob("*.json")}
        for name, place in ((n, p) for r in found.values() for n, p in r["places"].items()):
            place[0] = place[0] == identify(f"/run/netns/{name}")
        return found


class ExampleBench(Bench):
    """A LAN, and a topology of examples/ to bring up on it."""

    def __init__(self, lan: Lan, name: str) -> None:
        self.world = lan.world
        self.topologies = [example(name)]

    def down(self) -> None:
        vlanlink.down(self.topologies[0].name)


def down(on_progress: Any = None) -> None:
    vlanlink.down("faults", on_progress=on_progress)
