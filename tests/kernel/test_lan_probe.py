"""The LAN asked and told: what stations on it hear and answer."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.wire import (
    FREE,
    FREE6,
    HELD,
    HELD6,
    MAC,
    OTHER_MAC,
    a_machine,
    capture,
    endpoint,
    ready,
    sends,
)
from tests.kernel.world import World, until
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.packet import packets
from vlanlink.kernel.packet.announce import Announcement
from vlanlink.kernel.packet.arp_nd import ArpProbe
from vlanlink.kernel.packet.beside import Beside
from vlanlink.kernel.packet.echo import EchoRequest

ask_long = partial(Machine.probe_lan, count=20, seconds=10.0)
"""For questions that are all answered: the wait ends then."""


@pytest.fixture
def machine(world: World) -> Iterator[Machine]:  # noqa: ARG001  # in its namespaces
    with a_machine() as opened:
        yield opened


def ask(lan: Lan, *addresses: str, parent: str = "eth0") -> list[ArpProbe]:
    link = lan.world.link(parent)
    return [ArpProbe(link["ifindex"], link["address"], address) for address in addresses]


def tagged(frame: bytes, vlan: int) -> bytes:
    return frame[:12] + b"\x81\x00" + vlan.to_bytes(2, "big") + frame[12:]


# -- asking ----------------------------------------------------------------------------------------


@pytest.mark.needs("macvlan")
def test_a_parent_that_takes_no_link_to_ask_from_is_named(lan: Lan, machine: Machine) -> None:
    lan.world.ip("link add br0 type bridge")
    lan.world.ip("link set eth0 master br0")
    machine.snapshot()
    (question,) = ask(lan, FREE)
    with pytest.raises(OSError, match="temporary macvlan link") as caught:
        machine.probe_lan([replace(question, beside=Beside("macvlan", OTHER_MAC))])
    assert caught.value.filename == "eth0"


def test_a_held_address_is_found_with_its_mac_and_a_free_one_is_not(
    lan: Lan, machine: Machine
) -> None:
    lan.station("printer", f"{HELD}/24", f"{HELD6}/64", mac=MAC)
    ready(lan)
    questions = ask(lan, HELD, HELD6, FREE, FREE6)
    assert machine.probe_lan(questions) == {questions[0]: MAC, questions[1]: MAC}


def test_a_parent_without_ipv6_hears_all_the_same(lan: Lan, machine: Machine) -> None:
    Path("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").write_text("1")
    lan.station("printer", f"{HELD6}/64", mac=MAC)
    ready(lan)
    questions = ask(lan, HELD6)
    assert ask_long(machine, questions) == {questions[0]: MAC}
    assert "UP" in lan.world.link("eth0")["flags"]
    assert lan.world.link("eth0").get("allmulti", 0) == 0


def test_the_question_tells_nobodys_caches_anything(lan: Lan, machine: Machine) -> None:
    lan.station("printer", f"{HELD}/24", f"{HELD6}/64")
    ready(lan)
    seen = capture(lan, "printer", "eth0", "arp or icmp6")
    ask_long(machine, ask(lan, HELD, HELD6))
    seen.saw(f"{HOST_MAC} > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: "
             f"Request who-has {HELD} tell 0.0.0.0")  # fmt: skip
    seen.saw(f"{HOST_MAC} > 33:33:ff:00:00:09, ethertype IPv6 (0x86dd), length 78: "
             f":: > ff02::1:ff00:9: ICMP6, neighbor solicitation, who has {HELD6}")  # fmt: skip
    assert HOST_MAC not in lan.world.ip("neigh", "printer")


def test_five_hundred_questions_take_one_wait(lan: Lan, machine: Machine) -> None:
    addresses = [f"10.9.{n // 200}.{n % 200 + 1}" for n in range(250)]
    addresses += [f"2001:db8:9::{n + 1:x}" for n in range(250)]
    held = addresses[::2]
    lan.station("many", *(f"{a}/{64 if ':' in a else 16}" for a in held), mac=MAC)
    ready(lan)
    seen = capture(lan, "many", "eth0", f"ether src {HOST_MAC} and (arp or icmp6)")
    questions = ask(lan, *addresses)
    taken = machine.probe_lan(questions, count=3, seconds=3.0)
    assert taken == {q: MAC for q in questions if q.address in held}
    # None more often than it was to be asked, and one that was answered not again.
    lines = until(lambda: len(x := seen.text().splitlines()) >= 1000 and x, "all in the capture")
    for address in addresses:
        times = sum(f"who-has {address} tell" in x or f"has {address}," in x for x in lines)
        assert times == (1 if address in held else 3), address


def test_what_our_own_macs_say_is_no_conflict(lan: Lan, machine: Machine) -> None:
    lan.station("ours", f"{HELD}/24", f"{HELD6}/64", mac=MAC)
    lan.station("theirs", f"{FREE}/24", mac=OTHER_MAC)
    ready(lan)
    questions = ask(lan, HELD, HELD6, FREE)
    assert machine.probe_lan(questions, own=[MAC.upper()]) == {questions[2]: OTHER_MAC}


def test_one_who_asks_for_the_same_address_at_the_same_time_is_found(
    lan: Lan, machine: Machine
) -> None:
    lan.station("rival", mac=MAC)
    ready(lan)
    sends(lan, "rival", packets.arp_probe(MAC, FREE), packets.neighbour_probe(MAC, FREE6))
    questions = ask(lan, FREE, FREE6)
    assert ask_long(machine, questions) == dict.fromkeys(questions, MAC)


def test_what_is_said_in_another_vlan_is_not_heard(lan: Lan, machine: Machine) -> None:
    lan.station("other", mac=MAC)
    ready(lan)
    answers = [packets.arp_announcement(MAC, HELD), packets.neighbour_advertisement(MAC, HELD6)]
    priority = packets.arp_announcement(MAC, FREE)
    sends(lan, "other", *(tagged(a, 60) for a in answers), tagged(priority, 0))
    seen = capture(lan, "", "eth0", "vlan 60")
    seen.saw("vlan 60")
    questions = ask(lan, HELD, HELD6, FREE)
    # A tag of VLAN 0 carries a priority and belongs to no VLAN (802.1Q, 9.6).
    assert machine.probe_lan(questions, count=5, seconds=3.0) == {questions[2]: MAC}


@pytest.mark.needs("macvlan")
def test_answers_are_heard_though_a_passthru_link_takes_them(lan: Lan, machine: Machine) -> None:
    lan.station("printer", f"{HELD}/24", f"{HELD6}/64", mac=MAC)
    lan.world.ip("link add link eth0 name pass0 type macvlan mode passthru")
    lan.world.ip("link set pass0 up")
    ready(lan)
    questions = ask(lan, HELD, HELD6)
    assert ask_long(machine, questions) == dict.fromkeys(questions, MAC)


@pytest.mark.needs("ipvlan")
@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_an_ipvlan_parent_asks_for_its_children(lan: Lan, machine: Machine, mode: str) -> None:
    lan.station("printer", f"{HELD}/24", f"{HELD6}/64", mac=MAC)
    lan.world.batch(f"netns add one\nlink add link eth0 name c netns one type ipvlan mode {mode}\n")
    lan.world.batch("addr add 172.16.3.15/24 dev c\nlink set c up", "one")
    ready(lan)
    questions = ask(lan, HELD, HELD6, FREE, FREE6)
    assert machine.probe_lan(questions) == dict.fromkeys(questions[:2], MAC)


@pytest.mark.needs("vlan", "trunk")
@pytest.mark.parametrize("flags", ["reorder_hdr on", "reorder_hdr off"])
def test_each_vlan_parent_asks_in_its_own_vlan(trunk: Lan, machine: Machine, flags: str) -> None:
    trunk.station("fifty", f"{HELD}/24", f"{HELD6}/64", vlan=50, mac=MAC)
    trunk.station("sixty", f"{HELD}/24", vlan=60, mac=OTHER_MAC)
    for vlan in (50, 60, 100):
        trunk.world.batch(
            f"link add link eth0 name eth0.{vlan} type vlan id {vlan} {flags}\n"
            f"link set eth0.{vlan} up"
        )
    ready(trunk)
    here = ask(trunk, HELD, HELD6, parent="eth0.50")
    there = ask(trunk, HELD, HELD6, parent="eth0.60")
    nowhere = ask(trunk, HELD, HELD6, parent="eth0.100") + ask(trunk, HELD, HELD6)
    found = machine.probe_lan([*here, *there, *nowhere])
    assert found == {here[0]: MAC, here[1]: MAC, there[0]: OTHER_MAC}


def test_a_link_that_is_down_or_gone_is_an_error_and_not_a_free_address(
    lan: Lan, machine: Machine
) -> None:
    questions = ask(lan, FREE)
    lan.world.ip("link set eth0 down")
    with pytest.raises(OSError, match="Network is down: 'eth0'"):
        machine.probe_lan(questions)
    lan.world.ip("link del eth0")
    with pytest.raises(OSError, match=r"(?i)no such device"):
        machine.probe_lan(questions)


def test_interrupted_nobody_waits(lan: Lan, machine: Machine) -> None:
    machine.interrupt()
    assert machine.probe_lan(ask(lan, FREE), seconds=3600.0) == {}
    assert machine.ping([EchoRequest("", None, None, "127.0.0.2")], seconds=3600.0) == {}


# -- telling ---------------------------------------------------------------------------------------


def tells(lan: Lan, name: str, *addresses: str) -> list[Announcement]:
    link = lan.world.link("eth0", name)
    return [Announcement(name, link["ifindex"], link["address"], a) for a in addresses]


def knows(lan: Lan, where: str, address: str, mac: str) -> None:
    until(
        lambda: f"{address} dev eth0 lladdr {mac}" in lan.world.ip("neigh", where),
        f"{where} knows that {address} is at {mac}",
    )


@pytest.mark.needs("macvlan")
def test_stations_and_siblings_learn_that_an_address_has_another_mac(
    lan: Lan, machine: Machine
) -> None:
    endpoint(lan, "web", f"{HELD}/24", f"{HELD6}/64")
    endpoint(lan, "sibling", "172.16.3.16/24", "2001:db8:abc8::16/64")
    lan.station("printer", "172.16.3.17/24", "2001:db8:abc8::17/64")
    machine.snapshot()
    for where in ("printer", "sibling"):
        lan.world.reaches(where, HELD)
        lan.world.reaches(where, HELD6)
    lan.world.ip(f"link set eth0 address {OTHER_MAC}", "web")
    assert machine.announce(tells(lan, "web", HELD, HELD6), times=3) == {}
    for where in ("printer", "sibling"):
        knows(lan, where, HELD, OTHER_MAC)
        knows(lan, where, HELD6, OTHER_MAC)


@pytest.mark.needs("macvlan")
def test_a_router_says_that_it_is_one(lan: Lan, machine: Machine) -> None:
    endpoint(lan, "web", f"{HELD6}/64")
    endpoint(lan, "router", f"{FREE6}/64")
    lan.world.run(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"], "router")
    lan.station("printer")
    ready(lan)
    machine.snapshot()
    seen = capture(lan, "printer", "eth0", "icmp6 and ip6[40] == 136 and ip6[44] & 0x80 != 0")
    machine.announce(tells(lan, "web", HELD6) + tells(lan, "router", FREE6))
    seen.saw(f"tgt is {FREE6}")
    assert HELD6 not in seen.text()


@pytest.mark.needs("macvlan")
def test_many_announce_at_once_and_what_cannot_is_told(lan: Lan, machine: Machine) -> None:
    lan.station("printer")
    names = [f"n{n}" for n in range(20)]
    for n, name in enumerate(names):
        endpoint(lan, name, f"172.16.3.{n + 20}/24")
    ready(lan)
    machine.snapshot()
    seen = capture(lan, "printer", "eth0", "arp")
    lost = Announcement("n0", 999, MAC, HELD)
    said = [x for n, name in enumerate(names) for x in tells(lan, name, f"172.16.3.{n + 20}")]
    assert set(machine.announce([lost, *said])) == {lost}
    for each in said:
        seen.saw(f"{each.mac} > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: "
                 f"Request who-has {each.address} tell {each.address}")  # fmt: skip


@pytest.mark.needs("macvlan")
def test_beside_more_siblings_than_fit_the_kernels_backlog(lan: Lan, machine: Machine) -> None:
    """They take all the room before the frame comes to the parent, a veth: so it sends itself."""
    lan.world.ip("netns add crowd")
    lan.world.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1", "crowd")  # 1100² copies less
    made = "link add v{} link eth0 netns crowd up type macvlan mode bridge"
    lan.world.batch("\n".join(made.format(n) for n in range(1100)))  # netdev_max_backlog is 1000
    endpoint(lan, "web", f"{HELD}/24")
    lan.station("printer")
    ready(lan)
    machine.snapshot()
    seen = capture(lan, "printer", "eth0", "arp")
    (said,) = tells(lan, "web", HELD)
    assert set(machine.announce([said]).values()) <= {"No buffer space available"}
    parent = lan.world.link("eth0")["ifindex"]
    assert machine.announce([replace(said, parent=parent)]) == {}
    seen.saw(f"{said.mac} > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: "
             f"Request who-has {HELD} tell {HELD}")  # fmt: skip
