"""What tests of the wire share: a door that closes, a LAN that is ready, frames and links on it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kernel.lan import SWITCH, Capture, Lan
from tests.kernel.world import until
from vlanlink.host import Host
from vlanlink.kernel.machine import Machine

MAC, OTHER_MAC = "02:42:ac:10:03:09", "02:42:ac:10:03:0a"
HELD, HELD6 = "172.16.3.9", "2001:db8:abc8::9"
FREE, FREE6 = "172.16.3.10", "2001:db8:abc8::10"


@contextmanager
def a_machine() -> Iterator[Machine]:
    """The door to the test's machine."""
    threads = len(os.listdir("/proc/self/task"))
    with Machine(Host()) as opened:
        yield opened
    # A thread that was joined goes on for a moment, and the process can't leave its mounts.
    until(lambda: len(os.listdir("/proc/self/task")) <= threads, "the thread has ended")


def ready(lan: Lan) -> None:
    """The switch forwards on all its ports: a second or so after the last was plugged in."""

    def forwards() -> bool:
        links = lan.world.json("link show master br0", SWITCH)
        return all(x["linkinfo"]["info_slave_data"]["state"] == "forwarding" for x in links)

    # As for a carrier, the kernel may have namespaces to clean up first.
    until(forwards, "the switch forwards", 30.0)


def capture(lan: Lan, where: str, dev: str, words: str) -> Capture:
    name = f"/run/capture-{where}-{dev}-{len(lan.world.started)}"
    Path(f"{name}.err").touch()  # there before tcpdump's shell makes it
    return lan.capture(where, dev, words)


def sends(lan: Lan, station: str, *frames: bytes) -> None:
    """A station that sends these frames again and again until the test ends."""
    script = (
        "import socket, sys, time\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
        "s.bind(('eth0', 0))\n"
        "while True:\n"
        "    for frame in sys.argv[1:]: s.send(bytes.fromhex(frame))\n"
        "    time.sleep(0.05)\n"
    )
    lan.world.start([sys.executable, "-c", script, *(f.hex() for f in frames)], station)


def endpoint(lan: Lan, name: str, *addresses: str, mode: str = "bridge", dev: str = "eth0") -> None:
    """A macvlan link in a namespace of its name."""
    if name not in lan.world.namespaces():
        lan.world.ip(f"netns add {name}")
    lan.world.ip(f"link add link eth0 name tmp-{name} netns {name} type macvlan mode {mode}")
    lines = [f"addr add {a} dev {dev}{' nodad' if ':' in a else ''}" for a in addresses]
    setup = ["link set lo up", f"link set tmp-{name} name {dev}", *lines, f"link set {dev} up"]
    lan.world.batch("\n".join(setup), name)
