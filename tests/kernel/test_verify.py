"""verify: every cause that it names, made to happen; samples; what it needs."""

import os
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK, WITHOUT_PRIVILEGE, Cli
from tests.kernel.examples import DIRECTORY, example
from tests.kernel.features import missing
from tests.kernel.lan import HOST_MAC, SWITCH, Lan
from tests.kernel.verified import causes, measured, verified, who
from tests.kernel.wire import ready
from tests.kernel.world import World, until

pytestmark = pytest.mark.needs("macvlan")

GATEWAY, ONE, TWO = "172.16.86.1", "172.16.86.10", "172.16.86.11"
TO_GATEWAY = {("one", "gateway", GATEWAY), ("two", "gateway", GATEWAY)}
FILE = str(DIRECTORY / "01-macvlan.toml")


def load(text: str) -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=text)


@pytest.fixture
def up(lan: Lan) -> vlanlink.Topology:
    """Two endpoints in bridge mode, on a LAN without a router."""
    topology = example("01-macvlan")
    vlanlink.up(topology)
    ready(lan)
    return topology


# -- the LAN ---------------------------------------------------------------------------------------


def test_a_gateway_that_is_silent(lan: Lan, up: vlanlink.Topology) -> None:
    lan.station("printer", "172.16.86.9/24")
    ready(lan)
    lan.world.reaches("one", "172.16.86.9")
    assert causes(up) == dict.fromkeys(TO_GATEWAY, "gateway silent")
    facts = vlanlink.verify(up.name).differences[0].facts
    assert facts == (f"nobody answers one/eth0 for {GATEWAY}, nor eth0 itself",)
    lan.router(f"{GATEWAY}/24")
    ready(lan)
    lan.world.reaches("one", GATEWAY)
    assert verified(up)[("one", "gateway", GATEWAY)] == "reachable"


def test_a_gateway_that_is_there_and_gives_no_echo(lan: Lan, up: vlanlink.Topology) -> None:
    lan.router(f"{GATEWAY}/24")
    ready(lan)
    lan.world.run("sysctl -qw net.ipv4.icmp_echo_ignore_all=1", "router")
    found = vlanlink.verify(up.name)
    assert {who(c): c.cause for c in found.differences} == dict.fromkeys(TO_GATEWAY)
    mac = lan.world.link("eth0", "router")["address"]
    assert f"{GATEWAY} is at {mac}" in found.differences[0].facts


def test_a_lan_that_has_names_here_is_a_lan_all_the_same(world: World) -> None:
    """The switch and the router may be namespaces of the very machine: they are outside."""
    world.ip("netns add lan")
    world.ip(f"link add eth0 address {HOST_MAC} type veth peer name p0 netns lan")
    world.batch(f"addr add {GATEWAY}/24 dev p0\nlink set p0 up", "lan")
    world.ip("link set eth0 up")
    topology = example("01-macvlan", ('parent = "eth0"', 'parent = "eth0"\nprobe = false'))
    vlanlink.up(topology)
    world.reaches("one", GATEWAY)
    assert verified(topology)[("one", "gateway", GATEWAY)] == "reachable"
    world.ip("addr flush dev p0", "lan")
    assert causes(topology) == dict.fromkeys(TO_GATEWAY, "gateway silent")


def test_a_peer_elsewhere_is_no_link_of_that_number_here(world: World) -> None:
    """The uplink's peer is in a container; its number there is that of a link here, and back."""
    world.make_place("lan")
    world.make_place("vpn")
    lan, vpn = world.path("lan"), world.path("vpn")
    world.ip(f"link add eth0 index 41 type veth peer name p0 index 42 netns {lan}")
    world.ip(f"link add tun0 index 42 type veth peer name e0 index 41 netns {vpn}")
    world.batch(f"addr add {GATEWAY}/24 dev p0\nlink set p0 up", "lan")
    for name in ("eth0", "tun0"):
        world.ip(f"link set {name} up")
    assert vlanlink.snapshot().host.links["eth0"].peer is None
    topology = example("01-macvlan", ('parent = "eth0"', 'parent = "eth0"\nprobe = false'))
    vlanlink.up(topology)
    world.reaches("one", GATEWAY)
    assert verified(topology)["one", "gateway", GATEWAY] == "reachable"


