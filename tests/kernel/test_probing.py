"""Addresses asked about before they are used, and told of when they are."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.judge import dump, same
from tests.kernel.lan import HOST_MAC, Capture, Lan
from tests.kernel.wire import MAC, ready
from tests.kernel.world import until

FOUR, SIX = "172.16.3.15", "2001:db8:abc8::15"
macvlan = pytest.mark.needs("macvlan")


def topology(
    *addresses: str, kind: str = "macvlan", parent: str = "eth0", network: str = ""
) -> vlanlink.Topology:
    """One endpoint with these addresses, or with what is left out."""
    written = f"addresses = {list(addresses)}\n".replace("'", '"') if addresses else ""
    text = (
        f'[networks.pub]\nkind = "{kind}"\nparent = "{parent}"\n'
        'subnets = [{ subnet = "172.16.3.0/24" }, { subnet = "2001:db8:abc8::/64" }]\n'
        f'{network}\n[namespaces.web.interfaces.eth0]\nnetwork = "pub"\n{written}'
    )
    return vlanlink.load("/run/asks.toml", text=text)


def taken(lan: Lan, error: vlanlink.VlanlinkError, line: int, *addresses: str) -> None:
    """Each is said to be taken, at its place, with the MAC of who has it."""
    found = {(d.line, d.message) for d in error.diagnostics}
    assert found == {
        (line, f"{address} is in use on the LAN of {parent} by {MAC}")
        for address, parent in (a.split("@") for a in addresses)
    }
    assert lan.world.namespaces() == set()


def refused(lan: Lan, asked: vlanlink.Topology, *addresses: str) -> None:
    """``up`` finds the station and leaves everything as it was."""
    before = dump(lan.world)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(asked)
    taken(lan, caught.value, 8, *addresses)
    same(lan.world, before)
    assert not list(Path("/run/vlanlink").glob("*.json"))


@macvlan
def test_written_addresses_that_a_station_has_are_refused(lan: Lan) -> None:
    lan.station("printer", f"{FOUR}/24", f"{SIX}/64", mac=MAC)
    ready(lan)
    refused(lan, topology(FOUR, SIX), f"{FOUR}@eth0", f"{SIX}@eth0")
    vlanlink.up(topology(FOUR, SIX, network="probe = false"))
    assert lan.world.addresses("eth0", "web") == [f"{FOUR}/24", f"{SIX}/64"]


@pytest.mark.needs("ipvlan", "trunk", "vlan")
def test_a_vlan_that_had_to_be_made_is_undone(trunk: Lan) -> None:
    trunk.station("printer", f"{FOUR}/24", f"{SIX}/64", vlan=50, mac=MAC)
    trunk.station("elsewhere", "172.16.3.16/24", vlan=60)
    ready(trunk)
    for kind in ("macvlan", "ipvlan"):
        asked = topology(FOUR, SIX, kind=kind, parent="eth0.50")
        refused(trunk, asked, f"{FOUR}@eth0.50", f"{SIX}@eth0.50")
    vlanlink.up(topology("172.16.3.16", parent="eth0.50"))
    trunk.world.reaches("web", FOUR)


@pytest.mark.needs("ipvlan")
def test_an_ipvlan_endpoint_is_asked_for_by_its_parent(lan: Lan) -> None:
    lan.station("printer", f"{FOUR}/24", f"{SIX}/64", mac=MAC)
    ready(lan)
    refused(lan, topology(FOUR, SIX, kind="ipvlan"), f"{FOUR}@eth0", f"{SIX}@eth0")
    text = f'[links.i0]\nkind = "ipvlan"\nparent = "eth0"\naddresses = ["{FOUR}/24"]\n'
    with pytest.raises(vlanlink.ConflictError):
        vlanlink.up(vlanlink.load("/run/link.toml", text=text))
    vlanlink.up(topology(FOUR, SIX, kind="ipvlan", network='mode = "l3"'))  # has no neighbours


@macvlan
def test_a_parent_that_had_to_be_set_up_is_set_down_again(lan: Lan) -> None:
    lan.station("printer", f"{FOUR}/24", mac=MAC)
    ready(lan)
    lan.world.ip("link set eth0 down")
    refused(lan, topology(FOUR), f"{FOUR}@eth0")
    lan.world.ip(f"link set {lan.world.json('link', 'printer')[-1]['ifname']} down", "printer")
    vlanlink.up(topology(FOUR))
    assert lan.world.addresses("eth0", "web") == [f"{FOUR}/24"]


@macvlan
def test_what_is_left_out_is_chosen_past_all_stations(lan: Lan) -> None:
    crowd = [f"172.16.3.{n}/24" for n in range(1, 50)] + ["2001:db8:abc8::1/64"]
    lan.station("crowd", *crowd, mac=MAC)
    ready(lan)
    seen = lan.capture("crowd", "eth0", f"ether src {HOST_MAC} and arp")
    vlanlink.up(topology())
    assert lan.world.addresses("eth0", "web") == ["172.16.3.50/24", "2001:db8:abc8::2/64"]
    asked = set(re.findall(r"who-has (\S+) tell 0.0.0.0", seen.text()))
    assert len(asked) < 90, "not the whole subnet"
    vlanlink.down("asks")
    vlanlink.up(topology())  # by its lease
    assert lan.world.addresses("eth0", "web") == ["172.16.3.50/24", "2001:db8:abc8::2/64"]


@macvlan
def test_a_lease_that_somebody_took_meanwhile_is_given_up(lan: Lan) -> None:
    lan.station("printer", mac=MAC)
    ready(lan)
    vlanlink.up(topology())
    assert lan.world.addresses("eth0", "web")[0] == "172.16.3.1/24"
    vlanlink.down("asks")
    lan.world.ip("addr add 172.16.3.1/24 dev eth0", "printer")
    vlanlink.up(topology())
    assert lan.world.addresses("eth0", "web") == ["172.16.3.2/24", "2001:db8:abc8::1/64"]


@macvlan
def test_what_is_held_is_not_asked_about_again(lan: Lan) -> None:
    lan.station("ear")
    ready(lan)
    vlanlink.up(topology(FOUR))
    seen = lan.capture("ear", "eth0", "arp")
    vlanlink.up(topology(FOUR, "172.16.3.16"))
    seen.saw("who-has 172.16.3.16 tell 172.16.3.16")
    assert f"{FOUR}" not in seen.text()


@macvlan
@pytest.mark.parametrize(("network", "times"), [("", 3), ("probe = false", 1)])
def test_neighbours_are_told(lan: Lan, network: str, times: int) -> None:
    lan.station("ear", "172.16.3.99/24", "2001:db8:abc8::99/64")
    ready(lan)
    seen = lan.capture("ear", "eth0", "arp or icmp6[0] == 136")
    vlanlink.up(topology(FOUR, SIX, network=network))
    lan.world.reaches("ear", FOUR)
    seen.saw(f"who-has {FOUR} tell 172.16.3.99")  # all before it is in the capture
    told = f"who-has {FOUR} tell {FOUR}", f"tgt is {SIX}"
    mac = lan.world.link("eth0", "web")["address"]
    for words in told:
        assert len(_lines(seen, words, mac)) == times, seen.text()


def _lines(seen: Capture, words: str, mac: str) -> list[str]:
    return [x for x in seen.text().splitlines() if words in x and f" {mac} > " in x]


@macvlan
def test_a_plan_says_what_depends_on_the_lan_and_asks_nobody(lan: Lan) -> None:
    lan.station("ear")
    ready(lan)
    seen = lan.capture("ear", "eth0", "arp or icmp6")
    said = str(vlanlink.plan(topology("auto", SIX)))
    assert "address 172.16.3.1/24 on eth0, if free on the LAN\n" in said
    assert f"address {SIX}/64 on eth0\n" in said
    lan.world.ip("addr add 172.16.3.98/24 dev eth0")
    lan.world.pings("", "172.16.3.99")
    seen.saw("who-has 172.16.3.99")
    assert "172.16.3.1 " not in seen.text()
    assert SIX not in seen.text()


@macvlan
def test_nobody_can_be_asked_without_carrier(lan: Lan) -> None:
    lan.world.ip("link set port1 down", "switch")
    until(lambda: "NO-CARRIER" in lan.world.link("eth0")["flags"], "no carrier")
    done = vlanlink.up(topology(FOUR))
    assert [note.message for note in done.notes] == [
        "eth0 has no carrier, so the LAN could not be probed for its addresses"
    ]
    assert lan.world.addresses("eth0", "web") == [f"{FOUR}/24"]


@macvlan
def test_an_interrupt_while_asking_puts_all_back(lan: Lan) -> None:
    lan.station("ear")
    ready(lan)
    lan.world.ip("link set eth0 down")
    before = dump(lan.world)
    seen = lan.capture("ear", "eth0", "arp")
    file = Path("/run/asks.toml")
    file.write_text(_text(topology(FOUR, network="probe = { count = 1, seconds = 50 }")))
    process = lan.world.start([VLANLINK, "up", str(file)])
    seen.saw(f"who-has {FOUR} tell 0.0.0.0")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, b"rolled back" in errors) == (130, True), errors
    same(lan.world, before)


def _text(asked: vlanlink.Topology) -> str:
    assert asked.source is not None
    return asked.source.text


@macvlan
def test_the_hosts_and_others_addresses_are_refused_unasked(lan: Lan) -> None:
    lan.world.ip("addr add 172.16.3.5/24 dev eth0")
    vlanlink.up(topology(FOUR, network="probe = false"))
    for address, holder in (("172.16.3.5", "the host has it on eth0"), (FOUR, "namespace web")):
        text = _text(topology(address)).replace("namespaces.web", "namespaces.other")
        with pytest.raises(vlanlink.ConflictError) as caught:
            vlanlink.up(vlanlink.load("/run/other.toml", text=text))
        said: Any = caught.value.diagnostics[0]
        assert f"other/eth0 can't have {address}: {holder}" in said.message
        assert said.path[-2:] == ("addresses", 0)


def test_nobody_is_asked_behind_a_pair_that_is_still_to_be_made(lan: Lan) -> None:
    text = """
    [links]
    v0 = { kind = "veth", peer = { name = "v1" } }
    [namespaces.web.interfaces]
    eth0 = { kind = "macvlan", parent = "v0", addresses = ["10.1.0.1/24"] }
    """
    vlanlink.up(vlanlink.load("/run/pair.toml", text=text))
    assert {"v0", "v1"} <= lan.world.names()
    assert lan.world.addresses("eth0", "web") == ["10.1.0.1/24"]


@macvlan
def test_a_host_with_two_nics_on_one_lan_is_not_a_station_of_it(lan: Lan) -> None:
    """It answers by the one for what a link on the other has, also while that is down."""
    lan.trunk("eth1", mac=MAC)
    ready(lan)
    text = f"""
[topology]
name = "nics"
[links.m0]
kind = "macvlan"
parent = "eth0"
addresses = ["{FOUR}/24"]
up = false
"""
    down, up = (
        vlanlink.load("/run/nics.toml", text=one) for one in (text, text.replace("false", "true"))
    )
    vlanlink.up(down)
    lan.world.ip(f"address add {FOUR}/32 dev eth1")  # then it is a station like any other
    with pytest.raises(vlanlink.ConflictError, match=f"eth0 by {MAC}"):
        vlanlink.up(up)
    lan.world.ip(f"address delete {FOUR}/32 dev eth1")
    vlanlink.up(up)
    assert "UP" in lan.world.link("m0")["flags"]
    vlanlink.down(up)
