"""The macvlan scenarios on the simulated LAN: who reaches whom in each mode."""

import pytest

import vlanlink
from tests.kernel.examples import example
from tests.kernel.judge import dump, same
from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.verified import causes, verified
from tests.kernel.wire import ready

pytestmark = pytest.mark.needs("macvlan")

GATEWAY = "172.16.86.1"
ONE, TWO = "172.16.86.10", "172.16.86.11"


def test_s1_bridge_mode_behind_an_external_router(lan: Lan) -> None:
    lan.router(f"{GATEWAY}/24")
    vlanlink.up(example("01-macvlan"))
    world = lan.world
    for namespace in ("one", "two"):
        world.reaches(namespace, GATEWAY)
    world.reaches("one", TWO)
    world.reaches("two", ONE)
    links = [world.link("eth0", "one"), world.link("eth0", "two"), world.link("eth0")]
    assert {link["linkinfo"]["info_data"]["mode"] for link in links[:2]} == {"bridge"}
    assert len({link["address"] for link in links}) == 3
    assert world.addresses("eth0") == []
    assert world.names() == {"lo", "eth0"}, "no bridge, no shim"
    for namespace in ("one", "two"):
        routes = world.json("route", namespace)
        assert [r["gateway"] for r in routes if r["dst"] == "default"] == [GATEWAY]


def test_s14_vepa_siblings_need_a_switch_that_hairpins(lan: Lan) -> None:
    lan.router(f"{GATEWAY}/24")
    vlanlink.up(example("14-macvlan-vepa"))
    world = lan.world
    assert world.link("eth0", "one")["linkinfo"]["info_data"]["mode"] == "vepa"
    world.reaches("one", GATEWAY)
    world.reaches("two", GATEWAY)
    world.does_not_reach("one", TWO)
    ready(lan)
    siblings = {("one", "two", TWO), ("two", "one", ONE)}
    promising = example("14-macvlan-vepa")  # hairpin = true
    off = "switch does not reflect frames (hairpin off)"
    assert causes(promising) == dict.fromkeys(siblings, off)
    lan.hairpin(on=True)
    world.reaches("one", TWO)
    world.reaches("two", ONE)
    assert {verified(promising)[who] for who in siblings} == {"reachable"}
    lan.hairpin(on=False)
    world.does_not_reach("two", ONE)


def test_s14_a_switch_that_hairpins_and_is_not_said_to(lan: Lan) -> None:
    lan.router(f"{GATEWAY}/24")
    topology = example("14-macvlan-vepa", ("hairpin = true\n", ""))
    vlanlink.up(topology)
    ready(lan)
    siblings = {("one", "two", TWO), ("two", "one", ONE)}
    found = verified(topology)
    assert {found[who] for who in siblings} == {"unreachable"}
    lan.hairpin(on=True)
    lan.world.reaches("one", TWO)
    on = "switch reflects frames (hairpin on)"
    assert causes(topology) == dict.fromkeys(siblings, on)


def test_s15_private_siblings_never_reach_each_other(lan: Lan) -> None:
    lan.router(f"{GATEWAY}/24")
    vlanlink.up(example("15-macvlan-private"))
    world = lan.world
    assert world.link("eth0", "one")["linkinfo"]["info_data"]["mode"] == "private"
    world.reaches("one", GATEWAY)
    world.reaches("two", GATEWAY)
    world.does_not_reach("one", TWO)
    lan.hairpin(on=True)
    world.reaches("one", GATEWAY)
    world.does_not_reach("one", TWO)
    world.does_not_reach("two", ONE)
    found = verified(example("15-macvlan-private"))
    assert found[("one", "two", TWO)] == found[("two", "one", ONE)] == "unreachable"
    assert found[("one", "gateway", GATEWAY)] == "reachable"


def test_s16_passthru_owns_the_parent_and_its_mac(lan: Lan) -> None:
    lan.router(f"{GATEWAY}/24")
    vlanlink.up(example("16-macvlan-passthru"))
    world = lan.world
    link = world.link("eth0", "one")
    assert link["linkinfo"]["info_data"]["mode"] == "passthru"
    assert link["address"] == world.link("eth0")["address"] == HOST_MAC
    world.reaches("one", GATEWAY)
    neighbours = world.json(f"neigh show {ONE}", "router")
    assert [n["lladdr"] for n in neighbours] == [HOST_MAC]