def test_pairs_of_equal_numbers_in_named_namespaces(world: World) -> None:
    """Two pairs of namespaces, the numbers the same in all four."""
    for one, other in (("a", "b"), ("c", "d"), ("e", "f")):
        for name in (one, other):
            world.ip(f"netns add {name}")
        world.ip(f"-n {one} link add v0 index 7 type veth peer name v1 index 7 netns {other}")
    state = vlanlink.snapshot()
    for one, other in (("a", "b"), ("c", "d"), ("e", "f")):
        assert state.namespaces[one].links["v0"].peer == (other, "v1")
        assert state.namespaces[other].links["v1"].peer == (one, "v0")


def test_a_parent_elsewhere_is_no_link_of_that_number_here(world: World) -> None:
    """A macvlan link whose parent is in a container, moved into a namespace with a name."""
    world.make_place("box")
    world.ip("netns add web")
    world.ip("link add host0 index 9 type veth peer name host1")
    world.ip("link add e0 index 9 type veth peer name e1", "box")
    world.ip("link add m0 link e0 type macvlan", "box")
    with open("/run/netns/web") as web:
        world.ip(f"link set m0 netns /proc/{os.getpid()}/fd/{web.fileno()}", "box")
    assert vlanlink.snapshot().namespaces["web"].links["m0"].parent is None


def test_a_parent_without_carrier(lan: Lan, up: vlanlink.Topology) -> None:
    lan.world.ip("link set port1 down", SWITCH)
    until(lambda: "LOWER_UP" not in lan.world.link("eth0")["flags"], "no carrier on eth0")
    found = vlanlink.verify(up.name)
    assert {c.cause for c in found.differences} == {"parent without carrier"}
    assert {who(c) for c in found.differences} >= TO_GATEWAY
    assert found.differences[0].facts == ("eth0 has no carrier",)


def drop_extra_macs(lan: Lan) -> None:
    """Have the host's port let in what bears the host's MAC alone: 802.1X, port security."""
    if missing(["locked"]):  # of a bridge, Linux 5.18
        lan.world.run("tc qdisc add dev port1 clsact", SWITCH)
        for pref, which in (
            (1, f"flower src_mac {HOST_MAC} action pass"),
            (2, "matchall action drop"),
        ):
            words = f"tc filter add dev port1 ingress pref {pref} protocol all {which}"
            lan.world.run(words, SWITCH)
        return
    lan.world.run(f"bridge fdb replace {HOST_MAC} dev port1 master static", SWITCH)
    lan.world.run("bridge link set dev port1 learning off locked on", SWITCH)
    lan.world.run("bridge fdb flush dev br0 brport port1 dynamic", SWITCH, check=False)
    for name in ("one", "two"):
        mac = lan.world.link("eth0", name)["address"]
        lan.world.run(f"bridge fdb del {mac} dev port1 master", SWITCH, check=False)


def test_a_switch_that_drops_extra_macs(lan: Lan, up: vlanlink.Topology) -> None:
    lan.router(f"{GATEWAY}/24")
    ready(lan)
    assert verified(up)
    drop_extra_macs(lan)
    for name in ("router", "one", "two"):  # the router first: it would ask, and so be known
        lan.world.ip("neigh flush all", name)
    found = vlanlink.verify(up.name)
    assert {who(c): c.cause for c in found.differences} == dict.fromkeys(
        TO_GATEWAY, "switch drops extra MACs"
    )
    mac = lan.world.link("eth0", "router")["address"]
    assert f"{mac} answers eth0 itself" in found.differences[0].facts
    assert measured(found)[("one", "two", TWO)] == "reachable"


