"""Edits with more to them than two files: routers, leases, processes that end, other topologies."""

import os
import sys
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import Cli
from tests.kernel.edit_files import endpoint, load, network
from tests.kernel.edit_judge import Ear, lines, news
from tests.kernel.judge import dump, same
from tests.kernel.lan import SWITCH, Lan
from tests.kernel.watching import watched
from tests.kernel.wire import ready
from tests.kernel.world import World, until

pytestmark = pytest.mark.needs("macvlan")

ADVERTISES = """
import socket, struct, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
i = socket.if_nametoindex("eth0")
s.setsockopt(41, 18, 255)
s.setsockopt(41, 17, i)
ra = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
prefix = socket.inet_pton(10, "2001:db8:77::")
ra += struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 1800, 0, prefix)
while True:
    s.sendto(ra, ("ff02::1%eth0", 0, 0, i))
    time.sleep(0.05)
"""


# -- 3: undo of altnames ---------------------------------------------------------------------------


def test_undo_puts_swapped_altnames_back(lan: Lan) -> None:
    world = lan.world
    lines = '[links.l{}]\nkind = "macvlan"\nparent = "eth0"\naltnames = {}\n'
    vlanlink.up(load(lines.format(0, '["wan", "x"]') + lines.format(1, '["lan"]')))
    before = dump(world)
    # A gateway that is nowhere: the last step fails.
    refused = '[host]\nroutes = [{ to = "192.0.2.0/24", via = "10.250.0.1", dev = "eth0" }]\n'
    after = lines.format(0, '["lan", "x"]') + lines.format(1, '["wan"]') + refused
    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.up(load(after))
    assert "192.0.2.0/24" in str(caught.value)
    assert caught.value.not_undone == ()
    same(world, before)


# -- 2: the NIC is renamed -------------------------------------------------------------------------


@pytest.mark.needs("vlan")
def test_a_nic_that_is_renamed_takes_its_vlan_along(lan: Lan) -> None:
    world = lan.world
    on = [
        load(network(parent=f"{nic}.50") + endpoint("a", 'addresses = ["10.77.0.2"]'))
        for nic in ("eth0", "lan0")
    ]
    vlanlink.up(on[0])
    world.batch("link set eth0 down\nlink set eth0 name lan0\nlink set lan0 up")
    before = dump(world, "a")
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(on[0])
    assert "parent eth0 has been renamed to lan0" in str(caught.value)
    same(world, before, "a")
    plan = vlanlink.plan(on[1])
    assert any("lan0.50" in change.name for change in plan.changes)
    vlanlink.up(on[1])
    assert world.names() == {"lo", "lan0", "lan0.50"}
    vlan = world.link("lan0.50")
    assert (vlan["link"], vlan["linkinfo"]["info_data"]["id"]) == ("lan0", 50)
    assert world.addresses("eth0", "a") == ["10.77.0.2/24"]
    assert vlanlink.status(on[1]).state == "up"
    vlanlink.down("edited")
    assert world.names() == {"lo", "lan0"}


# -- 4 and 13: what a router taught ----------------------------------------------------------------


class Advertised:
    """A LAN with a router that advertises a prefix, and one namespace on it."""

    def __init__(self, lan: Lan) -> None:
        self.world: World = lan.world
        lan.station("ra", "2001:db8:77::1/64")
        ready(lan)
        # The host's own NIC does not listen, so that only the endpoint changes.
        Path("/proc/sys/net/ipv6/conf/eth0/accept_ra").write_text("0")
        self.world.start([sys.executable, "-c", ADVERTISES], "ra")

    def topology(self, more: str = "", subnet: str = "") -> vlanlink.Topology:
        text = network(subnet).replace("10.77.0.0/24", "2001:db8:77::/64")
        return load(text + endpoint("b", f'addresses = ["2001:db8:77::10"]\n{more}'))

    def taught(self) -> list[str]:
        """The addresses and routes by the router's word."""
        rows = self.world.json("-6 addr show dev eth0", "b")[0]["addr_info"]
        routes = self.world.json("-6 route", "b")
        found = [row["local"] for row in rows if row.get("dynamic")]
        return found + [f"{r['dst']} {r['gateway']}" for r in routes if r["protocol"] == "ra"]

    def wait(self, count: int = 2) -> list[str]:
        found: list[str] = until(
            lambda: (seen := self.taught()) and len(seen) >= count and seen, "the router is heard"
        )
        return found

    def facts(self) -> object:
        """What does not hang on the time."""
        found = dump(self.world, "b", sysctls=False)["b"]
        for row in found["link"].values():
            row.pop("ifindex")
        for row in found["addr"].values():
            row.pop("ifindex")
        return found


