"""The shim: the host and its endpoints reach each other, and the LAN sees nothing of it."""

import ipaddress
import re
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.examples import example
from tests.kernel.judge import dump, same
from tests.kernel.lan import HOST_MAC, Lan
from tests.kernel.verified import verified
from tests.kernel.wire import ready
from tests.kernel.world import World, until

macvlan = pytest.mark.needs("macvlan")
ipvlan = pytest.mark.needs("ipvlan")

ON_LAN = ("172.16.87.5", "2001:db8:87::5")
STATION = ("172.16.87.9", "2001:db8:87::9")
ONE, ONE6 = "172.16.87.130", "2001:db8:87::130"

FILE = """
[topology]
name = "shim"
[networks.pub]
parent = "eth0"
probe = false
subnets = [{ subnet = "172.16.SUBNET.0/24" }, { subnet = "2001:db8:SUBNET::/64" }]
NETWORK
[namespaces.one]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.SUBNET.130", "2001:db8:SUBNET::130"]
"""


def load(network: str, *, subnet: int = 87) -> vlanlink.Topology:
    text = FILE.replace("SUBNET", str(subnet)).replace("NETWORK", network)
    return vlanlink.load("/run/shim.toml", text=text)


def give_host_its_addresses(world: World, dev: str = "eth0") -> None:
    world.batch(f"addr add {ON_LAN[0]}/24 dev {dev}\naddr add {ON_LAN[1]}/64 dev {dev} nodad\n")
    # The kernel's own route to an IPv6 address comes a moment after the address.
    until(lambda: ON_LAN[1] in world.ip("-6 route show table local"), "the address is usable")


def shim_name(world: World, *others: str) -> str:
    (name,) = world.names() - {"lo", "eth0", *others}
    return name


def own(world: World, name: str, family: int, *, link_local: bool = False) -> list[str]:
    """A shim's addresses of a family."""
    (row,) = world.json(f"addr show dev {name}")
    found = [ipaddress.ip_address(info["local"]) for info in row["addr_info"]]
    return [str(ip) for ip in found if ip.version == family and ip.is_link_local is link_local]


BRIDGE = 'kind = "macvlan"\nshim = true'
WRITTEN = 'kind = "macvlan"\nshim = { name = "shim0", addresses = ["172.16.87.250"] }'
VEPA = 'kind = "macvlan"\nmode = "vepa"\nhairpin = true\nshim = true'
L2 = 'kind = "ipvlan"\nshim = true'
L3 = 'kind = "ipvlan"\nmode = "l3"\nshim = true'
L3S = L3.replace("l3", "l3s")


@pytest.mark.parametrize(
    ("network", "parent_has", "subnet"),
    [
        # kind and mode, whether the parent has addresses, subnet
        pytest.param(BRIDGE, True, 87, marks=macvlan, id="macvlan"),
        pytest.param(BRIDGE, True, 88, marks=macvlan, id="macvlan-in-another-subnet"),
        pytest.param(BRIDGE, False, 87, marks=macvlan, id="macvlan-own"),
        pytest.param(WRITTEN, True, 87, marks=macvlan, id="macvlan-written"),
        pytest.param(VEPA, True, 87, marks=macvlan, id="macvlan-vepa"),
        pytest.param(L2, True, 87, marks=ipvlan, id="ipvlan-l2"),
        pytest.param(L2, True, 88, marks=ipvlan, id="ipvlan-l2-in-another-subnet"),
        pytest.param(L2, False, 87, marks=ipvlan, id="ipvlan-l2-own"),
        pytest.param(L3, True, 88, marks=ipvlan, id="ipvlan-l3"),
        pytest.param(L3, False, 88, marks=ipvlan, id="ipvlan-l3-own"),
        pytest.param(L3S, True, 88, marks=ipvlan, id="ipvlan-l3s"),
    ],
)
def test_each_recipe_works_both_ways(lan: Lan, network: str, parent_has: bool, subnet: int) -> None:
    world = lan.world
    if "vepa" in network:
        lan.hairpin(on=True)
    if parent_has:
        give_host_its_addresses(world)
    routes = _routes(world)
    topology = load(network, subnet=subnet)
    vlanlink.up(topology)
    name = shim_name(world)
    written = ["172.16.87.250"] if network is WRITTEN else []
    assert own(world, name, 4) + own(world, name, 6) == written  # none of the LAN's unasked
    assert {route for route in _routes(world) if f"'{name}'" not in route} == routes
    speaks = (written or own(world, name, 4, link_local=True))[0]
    # With vepa the switch sends the endpoint's question to the parent as well, which answers too:
    # with a strict filter it depends on who is first.
    for rp_filter in (0,) if network is VEPA else (0, 1):
        _filter_reverse_paths(world, rp_filter)
        world.reaches("", f"172.16.{subnet}.130")
        world.reaches("", f"2001:db8:{subnet}::130")
        world.reaches("one", speaks)
        # In ipvlan l2 the parent's IPv4 address is the parent's alone, from which a strict filter
        # takes nothing that belongs on the shim.
        filtered = ON_LAN[:1] if network is L2 and rp_filter else ()
        for of_parent in set(ON_LAN).difference(filtered) if parent_has else ():
            world.reaches("one", of_parent)
    assert vlanlink.up(topology).operations == ()
    _filter_reverse_paths(world, 0)
    outcome = verified(topology)
    for address in (f"172.16.{subnet}.130", f"2001:db8:{subnet}::130"):
        assert outcome[("host", "one", address)] == "reachable"