def test_a_gateway_that_source_mode_does_not_list(lan: Lan) -> None:
    lan.router(f"{GATEWAY}/24")
    topology = example("17-macvlan-source")
    vlanlink.up(topology)
    ready(lan)
    assert causes(topology) == {("one", "gateway", GATEWAY): "MAC not in source_macs"}


# -- the machine -----------------------------------------------------------------------------------


def test_what_is_missing_down_or_changed_by_hand(lan: Lan, up: vlanlink.Topology) -> None:
    world = lan.world
    lan.router(f"{GATEWAY}/24")
    ready(lan)
    verified(up)
    world.ip("link set eth0 type macvlan mode private", "one")
    apart = {("one", "two", TWO), ("two", "one", ONE)}
    assert causes(up) == dict.fromkeys(apart, "changed by hand")
    world.ip("link set eth0 type macvlan mode bridge", "one")
    world.ip(f"addr del {TWO}/24 dev eth0", "two")
    assert causes(up)[("one", "two", TWO)] == "missing on this machine"
    world.ip("link set eth0 down", "two")
    assert causes(up)[("two", "gateway", GATEWAY)] == "link down"
    world.ip("netns del two")
    until(lambda: "two" not in world.namespaces())
    assert set(causes(up).values()) == {"missing on this machine"}
    assert vlanlink.verify(up.name).state == "drifted"


def test_what_is_reached_because_of_a_change_by_hand(lan: Lan) -> None:
    lan.router(f"{GATEWAY}/24")
    topology = example("15-macvlan-private")
    vlanlink.up(topology)
    ready(lan)
    for name in ("one", "two"):
        lan.world.ip("link set eth0 type macvlan mode bridge", name)
    apart = {("one", "two", TWO), ("two", "one", ONE)}
    assert causes(topology) == dict.fromkeys(apart, "changed by hand")


ROUTED = """
[topology]
name = "routed"
[links]
v0 = { kind = "veth", peer = { name = "v1" } }
w0 = { kind = "veth", peer = { name = "w1" } }
[networks]
front = { kind = "macvlan", parent = "v0", subnets = [{ subnet = "10.1.0.0/24", gateway = "10.1.0.254" }] }
back = { kind = "macvlan", parent = "w0", subnets = [{ subnet = "10.2.0.0/24", gateway = "10.2.0.254" }] }
[namespaces.router]
sysctls = { "net.ipv4.ip_forward" = 1 }
[namespaces.router.interfaces]
front = { network = "front", addresses = ["10.1.0.254"] }
back = { network = "back", addresses = ["10.2.0.254"] }
[namespaces.web.interfaces]
eth0 = { network = "front", addresses = ["10.1.0.1"] }
[namespaces.db.interfaces]
eth0 = { network = "back", addresses = ["10.2.0.1"] }
"""  # noqa: E501
BOTH_WAYS = {("web", "db", "10.2.0.1"), ("db", "web", "10.1.0.1")}


def test_missing_routes_and_a_router_that_does_not_forward(world: World) -> None:
    topology = load(ROUTED)
    vlanlink.up(topology)
    world.reaches("web", "10.2.0.1")
    assert verified(topology)[("web", "db", "10.2.0.1")] == "reachable"
    world.run("sysctl -qw net.ipv4.ip_forward=0", "router")
    assert {k: v for k, v in causes(topology).items() if k in BOTH_WAYS} == dict.fromkeys(
        BOTH_WAYS, "router does not forward"
    )
    world.run("sysctl -qw net.ipv4.ip_forward=1", "router")
    world.ip("route del default", "db")
    found = vlanlink.verify("routed")
    by_pair = {who(c): (c.cause, c.facts) for c in found.differences}
    assert by_pair[("web", "db", "10.2.0.1")] == (
        "missing return route",
        ("no return path: db has no route to 10.1.0.1",),
    )
    assert by_pair[("db", "web", "10.1.0.1")] == (
        "missing route",
        ("db has no route to 10.1.0.1",),
    )