@pytest.fixture
def advertised(lan: Lan) -> Advertised:
    return Advertised(lan)


SLAAC = 'ipv6 = "slaac"'


def test_slaac_to_static_forgets_the_router(advertised: Advertised) -> None:
    vlanlink.up(advertised.topology(SLAAC))
    advertised.wait()
    plan = vlanlink.up(advertised.topology())
    assert advertised.taught() == []
    assert vlanlink.status(advertised.topology()).state == "up"
    assert advertised.world.addresses("eth0", "b") == ["2001:db8:77::10/64"]
    assert "ipv6 slaac → static needs a new link" in str(plan)


def test_slaac_to_static_with_a_gateway(advertised: Advertised) -> None:
    vlanlink.up(advertised.topology(SLAAC))
    advertised.wait()
    after = advertised.topology("", 'gateway = "2001:db8:77::1"')
    vlanlink.up(after)
    assert advertised.taught() == []
    routes = advertised.world.json("-6 route show default", "b")
    assert [(r["gateway"], r["metric"]) for r in routes] == [("2001:db8:77::1", 1024)]
    assert vlanlink.status(after).state == "up"


def test_static_to_slaac_hears_the_router(advertised: Advertised) -> None:
    vlanlink.up(advertised.topology())
    assert advertised.taught() == []
    vlanlink.up(advertised.topology(SLAAC))
    advertised.wait()


def test_a_mac_with_slaac_has_its_own_addresses(advertised: Advertised) -> None:
    world, mac = advertised.world, 'mac = "02:00:00:00:00:09"'
    vlanlink.up(advertised.topology(SLAAC))
    advertised.wait()
    index = world.link("eth0", "b")["ifindex"]
    vlanlink.up(advertised.topology(f"{SLAAC}\n{mac}"))
    advertised.wait()

    def addresses() -> set[str]:
        return {row["local"] for row in world.json("-6 addr show dev eth0", "b")[0]["addr_info"]}

    own = {"2001:db8:77::10", "fe80::ff:fe00:9", "2001:db8:77::ff:fe00:9"}
    until(lambda: addresses() == own, str(addresses()), seconds=10)
    assert world.link("eth0", "b")["ifindex"] == index  # it changes in place


# -- 7: a topology whose link another one stands on ------------------------------------------------


