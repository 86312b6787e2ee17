"""S10 on two machines: each host reaches its own endpoint, and the LAN does not notice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.machine import Machine
from tests.lab.topologies import up

TEXT = Path(__file__).with_name("shim.toml").read_text()
OWN = ("172.16.2.10@", "2001:db8:2::10@")
ENDPOINT = ("172.16.2.1@", "2001:db8:2::1@")


def of(addresses: tuple[str, str], number: int) -> list[str]:
    return [address.replace("@", str(number)) for address in addresses]


@pytest.fixture
def hosts(host1: Machine, host2: Machine) -> Iterator[tuple[Machine, Machine]]:
    """Both hosts, each with its own addresses on the trunk."""
    for number, host in ((1, host1), (2, host2)):
        four, six = of(OWN, number)
        host.run(f"ip link set eth1 up && ip addr add {four}/24 dev eth1")
        host.run(f"ip addr add {six}/64 dev eth1 nodad")
    yield host1, host2
    for host in (host1, host2):
        host.run("ip addr flush dev eth1 && ip link set eth1 down")


def test_a_host_and_its_endpoints(hosts: tuple[Machine, Machine], router: Machine) -> None:
    one, two = hosts
    with up({host: TEXT.replace("@", str(n)) for n, host in ((1, one), (2, two))}):
        for number, host in ((1, one), (2, two)):
            for own, endpoint in zip(of(OWN, number), of(ENDPOINT, number), strict=True):
                host.reaches("", endpoint)
                host.reaches("web", own)
        for own, endpoint in zip(of(OWN, 2), of(ENDPOINT, 2), strict=True):
            one.reaches("", own)
            one.reaches("", endpoint)
            one.reaches("web", own)
        router.reaches("", of(OWN, 1)[0])
        seen = router.ip(f"neigh show {of(OWN, 1)[0]}")[0]["lladdr"]
        assert seen == one.ip("link show dev eth1")[0]["address"]