def _filter_reverse_paths(world: World, value: int) -> None:
    for namespace in ("", "one"):
        world.run(f"sysctl -qw net.ipv4.conf.all.rp_filter={value}", namespace)


def _routes(world: World) -> set[str]:
    """The host's routes, but for those that the kernel gives a link that is up."""
    rows = [*world.json("route show table all"), *world.json("-6 route show table all")]
    return {repr(row) for row in rows if row.get("protocol") != "kernel"}


@macvlan
def test_s10_without_the_shim_the_kernel_means_it(lan: Lan) -> None:
    world = lan.world
    give_host_its_addresses(world)
    lan.station("station", f"{STATION[0]}/24", f"{STATION[1]}/64")
    vlanlink.up(example("10-shim", ("shim = true", "shim = false")))
    world.reaches("station", ONE)
    world.reaches("", STATION[0])
    world.does_not_reach("", ONE)
    world.does_not_reach("one", ON_LAN[0])
    lan.router("172.16.87.1/24", "2001:db8:87::1/64")
    ready(lan)
    found = verified(example("10-shim", ("shim = true", "shim = false")))
    assert found[("host", "one", ONE)] == found[("host", "one", ONE6)] == "unreachable"
    assert found[("one", "host", ON_LAN[0])] == "unreachable"
    assert found[("one", "two", "172.16.87.10")] == "reachable"


@macvlan
def test_s10_the_lan_sees_nothing_of_it(lan: Lan) -> None:
    """A station's neighbour entries hold the parent's MAC all the time; it is always answered."""
    world = lan.world
    give_host_its_addresses(world)
    lan.station("station", f"{STATION[0]}/24", f"{STATION[1]}/64")
    ready(lan)
    _host_is_at_the_parent(world)
    before = dump(world)
    pings = [_ping_all_the_time(world, address) for address in ON_LAN]

    vlanlink.up(example("10-shim"))
    _host_is_at_the_parent(world)
    for address in (ONE, ONE6, "172.16.87.10", "2001:db8:87::10"):
        world.reaches("", address)  # the host asks for its endpoints, and the LAN hears it ask
    for namespace in ("one", "two"):
        for address in ON_LAN:
            world.reaches(namespace, address)
    _host_is_at_the_parent(world)

    # Asked anew, one answers.
    heard = lan.capture("station", "eth0", "arp or icmp6")
    questions = (
        ("Request who-has 172.16.87.5 ", "Reply 172.16.87.5 is-at"),
        ("solicitation, who has 2001:db8:87::5,", "advertisement, tgt is 2001:db8:87::5,"),
    )

    def is_answered() -> bool:
        """The host may have told the station of itself first, by a question of its own."""
        for number, family in enumerate((4, 6)):
            world.ip(f"-{family} neigh flush dev eth0", "station")
            world.reaches("station", ON_LAN[number])
        return all(answered in heard.text() for _, answered in questions)

    until(is_answered, "the station asks, and is answered")
    world.reaches("station", "2001:db8:87::10")  # later on the same wire
    heard.saw("is 2001:db8:87::10")
    for asked, answered in questions:
        lines = heard.text().splitlines()
        answers = [line.split()[1] for line in lines if answered in line]
        assert set(answers) == {HOST_MAC}
        assert len(answers) <= sum(asked in line for line in lines)
    name = shim_name(world)
    assert own(world, name, 4) + own(world, name, 6) == []
    assert "MULTICAST" not in world.link(name)["flags"]  # mDNS would publish its addresses

    vlanlink.down("shim")
    _host_is_at_the_parent(world)
    for running in pings:
        assert _unanswered(running) == []
    same(world, before)


def _host_is_at_the_parent(world: World) -> None:
    for address in ON_LAN:
        world.reaches("station", address)
        (neighbour,) = world.json(f"neigh show {address}", "station")
        assert neighbour["lladdr"] == HOST_MAC


def _ping_all_the_time(world: World, address: str) -> Path:
    file = Path(f"/run/pings-{address}")
    shell = f"exec ping -n -i 0.05 {address} >{file} 2>&1"
    world.start(["sh", "-c", shell], "station")
    until(lambda: file.exists() and "icmp_seq=1 " in file.read_text(), "the first answer")
    return file