def test_what_was_handed_over_is_taken_back(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    pair = '[links.v0]\nkind = "veth"\naddresses = ["10.77.0.1/24"]\npeer = { name = "v1" }\n'
    base = load(pair, "base")
    app = load(network(parent="v0") + endpoint("t", 'addresses = ["10.77.0.2"]'), "app")
    vlanlink.up(base)
    vlanlink.up(app)
    both = dump(world, "t")
    vlanlink.down("base")
    assert world.names() >= {"v0", "v1"}
    ear = Ear(world, "t")
    vlanlink.up(base)
    assert ear.news() == []
    ear.close()
    same(world, both, "t")
    assert [one.state for one in vlanlink.status()] == ["up", "up"]
    vlanlink.down("app")
    assert vlanlink.status(base).state == "up"
    vlanlink.down("base")
    same(world, before)


# -- 10: a process that ended ----------------------------------------------------------------------


class WithProcess:
    """An endpoint in a container's namespace, and one in a namespace of ours."""

    def __init__(self, world: World, *, key: str = "pid") -> None:
        self.world = world
        world.make_place("container")
        self.process = world.start("sleep 10000", "container")
        path = f"/proc/{self.process.pid}/ns/net"
        self.head = f"pid = {self.process.pid}" if key == "pid" else f'path = "{path}"'

    def topology(self, own: str = "10.77.0.22") -> vlanlink.Topology:
        web = endpoint("web", 'addresses = ["10.77.0.21"]', head=self.head)
        return load(network() + web + endpoint("b", f'addresses = ["{own}"]'))

    def ends(self) -> None:
        self.process.kill()
        self.process.wait()
        self.world.unmount(self.world.places.pop("container"))


@pytest.fixture(params=["pid", "path"])
def ended(lan: Lan, request: pytest.FixtureRequest) -> WithProcess:
    return WithProcess(lan.world, key=request.param)


def test_a_process_that_ended_stops_nothing(lan: Lan, ended: WithProcess, cli: Cli) -> None:
    world = lan.world
    before = dump(world)
    vlanlink.up(ended.topology())
    ended.ends()
    status = cli.json("status edited", code=3)
    assert status["state"] == "drifted"
    assert "web" in str(status["problems"])
    for verb in (vlanlink.plan, vlanlink.up):
        done = verb(ended.topology("10.77.0.23"))
        assert [note.severity for note in done.notes] == ["warning"]
        assert "web" in done.notes[0].message
        assert done.notes[0].line == 8
    assert world.addresses("eth0", "b") == ["10.77.0.23/24"]
    assert vlanlink.up(ended.topology("10.77.0.23")).changes == ()
    assert cli.json("status edited", code=3)["state"] == "drifted"
    out = cli.run("down edited")
    assert "nothing to do" not in out
    same(world, before)


def test_down_of_what_ended_alone_is_no_news(lan: Lan, cli: Cli) -> None:
    ended = WithProcess(lan.world)
    text = network() + endpoint("web", 'addresses = ["10.77.0.21"]', head=ended.head)
    before = dump(lan.world)
    vlanlink.up(load(text))
    ended.ends()
    assert cli.json("status edited", code=3)["state"] == "drifted"
    assert "is not up" not in cli.run("down edited")
    assert vlanlink.status() == ()
    same(lan.world, before)


def test_a_process_that_never_was_is_refused(lan: Lan) -> None:
    before = dump(lan.world)
    web = endpoint("web", 'addresses = ["10.77.0.21"]', head=f"pid = {_no_pid()}")
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(load(network() + web))
    assert [one.line for one in caught.value.diagnostics] == [8]
    same(lan.world, before)


def _no_pid() -> int:
    return next(n for n in range(4_000_000, 5_000_000) if not os.path.exists(f"/proc/{n}"))


def test_a_process_that_ended_leaves_the_file(lan: Lan) -> None:
    ended = WithProcess(lan.world)
    vlanlink.up(ended.topology())
    ended.ends()
    after = load(network() + endpoint("b", 'addresses = ["10.77.0.23"]'))
    vlanlink.up(after)
    assert vlanlink.status(after).state == "up"
    assert lan.world.addresses("eth0", "b") == ["10.77.0.23/24"]


def test_a_watch_goes_on_without_the_process_that_ended(lan: Lan) -> None:
    ended = WithProcess(lan.world)
    web = endpoint("web", 'addresses = ["10.77.0.21"]', head=ended.head)
    text = '[topology]\nname = "office"\n' + network() + web
    with watched(text + endpoint("b", 'addresses = ["10.77.0.22"]')) as watch:
        watch.told("up")
        ended.ends()
        lan.world.ip("-n b address delete 10.77.0.22/24 dev eth0")
        watch.told("repaired")
        assert lan.world.addresses("eth0", "b") == ["10.77.0.22/24"]


def test_a_carrier_that_goes_and_comes_is_no_news(lan: Lan) -> None:
    """The kernel may tell of it only when the next change has begun."""
    world = lan.world
    vlanlink.up(load(network() + endpoint("t", 'addresses = ["10.77.0.2"]'), "app"))
    dump(world, "t")
    ear = Ear(world, "t")
    heard: list[str] = []

    def hears() -> bool:
        heard.extend(ear.heard())
        return bool(heard)

    index = world.link("eth0")["link_index"]
    port = next(n for n in world.names(SWITCH) if world.link(n, SWITCH)["ifindex"] == index)
    world.ip(f"link set {port} down", SWITCH)
    until(hears, "news of the carrier")
    world.ip(f"link set {port} up", SWITCH)
    dump(world, "t")
    assert news([*heard, *ear.heard()], ear.before, lines(world, "t")) == []
    ear.close()