SECOND = """
[namespaces.two.interfaces.eth0]
network = "passthru"
addresses = ["172.16.86.11"]
"""


def test_s16_a_second_endpoint_is_refused_before_anything_is_changed(lan: Lan) -> None:
    before = dump(lan.world)
    last = 'addresses = ["172.16.86.10"]\n'
    with pytest.raises(vlanlink.TopologyError) as caught:
        vlanlink.up(example("16-macvlan-passthru", (last, last + SECOND)))
    assert "passthru" in str(caught.value)
    assert "namespaces.one" in str(caught.value) or "one/eth0" in str(caught.value)
    same(lan.world, before)


BESIDE = """
[topology]
name = "beside"
[namespaces.other.interfaces.m0]
kind = "macvlan"
mode = "MODE"
parent = "eth0"
addresses = ["172.16.86.12/24"]
"""


@pytest.mark.parametrize(("first", "second"), [("bridge", "passthru"), ("passthru", "private")])
def test_s16_passthru_suffers_no_other_topology_beside_it(
    lan: Lan, first: str, second: str
) -> None:
    one = BESIDE.replace("MODE", first).replace("beside", "first").replace("other", "one")
    vlanlink.up(vlanlink.load("/run/first.toml", text=one))
    before = dump(lan.world, "one")
    two = vlanlink.load("/run/second.toml", text=BESIDE.replace("MODE", second))
    with pytest.raises(vlanlink.ConflictError, match="can't share eth0 with macvlan one/m0"):
        vlanlink.up(two)
    same(lan.world, before, "one")


def test_s16_a_parent_that_the_host_uses_is_refused(lan: Lan) -> None:
    world = lan.world
    lan.router(f"{GATEWAY}/24")
    for words, shown in (
        ("addr add 172.16.86.5/24 dev eth0", "172.16.86.5/24"),
        ("-6 addr add 2001:db8:86::5/64 dev eth0 nodad", "2001:db8:86::5/64"),
        ("route add 10.9.0.0/16 dev eth0", "10.9.0.0/16"),
    ):
        world.ip(words)
        before = dump(world)
        with pytest.raises(vlanlink.ConflictError) as caught:
            vlanlink.up(example("16-macvlan-passthru"))
        assert shown in str(caught.value)
        assert "take_parent = true" in str(caught.value)
        same(world, before)
        world.ip(words.replace(" add ", " del ").replace(" nodad", ""))
    world.ip("addr add 172.16.86.5/24 dev eth0")
    world.reaches("", GATEWAY)
    before = dump(world)
    taking = example(
        "16-macvlan-passthru", ('mode = "passthru"', 'mode = "passthru"\ntake_parent = true')
    )
    vlanlink.up(taking)
    world.reaches("one", GATEWAY)
    world.does_not_reach("", GATEWAY)
    vlanlink.down(taking.name)
    same(world, before)
    world.reaches("", GATEWAY)


def test_s17_only_the_listed_macs_get_in(lan: Lan) -> None:
    lan.station("gateway", f"{GATEWAY}/24", mac="02:00:5e:00:53:01")
    lan.station("stranger", "172.16.86.2/24", mac="02:00:5e:00:53:02")
    vlanlink.up(example("17-macvlan-source"))
    world = lan.world
    data = world.link("eth0", "one")["linkinfo"]["info_data"]
    assert data["mode"] == "source"
    assert "02:00:5e:00:53:01" in str(data)
    world.reaches("gateway", ONE)
    world.reaches("stranger", GATEWAY)
    world.does_not_reach("stranger", ONE)
    world.does_not_reach("one", "172.16.86.2")
    both = '["02:00:5e:00:53:01", "02:00:5e:00:53:02"]'
    vlanlink.up(example("17-macvlan-source", ('["02:00:5e:00:53:01"]', both)))
    world.reaches("stranger", ONE)