def _unanswered(file: Path) -> list[int]:
    """The pings without answer, once one more than now is answered."""
    numbers = set(map(int, re.findall(r"bytes from.*icmp_seq=(\d+) ", file.read_text())))
    last = max(numbers)
    until(lambda: f"icmp_seq={last + 1} " in file.read_text(), "one more answer")
    return [number for number in range(1, last) if number not in numbers]


@macvlan
def test_the_parents_address_changes(lan: Lan) -> None:
    world = lan.world
    give_host_its_addresses(world)
    topology = load(BRIDGE)
    vlanlink.up(topology)
    world.reaches("", ONE)
    world.batch(
        "addr del 172.16.87.5/24 dev eth0\naddr add 172.16.87.6/24 dev eth0\n"
        "addr del 2001:db8:87::5/64 dev eth0\naddr add 2001:db8:87::6/64 dev eth0 nodad\n"
    )
    assert vlanlink.status(topology).state == "drifted"
    vlanlink.up(topology)
    for address in (ONE, ONE6):
        world.reaches("", address)
    for address in ("172.16.87.6", "2001:db8:87::6"):
        world.reaches("one", address)
    assert vlanlink.up(topology).operations == ()

    # Without any, the shim takes none of the LAN's.
    world.batch("addr del 172.16.87.6/24 dev eth0\naddr del 2001:db8:87::6/64 dev eth0\n")
    vlanlink.up(topology)
    name = shim_name(world)
    assert own(world, name, 4) + own(world, name, 6) == []
    for address in (ONE, ONE6):
        world.reaches("", address)
    give_host_its_addresses(world)
    vlanlink.up(topology)
    for address in (ONE, ONE6):
        world.reaches("", address)
    for address in ON_LAN:
        world.reaches("one", address)


NAT = """
add table ip nat
add chain ip nat out { type nat hook postrouting priority 100; }
add rule ip nat out ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
"""


@pytest.mark.needs("macvlan", "nat")
@pytest.mark.parametrize("parent_has", [True, False])
def test_containers_behind_nat_reach_the_endpoints(lan: Lan, parent_has: bool) -> None:
    """Beside a NIC with the default route, and the address that MASQUERADE would take else."""
    world = lan.world
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    world.ip("addr add 10.9.0.5/24 dev eth1")
    if parent_has:
        give_host_its_addresses(world)
    world.batch(
        "link add docker0 type bridge\naddr add 172.17.0.1/16 dev docker0\nlink set docker0 up\n"
    )
    world.make_place("container")
    world.batch(
        "link add vh type veth peer name vc\nlink set vh master docker0 up\n"
        f"link set vc netns {world.path('container')} name eth0\n"
    )
    world.batch(
        "addr add 172.17.0.2/16 dev eth0\nlink set eth0 up\nroute add default via 172.17.0.1\n",
        "container",
    )
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    world.run(["nft", "-f", "-"], stdin=NAT)
    world.reaches("container", "172.17.0.1")
    vlanlink.up(load(BRIDGE))
    world.reaches("container", ONE)
    world.reaches("", ONE)


@macvlan
def test_a_host_that_answers_for_the_addresses_of_each_nic_only(lan: Lan) -> None:
    """arp_ignore = 1, as `doctor` says where two NICs are in one subnet."""
    world = lan.world
    give_host_its_addresses(world)
    topology = load(BRIDGE)
    vlanlink.up(topology)
    Path("/proc/sys/net/ipv4/conf/all/arp_ignore").write_text("1")
    vlanlink.up(topology)
    world.ip("neigh flush dev eth0", "one")
    world.reaches("", ONE)
    world.reaches("one", ON_LAN[0])
    assert vlanlink.status(topology).state == "up"


@macvlan
def test_two_topologies_and_their_shims(lan: Lan) -> None:
    """On one parent and out of one range; each goes by itself."""
    world = lan.world
    give_host_its_addresses(world)
    before = dump(world)
    vlanlink.up(example("10-shim"))
    other = [(f"namespaces.{name}.", f"namespaces.other-{name}.") for name in ("one", "two")]
    moved = [("87.130", "87.140"), ("87::130", "87::140"), ("87.10", "87.20"), ("87::10", "87::20")]
    vlanlink.up(example("10-shim", ('name = "shim"', 'name = "shim2"'), *other, *moved))
    both = (ONE, "172.16.87.140", "172.16.87.20", ONE6, "2001:db8:87::140", "2001:db8:87::20")
    for address in both:
        world.reaches("", address)
    for namespace in ("one", "other-one"):
        for address in ON_LAN:
            world.reaches(namespace, address)
    assert vlanlink.status("shim").state == vlanlink.status("shim2").state == "up"
    vlanlink.down("shim")
    for address in (*both[1:3], *both[4:]):
        world.reaches("", address)
    vlanlink.down("shim2")
    same(world, before)