def test_a_reverse_path_filter(world: World) -> None:
    """db has a link in both networks: what the router brings it would answer by the other."""
    second = 'eth0 = { network = "back", addresses = ["10.2.0.1"], default_route = false }\n'
    second += 'eth1 = { network = "front", addresses = ["10.1.0.2"], default_route = false }'
    first = 'eth0 = { network = "back", addresses = ["10.2.0.1"] }'
    topology = load(ROUTED.replace(first, second))
    vlanlink.up(topology)
    for key in ("all", "eth0"):
        world.run(f"sysctl -qw net.ipv4.conf.{key}.rp_filter=0", "db")
    world.reaches("web", "10.2.0.1")
    verified(topology)
    world.run("sysctl -qw net.ipv4.conf.eth0.rp_filter=1", "db")
    world.does_not_reach("web", "10.2.0.1")
    found = vlanlink.verify("routed")
    by_pair = {who(c): c for c in found.differences}
    assert by_pair.keys() == {("web", "db", "10.2.0.1")}
    check = by_pair[("web", "db", "10.2.0.1")]
    assert check.cause == "rp_filter"
    back = "the route back to 10.1.0.1 is through db/eth1"
    assert check.facts[0] == f"rp_filter is 1 on db/eth0, and {back}"


@pytest.mark.needs("nftables")
def test_a_filter_of_packets(world: World) -> None:
    topology = load(ROUTED)
    vlanlink.up(topology)
    world.reaches("web", "10.2.0.1")
    rule = "add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }"
    world.run(["nft", rule], "db")
    found = vlanlink.verify("routed")
    by_pair = {who(c): c.cause for c in found.differences}
    assert by_pair[("web", "db", "10.2.0.1")] == "packet filter (input)"
    assert ("web", "router", "10.1.0.254") not in by_pair


# -- what is not judged ----------------------------------------------------------------------------


def test_what_a_router_outside_could_join_is_measured_and_not_judged(lan: Lan) -> None:
    text = """
    [networks]
    a = { kind = "macvlan", parent = "eth0", subnets = [{ subnet = "10.1.0.0/24", gateway = "10.1.0.254" }] }
    b = { kind = "macvlan", parent = "eth0", subnets = [{ subnet = "10.2.0.0/24", gateway = "10.2.0.254" }] }
    [namespaces]
    one.interfaces.eth0 = { network = "a", addresses = ["10.1.0.1"] }
    two.interfaces.eth0 = { network = "b", addresses = ["10.2.0.1"] }
    """  # noqa: E501
    topology = load(text)
    vlanlink.up(topology)
    lan.router("10.1.0.254/24", "10.2.0.254/24")
    lan.world.run("sysctl -qw net.ipv4.ip_forward=0", "router")
    ready(lan)
    joined = {("one", "two", "10.2.0.1"), ("two", "one", "10.1.0.1")}
    found = vlanlink.verify("office")
    assert found.ok
    assert {who(c): c.reached for c in found.unjudged} == dict.fromkeys(joined, False)
    assert joined.isdisjoint(measured(found))
    lan.world.run("sysctl -qw net.ipv4.ip_forward=1", "router")
    lan.world.reaches("one", "10.2.0.1")
    found = vlanlink.verify("office")
    assert found.ok
    assert {who(c): c.reached for c in found.unjudged} == dict.fromkeys(joined, True)


# -- many ------------------------------------------------------------------------------------------


