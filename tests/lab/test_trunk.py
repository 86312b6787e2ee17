"""S2, S4 and S6 on two machines: VLANs, tags, gateways, MACs and an unplugged cable."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.world import until
from tests.lab.machine import Machine
from tests.lab.topologies import up

TEXT = Path(__file__).with_name("office.toml").read_text()
ENDPOINTS = {
    "nginx": ("172.16.2.1@", "172.16.2.1"),
    "web": ("192.168.50.1@", "192.168.50.1"),
    "db": ("192.168.60.1@", "192.168.60.1"),
    "six": ("2001:db8:abc8::1@", "2001:db8:abc8::10"),
}
"""Per namespace: its address (@ is the host's number) and its gateway."""


@pytest.fixture(autouse=True, scope="module")
def _office(host1: Machine, host2: Machine) -> Iterator[None]:
    with up({host1: TEXT.replace("@", "1"), host2: TEXT.replace("@", "2")}):
        yield


def _set_cable(machine: Machine, *, plugged: bool) -> None:
    verb = "plug" if plugged else "unplug"
    machine.lab(verb)
    until(lambda: machine.has_carrier() == plugged, f"the cable is {verb}ged", seconds=30)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_one_vlan_is_one_wire(host1: Machine, host2: Machine, name: str) -> None:
    address, gateway = ENDPOINTS[name]
    host1.reaches(name, address.replace("@", "2"))
    host2.reaches(name, address.replace("@", "1"))
    host1.reaches(name, gateway)


def test_dual_stack(host1: Machine) -> None:
    host1.reaches("six", "192.168.216.12")
    host1.reaches("six", "192.168.216.1")


def test_two_vlans_meet_only_at_the_router(host1: Machine, router: Machine) -> None:
    host1.reaches("web", "192.168.60.12")
    router.run("sysctl -w net.ipv4.ip_forward=0")
    try:
        host1.reaches("web", "192.168.50.12")
        host1.does_not_reach("web", "192.168.60.12")
    finally:
        router.run("sysctl -w net.ipv4.ip_forward=1")


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("web", "vlan 50 and icmp"),
        ("db", "vlan 60 and icmp"),
        ("nginx", "icmp and not vlan"),  # "vlan" shifts the offsets of all that follows it
    ],
)
def test_the_router_sees_the_tags(host1: Machine, router: Machine, name: str, frames: str) -> None:
    gateway = ENDPOINTS[name][1]
    words = f"timeout 60 tcpdump --immediate-mode -nei eth1 -c1 '{frames}'"
    capture = router.start(words)
    until(lambda: host1.pings(name, gateway) and capture.poll() is not None, words, seconds=90)
    assert capture.returncode == 0
    seen = capture.communicate()[0]
    assert gateway in seen
    assert ("802.1Q" in seen) == frames.startswith("vlan")


def test_no_mac_is_on_the_wire_twice(host1: Machine, host2: Machine) -> None:
    found = [host.endpoint(name)[0] for host in (host1, host2) for name in ("nginx", "web", "six")]
    assert len(set(found)) == 6


def test_a_cable_that_was_pulled(host1: Machine, host2: Machine) -> None:
    host1.reaches("web", "192.168.50.12")
    _set_cable(host1, plugged=False)
    try:
        host1.does_not_reach("web", "192.168.50.12")
    finally:
        _set_cable(host1, plugged=True)
    host1.reaches("web", "192.168.50.12")
    host2.reaches("six", "2001:db8:abc8::11")
    host1.run("vlanlink status office")