@pytest.mark.needs("macvlan", "dummy")
def test_the_sole_way_into_a_network_that_leaves_the_host_nowhere(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(
        vlanlink.load(
            "/run/quiet.toml",
            text="""
[networks.quiet]
kind = "macvlan"
internal = true
shim = true
[namespaces.one.interfaces.eth0]
network = "quiet"
""",
        )
    )
    (inside,) = world.addresses("eth0", "one")
    (name,) = {name for name in world.names() if name.startswith("sh-")}
    (outside,) = own(world, name, 4, link_local=True)
    world.reaches("", inside.partition("/")[0])
    world.reaches("one", outside)
    found = world.json(f"route show table local dev {name}")
    (route,) = [row for row in found if row["type"] == "unicast"]
    assert route["dst"] == str(ipaddress.ip_interface(inside).network)


@macvlan
def test_a_route_of_the_hosts_is_not_taken(lan: Lan) -> None:
    world = lan.world
    give_host_its_addresses(world)
    world.ip(f"route add {ONE}/32 dev eth0")
    before = dump(world)
    with pytest.raises(vlanlink.ConflictError, match=f"already has a route to {ONE}"):
        vlanlink.up(load(BRIDGE))
    same(world, before)


# -- edits -----------------------------------------------------------------------------------------

RANGE = """
[topology]
name = "edited"
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{ subnet = "172.16.87.0/24", ip_range = "172.16.87.192/26" }]
shim = SHIM
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["172.16.87.200"]
"""
IN_RANGE = """
[links.mv0]
kind = "macvlan"
parent = "eth0"
addresses = ["172.16.87.230/24"]
"""
ROUTE = '[host]\nroutes = [{ to = "172.16.87.200/32", dev = "eth0" }]\n'
HOP = '[host]\nroutes = [{ to = "10.9.0.0/24", dev = "eth0", via = "172.16.87.222" }]\n'


def written(text: str) -> vlanlink.Topology:
    return vlanlink.load("/run/edited.toml", text=text)


@macvlan
@pytest.mark.parametrize(
    ("before", "after", "leaving"),
    [
        ("true", "true", IN_RANGE),
        ("true", "true", HOP),
        ("false", "true", ROUTE),
        ('{ name = "a0", addresses = ["172.16.87.250"] }', "true", ""),
        (
            '{ name = "a0", addresses = ["172.16.87.250"] }',
            '{ name = "b0", addresses = ["172.16.87.250"] }',
            "",
        ),
    ],
)
def test_what_leaves_in_the_same_edit_stands_in_nobodys_way(
    lan: Lan, before: str, after: str, leaving: str
) -> None:
    """The routes are those of the file alone."""
    world = lan.world
    give_host_its_addresses(world)
    vlanlink.up(written(RANGE.replace("SHIM", before) + leaving))
    edited = written(RANGE.replace("SHIM", after))
    planned = vlanlink.plan(edited)
    assert vlanlink.up(edited).changes == planned.changes
    assert vlanlink.status("edited").state == "up"
    routes = {
        route["dst"]
        for route in world.json("route show table local")
        if route.get("protocol") == "118"
    }
    assert routes == {"172.16.87.192/26"}
    world.reaches("", "172.16.87.200")
    vlanlink.down("edited")


@macvlan
def test_the_address_of_a_parent_that_is_down_is_in_the_range(lan: Lan) -> None:
    world = lan.world
    world.batch("link set eth0 down\naddr add 172.16.87.230/24 dev eth0")
    topology = written(RANGE.replace("SHIM", "true"))
    vlanlink.up(topology)
    assert vlanlink.status("edited").state == "up"
    assert vlanlink.up(topology).operations == ()
    world.reaches("one", "172.16.87.230")
    world.reaches("", "172.16.87.200")


@macvlan
def test_inspect_tells_the_shim_and_the_parent(lan: Lan) -> None:
    give_host_its_addresses(lan.world)
    vlanlink.up(load(BRIDGE + '\n[links.beside]\nkind = "macvlan"\nparent = "eth0"\n'))
    found = vlanlink.inspect("pub")
    assert found == vlanlink.inspect()[0]
    name = shim_name(lan.world, "beside")
    assert {link.name: link.role for link in found.host_links} == {
        "eth0": "parent",
        "beside": "link",
        name: "shim",
    }
    shim = next(link for link in found.host_links if link.role == "shim")
    assert shim.mac == lan.world.link(name)["address"]
    assert found.host_links[0].addresses == (f"{ON_LAN[0]}/24", f"{ON_LAN[1]}/64")