def test_of_more_than_fifty_endpoints_some_of_every_kind_are_asked(lan: Lan) -> None:
    del lan
    networks = "".join(
        f'[networks.{name}]\nkind = "macvlan"\nmode = "{mode}"\nparent = "eth0"\n'
        f'subnets = [{{ subnet = "10.{n}.0.0/24" }}]\n'
        for n, (name, mode) in enumerate((("crowd", "bridge"), ("pair", "private")), start=1)
    )
    members = "".join(
        f'[namespaces.n{n}.interfaces.eth0]\nnetwork = "{"pair" if n in (30, 59) else "crowd"}"\n'
        for n in range(60)
    )
    vlanlink.up(load(networks + members))
    told: list[tuple[int, int, str]] = []
    found = vlanlink.verify("office", on_progress=lambda *each: told.append(each))
    assert found.ok
    assert (found.endpoints, found.sampled) == (60, 50)
    assert told[-1][:2] == (told[-1][1], told[-1][1])
    names = {c.pair.source for c in found.checks} - {""}
    assert len(names) == 50
    assert {"n0", "n30", "n59"} <= names
    pairs = {who(c)[:2]: c.reached for c in found.checks}
    assert (pairs[("n0", "n1")], pairs[("n30", "n59")]) == (True, False)
    whole = vlanlink.verify("office", everything=True)
    assert (whole.ok, whole.sampled) == (True, 60)
    assert len({c.pair.source for c in whole.checks} - {""}) == 60


# -- what can't be measured ------------------------------------------------------------------------

TENANTS = "".join(
    f"""
[networks.{name}]
kind = "macvlan"
probe = false
parent = "{name}0"
subnets = [{{ subnet = "10.0.0.0/24" }}]
[namespaces.{name}.interfaces.eth0]
network = "{name}"
addresses = ["10.0.0.2"]
"""
    for name in ("red", "blue")
)


def test_two_tenants_with_one_address_are_not_measured(world: World) -> None:
    """Each would be answered by itself."""
    for name in ("red", "blue"):
        world.make_place(f"lan-{name}")
        world.ip(f"link add {name}0 type veth peer name p0 netns {world.path(f'lan-{name}')}")
        world.ip("link set p0 up", f"lan-{name}")
        world.ip(f"link set {name}0 up")
    topology = load(TENANTS)
    vlanlink.up(topology)
    assert world.pings("red", "10.0.0.2"), "red answers itself"
    found = vlanlink.verify(topology)
    unmeasured = {who(c): c.to_dict() for c in found.unmeasured}
    assert unmeasured.keys() == {("red", "blue", "10.0.0.2"), ("blue", "red", "10.0.0.2")}
    row = unmeasured["red", "blue", "10.0.0.2"]
    assert row["measured"] is None
    assert row["reason"] == "red has 10.0.0.2 too, and answers itself"
    assert not {"expected", "ok"} & row.keys()
    assert {who(c) for c in found.checks} == {
        ("host", "red", "10.0.0.2"),
        ("host", "blue", "10.0.0.2"),
    }


def test_an_address_that_another_one_answers_for_is_not_measured(world: World) -> None:
    """The host has a route to red: what it sends to blue's address arrives there."""
    text = TENANTS + '[links.shim0]\nkind = "macvlan"\nparent = "red0"\naddresses = ["10.0.0.3/24"]'
    for name in ("red", "blue"):
        world.make_place(f"lan-{name}")
        world.ip(f"link add {name}0 type veth peer name p0 netns {world.path(f'lan-{name}')}")
        world.ip("link set p0 up", f"lan-{name}")
        world.ip(f"link set {name}0 up")
    topology = load(text)
    vlanlink.up(topology)
    world.reaches("", "10.0.0.2")
    found = vlanlink.verify(topology)
    assert found.ok
    reasons = {who(c): c.to_dict()["reason"] for c in found.unmeasured}
    assert reasons["host", "blue", "10.0.0.2"] == "red has 10.0.0.2 too, and answers"
    assert measured(found)["host", "red", "10.0.0.2"] == "reachable"


def test_an_address_that_was_added_by_hand_is_not_measured(lan: Lan, up: vlanlink.Topology) -> None:
    lan.world.ip(f"addr add {TWO}/32 dev lo", "one")
    found = vlanlink.verify(up.name)
    assert ("one", "two", TWO) not in measured(found)
    assert {who(c) for c in found.unmeasured} == {("one", "two", TWO)}


