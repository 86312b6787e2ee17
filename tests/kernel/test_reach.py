"""Whether addresses answer, from inside namespaces, and why not."""

import resource
from collections.abc import Iterator

import pytest

from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.wire import (
    FREE,
    FREE6,
    HELD,
    HELD6,
    MAC,
    a_machine,
    capture,
    endpoint,
    ready,
)
from tests.kernel.world import World
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.packet import ping
from vlanlink.kernel.packet.echo import EchoReply, EchoRequest, FailureReason


@pytest.fixture
def machine(world: World) -> Iterator[Machine]:  # noqa: ARG001  # in its namespaces
    with a_machine() as opened:
        yield opened


def answers(
    machine: Machine, namespace: str, *addresses: str, seconds: float = 2.0
) -> list[EchoReply]:
    asks = [EchoRequest(namespace, None, None, address) for address in addresses]
    found = machine.ping(asks, seconds=seconds)
    return [found[each] for each in asks]


@pytest.mark.needs("macvlan")
def test_private_siblings_reach_the_lan_and_not_each_other(lan: Lan, machine: Machine) -> None:
    lan.station("printer", f"{HELD}/24", f"{HELD6}/64", mac=MAC)
    endpoint(lan, "one", "172.16.3.21/24", "2001:db8:abc8::21/64", mode="private")
    endpoint(lan, "two", "172.16.3.22/24", "2001:db8:abc8::22/64", mode="private")
    machine.snapshot()
    ready(lan)
    inside = {"one": ["172.16.3.22", "2001:db8:abc8::22"], "two": ["172.16.3.21"]}
    asks = [
        EchoRequest(name, None, None, a) for name in inside for a in (HELD, HELD6, *inside[name])
    ]
    found = machine.ping(asks, seconds=3.0)
    assert {x.address for x in asks if found[x].reached} == {HELD, HELD6}
    for each in asks:
        if each.address in (HELD, HELD6):
            assert found[each] == EchoReply(True, MAC)
        else:
            assert found[each].why is FailureReason.NO_NEIGHBOUR
            assert found[each].detail == f"nobody answers for {each.address}"


def test_why_an_address_is_not_reached(lan: Lan, machine: Machine) -> None:
    lan.world.batch("addr add 172.16.3.5/24 dev eth0\naddr add 2001:db8:abc8::5/64 dev eth0 nodad")
    lan.station("printer", f"{HELD}/24", f"{HELD6}/64", mac=MAC)
    quiet = ["net.ipv4.icmp_echo_ignore_all=1", "net.ipv6.icmp.echo_ignore_all=1"]
    lan.world.run(["sysctl", "-qw", *quiet], "printer")
    lan.router("172.16.3.1/24", "2001:db8:abc8::1/64")
    for words in ("route add unreachable 10.99.0.0/16", "route add unreachable 2001:db8:99::/64"):
        lan.world.ip(words, "router")
    for words in (
        "route add 10.99.0.0/16 via 172.16.3.1",
        "route add 2001:db8:99::/64 via 2001:db8:abc8::1",
        "route add blackhole 10.66.0.0/16",
    ):
        lan.world.ip(words)
    ready(lan)
    gateway = lan.world.link("eth0", "router")["address"]

    silences = {
        HELD: FailureReason.NO_ECHO,
        HELD6: FailureReason.NO_ECHO,
        "10.99.0.1": FailureReason.REJECTED,
        "2001:db8:99::1": FailureReason.REJECTED,
        "10.98.0.1": FailureReason.NO_ROUTE,
        "10.66.0.1": FailureReason.NO_ROUTE,
        FREE: FailureReason.NO_NEIGHBOUR,
        FREE6: FailureReason.NO_NEIGHBOUR,
        "172.16.3.255": FailureReason.NOT_SENT,
    }
    found = dict(zip(silences, answers(machine, "", *silences), strict=True))
    assert not any(each.reached for each in found.values())
    assert {address: each.why for address, each in found.items()} == silences
    assert found[HELD].detail == f"{HELD} is at {MAC}"
    assert found[HELD6].neighbour == MAC
    assert found["10.99.0.1"] == EchoReply(
        False, gateway, FailureReason.REJECTED, "172.16.3.1: No route to host"
    )
    assert found["2001:db8:99::1"].detail == "2001:db8:abc8::1: Network is unreachable"


