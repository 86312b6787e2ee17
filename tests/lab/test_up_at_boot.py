"""Enabled topologies, their services and leases over a reboot; disabling them leaves no trace."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.kernel.world import until
from tests.lab import hello
from tests.lab.machine import BOOT_SECONDS, COMMAND_SECONDS, POLL_SECONDS, Machine

HERE = Path(__file__).parent
LEFT_OUT = '\nmore.interfaces.eth0.network = "vlan50"\n'
TEXTS = {
    "office": (HERE / "office.toml").read_text().replace("@", "1") + LEFT_OUT,
    "services": (HERE / "services.toml").read_text(),
    "leased": (HERE / "leased.toml").read_text(),
}
WATCHED = "services"
ENDPOINTS = ("nginx", "web", "db", "six", "more", "shop", "cache", "greeter", "phone")
UNITS = "hello.socket redis-server nginx"
ASKED = {
    "curl -sS http://172.16.2.12/": "Welcome to nginx",
    "curl -sS http://172.16.3.15/": "hello",
    "bash -c 'exec 3<>/dev/tcp/172.16.4.20/6379; echo PING >&3; head -n1 <&3'": "+PONG",
}
"""What the router asks, and the answer of each service."""
CACHE = "s/^bind .*/bind 172.16.4.20/; s/^protected-mode .*/protected-mode no/"
REBOUND = "journalctl -u router-dnsmasq -o cat | grep -c DHCPDISCOVER"


@pytest.fixture(scope="module")
def before(host1: Machine, router: Machine) -> Iterator[dict[str, object]]:
    """The endpoints as they were before the reboot; everything is up again after it."""
    empty = host1.dump()
    host1.write("/etc/systemd/system/hello.socket", hello.SOCKET)
    host1.write("/etc/systemd/system/hello.service", hello.SERVICE)
    host1.run(f"sed -i '{CACHE}' /etc/redis/redis.conf; systemctl daemon-reload")
    for name, text in TEXTS.items():
        host1.write(f"/root/{name}.toml", text)
        watch = "--watch" if name == WATCHED else ""
        host1.run(f"vlanlink enable --now {watch} /root/{name}.toml")
    host1.run(f"systemctl enable --now {UNITS}")
    answers(router)
    found: dict[str, object] = {name: host1.endpoint(name) for name in ENDPOINTS}
    host1.reaches("phone", "192.168.50.1")
    found["discoveries"] = router.run(REBOUND).stdout
    host1.reboot()
    for name in TEXTS:
        is_active(host1, f"vlanlink@{name}")
    yield found
    host1.run(f"systemctl disable --now hello.service {UNITS}")
    for name in TEXTS:
        host1.run(f"vlanlink down --forget {name}; vlanlink disable --now --release-units {name}")
    host1.run("rm -f /etc/systemd/system/hello.service /etc/systemd/system/hello.socket")
    host1.run("systemctl daemon-reload; systemctl stop systemd-resolved; rm /root/*.toml")
    host1.is_as(empty)


def is_active(machine: Machine, unit: str) -> None:
    up = lambda: machine.run(f"systemctl is-active {unit}", check=False).returncode == 0  # noqa: E731
    until(up, f"{unit} is active", BOOT_SECONDS, POLL_SECONDS)


def is_up(machine: Machine, name: str) -> bool:
    return machine.run(f"vlanlink status {name}", check=False).returncode == 0


def answers(router: Machine) -> None:
    """Every service answers the router."""
    for command, expected in ASKED.items():
        said: list[str] = []

        def told(command: str = command, expected: str = expected, said: list[str] = said) -> bool:
            said[:] = [router.run(f"timeout 20 {command}", check=False).stdout]
            return expected in said[0]

        until(told, f"{command}: {expected}", COMMAND_SECONDS, POLL_SECONDS)


def test_all_is_back_after_a_reboot(host1: Machine, before: dict[str, object]) -> None:
    assert {name: host1.endpoint(name) for name in ENDPOINTS} == {k: before[k] for k in ENDPOINTS}
    host1.reaches("web", "192.168.50.1")
    for name in TEXTS:
        host1.run(f"vlanlink status {name}")


@pytest.mark.usefixtures("before")
def test_services_answer_after_a_reboot(router: Machine) -> None:
    answers(router)


def test_a_lease_is_asked_for_again(
    host1: Machine, router: Machine, before: dict[str, object]
) -> None:
    """INIT-REBOOT: the server is asked for the same address, not for any."""
    host1.reaches("phone", "192.168.50.1")
    assert router.run(REBOUND).stdout == before["discoveries"]
    keeper = host1.run("systemctl show -P TasksCurrent vlanlink@leased").stdout
    assert int(keeper) > 0  # it is part of the unit, whose own process has ended


@pytest.mark.usefixtures("before")
def test_a_service_asks_the_resolver_of_its_file(host1: Machine) -> None:
    """Also once the host's resolver has replaced the file that /etc/resolv.conf links to."""
    host1.run("echo 192.0.2.99 who.lab.test >>/etc/hosts; systemctl restart systemd-resolved nginx")
    try:
        _asks_the_router(host1)
        host1.run("resolvectl dns eth0 192.0.2.53; resolvectl domain eth0 example.net")
        replaced = "grep -q example.net /etc/resolv.conf"
        until(lambda: host1.run(replaced, check=False).returncode == 0, replaced, seconds=60)
        _asks_the_router(host1)
    finally:
        host1.run("sed -i /192.0.2.99/d /etc/hosts; systemctl stop systemd-resolved")


def _asks_the_router(host1: Machine) -> None:
    inside = "nsenter --target $(systemctl show -P MainPID nginx) --mount --net"
    assert host1.run("getent hosts who.lab.test").stdout.split()[0] == "192.0.2.99"
    seen = host1.run(f"{inside} getent hosts who.lab.test greeter").stdout.split()
    assert seen[::2] == ["172.16.2.77", "172.16.3.15"]


@pytest.mark.usefixtures("before")
def test_an_upgrade_cuts_nothing_and_the_watch_goes_on(host1: Machine, router: Machine) -> None:
    pid = "systemctl show -P MainPID vlanlink@services"
    watching = host1.run(pid).stdout
    host1.run("dpkg --install /home/vagrant/vlanlink.deb")
    assert host1.run(pid).stdout == watching
    answers(router)
    host1.run("ip -n shop link delete eth0")
    answers(router)
    assert host1.run(pid).stdout == watching
    for name in TEXTS:
        until(partial(is_up, host1, name), f"{name} is up", COMMAND_SECONDS, POLL_SECONDS)


@pytest.mark.usefixtures("before")
def test_a_watch_that_dies_stops_no_service(host1: Machine, router: Machine) -> None:
    host1.run("kill -9 $(systemctl show -P MainPID vlanlink@services)")
    answers(router)
    is_active(host1, "vlanlink@services")
    answers(router)


@pytest.mark.usefixtures("before")
def test_services_fail_closed(host1: Machine) -> None:
    host1.run("vlanlink down services")
    for unit in UNITS.split():
        assert host1.run(f"systemctl is-active {unit}", check=False).stdout.strip() != "active"
    assert host1.run("systemctl restart nginx", check=False).returncode != 0
    assert host1.run("ss -Hltn sport = :80").stdout == ""
    refused = host1.run("vlanlink disable services", check=False)
    assert refused.returncode != 0
    assert "would no longer start" in refused.stderr