def test_a_namespace_that_is_gone_is_not_kept_apart(lan: Lan) -> None:
    """Nobody could ask from it, so nobody knows whether it reaches what it must not."""
    text = Path(FILE).read_text().replace('"bridge"', '"private"')
    topology = load(text)
    vlanlink.up(topology)
    lan.world.ip("netns delete one")
    found = vlanlink.verify(topology)
    assert not {pair for pair in measured(found) if pair[0] == "one"} - TO_GATEWAY
    assert ("one", "two", TWO) in {who(c) for c in found.unmeasured}


# -- the command -----------------------------------------------------------------------------------


def test_the_command_says_it_in_words_and_json(lan: Lan, up: vlanlink.Topology, cli: Cli) -> None:
    world = lan.world
    lan.router(f"{GATEWAY}/24")
    ready(lan)
    world.reaches("one", GATEWAY)
    row = {"from", "to", "address", "expected", "measured", "ok"}
    found = cli.json(f"verify {up.name}")
    assert (found["topology"], found["ok"], found["state"]) == ("macvlan", True, "up")
    assert all(row <= check.keys() for check in found["checks"])
    assert found["unjudged"] == []
    by_pair = {(c["from"], c["to"], c["address"]): c["measured"] for c in found["checks"]}
    assert by_pair == measured(vlanlink.verify(up))
    assert cli.run(f"verify {FILE}").splitlines()[-1] == "macvlan: 6 of 6 as expected."
    world.ip("link set eth0 down", "router")
    lines = cli.run(f"verify {FILE}", code=3).splitlines()
    assert lines[:2] == [
        "expected reachable, measured unreachable (on its segment)",
        "  cause: gateway silent",
    ]
    silent = f"nobody answers one/eth0 for {GATEWAY}, nor eth0 itself"
    assert lines[2] == f"  one → gateway {GATEWAY}: {silent}"
    assert lines[-1] == "macvlan: 4 of 6 as expected."


def test_what_is_down_or_unknown_is_not_verified(lan: Lan, cli: Cli) -> None:
    del lan
    found = cli.json(f"verify {FILE}", code=3)
    assert (found["ok"], found["state"], found["checks"]) == (False, "down", [])
    assert "vlanlink up" in cli.run(f"verify {FILE}", code=3)
    cli.errors("verify nosuch", code=2)
    vlanlink.up(vlanlink.load(FILE))
    for file in Path("/run/vlanlink").glob("**/*.json"):
        file.unlink()
    assert "its copy is lost" in cli.errors("verify macvlan", code=2)[0]["message"]


def test_it_needs_raw_sockets(lan: Lan, up: vlanlink.Topology) -> None:
    without = ["setpriv", "--inh-caps=-net_raw", "--bounding-set=-net_raw"]
    for words in (without, WITHOUT_PRIVILEGE):
        done = lan.world.run([*words, VLANLINK, "verify", up.name], check=False)
        assert done.returncode == 4, done.stderr
        assert "CAP_NET_RAW" in done.stderr


@pytest.mark.needs("macvlan")
def test_the_way_back_to_a_link_local_source_is_the_way_in(lan: Lan) -> None:
    """The host has no other IPv6 address; web has a link-local address on two networks."""
    del lan
    text = """
    [topology]
    name = "office"
    [networks.pub]
    kind = "macvlan"
    parent = "eth0"
    probe = false
    shim = true
    subnets = [{ subnet = "2001:db8:50::/64" }]
    [networks.back]
    kind = "macvlan"
    mode = "private"
    parent = "eth0"
    probe = false
    subnets = [{ subnet = "2001:db8:60::/64" }]
    [namespaces.web.interfaces]
    eth0 = { network = "pub" }
    eth1 = { network = "back" }
    """
    vlanlink.up(vlanlink.load("office.toml", text=text))
    found = vlanlink.verify("office")
    assert [check.to_dict() for check in found.differences] == []
    addresses = {check.address for check in found.checks if check.expected == "reachable"}
    assert "2001:db8:50::1" in addresses