def test_beyond_a_gateway_the_neighbour_is_the_gateway(lan: Lan, machine: Machine) -> None:
    lan.world.ip("addr add 172.16.3.5/24 dev eth0")
    lan.router("172.16.3.1/24", "10.99.0.1/32")
    lan.world.ip("route add 10.99.0.0/16 via 172.16.3.1")
    ready(lan)
    gateway = lan.world.link("eth0", "router")["address"]
    far, own = answers(machine, "", "10.99.0.1", "172.16.3.5", seconds=10.0)
    assert far == EchoReply(True, gateway)
    assert own == EchoReply(True)


def test_the_link_and_the_source_of_a_question_are_kept_to(lan: Lan, machine: Machine) -> None:
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    lan.world.batch("addr add 172.16.3.5/24 dev eth0\naddr add 172.16.3.6/24 dev eth0\n"
                    "addr add 172.16.3.7/24 dev eth1")  # fmt: skip
    lan.station("printer", f"{HELD}/24", f"{HELD6}/64", mac=MAC)
    ready(lan)
    link_local = "fe80::42:acff:fe10:309"
    first, second = (lan.world.link(dev)["ifindex"] for dev in ("eth0", "eth1"))
    seen = capture(lan, "printer", "eth0", "icmp or icmp6")
    asks = [
        EchoRequest("", first, "172.16.3.6", HELD),
        EchoRequest("", second, "172.16.3.7", HELD),
        EchoRequest("", second, None, link_local),
    ]
    found = machine.ping(asks, seconds=10.0)
    assert all(found[each] == EchoReply(True, MAC) for each in asks)
    seen.saw(f"{HOST_MAC} > {MAC}, ethertype IPv4 (0x0800), length 58: 172.16.3.6 > {HELD}")
    seen.saw(f"02:00:00:00:00:ab > {MAC}, ethertype IPv4 (0x0800), length 58: 172.16.3.7 > {HELD}")
    seen.saw("fe80::ff:fe00:ab > ")


@pytest.mark.needs("macvlan")
def test_more_than_may_be_open_or_in_the_table_at_once(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{n}" for n in range(12)]
    for n, name in enumerate(names):
        endpoint(lan, name, f"172.16.3.{n + 20}/24", f"2001:db8:abc8::{n + 20}/64")
    ready(lan)
    monkeypatch.setattr(ping, "_room", lambda _: 30)
    asks = [
        EchoRequest(name, None, None, f"{prefix}{n + 20}")
        for prefix in ("172.16.3.", "2001:db8:abc8::")
        for name in names
        for n in range(12)
    ]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (96, hard))
    try:
        with a_machine() as machine:
            machine.snapshot()
            found = machine.ping(asks, seconds=10.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [x for x in asks if not found[x].reached] == []
    for name in names:
        assert "172.16.3." not in lan.world.ip("neigh", name)


def test_a_silent_request_holds_up_nothing(
    lan: Lan, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, answering = 4, [f"172.16.3.{n}" for n in range(20, 32)]
    lan.world.ip("addr add 172.16.3.5/24 dev eth0")
    lan.station("printer", *(f"{each}/24" for each in answering), mac=MAC)
    ready(lan)
    monkeypatch.setattr(ping, "_room", lambda _: room)
    entries = []

    def finished(count: int) -> None:
        entries.append(lan.world.ip("neigh show dev eth0").splitlines())
        if count == len(answering):
            machine.interrupt()

    asks = [EchoRequest("", None, None, address) for address in (FREE, *answering)]
    found = machine.ping(asks, seconds=30.0, progress=finished)
    assert found == {each: EchoReply(True, MAC) for each in asks[1:]}
    assert max(map(len, entries)) <= room
    assert [line.split()[0] for line in entries[-1] if FREE in line] == [FREE]


def test_a_namespace_that_is_not_there_is_an_error(machine: Machine) -> None:
    with pytest.raises(LookupError):
        machine.ping([EchoRequest("nowhere", None, None, HELD)])
