"""verify: causes that others make: rules, packet filters, MACs used twice, the host's router."""

import socket
import struct
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.lan import SWITCH, Lan
from tests.kernel.test_verify import ROUTED
from tests.kernel.verified import verified, who
from tests.kernel.wire import ready
from tests.kernel.world import World, until
from vlanlink.kernel.policy import read_policy
from vlanlink.kernel.procfs import undelivered_packets

pytestmark = pytest.mark.needs("macvlan")
GATEWAY, ONE = "172.16.86.1", "172.16.86.10"
SHARED = f"""
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
shim = true
subnets = [{{ subnet = "172.16.86.0/24", gateway = "{GATEWAY}" }},
           {{ subnet = "fd86::/64", gateway = "fd86::1" }}]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["{ONE}", "fd86::10"]
"""
Found = dict[tuple[str, str, str], tuple[str | None, tuple[str, ...]]]


def load(text: str) -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=text)


def up(lan: Lan, text: str = SHARED) -> vlanlink.Topology:
    """It is up beside a router, the host has addresses, and all is as promised."""
    lan.world.batch("addr add 172.16.86.5/24 dev eth0\naddr add fd86::5/64 dev eth0 nodad")
    lan.router(f"{GATEWAY}/24", "fd86::1/64")
    ready(lan)
    topology = load(text)
    vlanlink.up(topology)
    for address in (GATEWAY, "fd86::1"):
        lan.world.reaches("one", address)
    verified(topology)
    return topology


def found(topology: vlanlink.Topology) -> Found:
    return {who(c): (c.cause, c.facts) for c in vlanlink.verify(topology.name).differences}


def drop(world: World, where: str, hook: str = "input", family: str = "ip") -> None:
    chain = f"{{ type filter hook {hook} priority 0; policy drop; }}"
    world.run(["nft", f"add table {family} t; add chain {family} t c {chain}"], where)


# -- packet filters --------------------------------------------------------------------------------


@pytest.mark.needs("nftables")
@pytest.mark.parametrize("family", ["ip", "ip6", "inet"])
def test_the_hosts_input_policy(lan: Lan, family: str) -> None:
    topology = up(lan)
    drop(lan.world, "", family=family)
    seen = found(topology)
    asked = {
        "ip": {("host", "one", ONE), ("one", "host", "172.16.86.5")},
        "ip6": {("host", "one", "fd86::10"), ("one", "host", "fd86::5")},
    }
    expected = set.union(*asked.values()) if family == "inet" else asked[family]
    assert {pair for pair in seen if "169.254" not in pair[2]} == expected
    for cause, facts in seen.values():
        assert cause == "packet filter (input)"
        assert facts[0] == f"host: the policy of chain c of table {family} t is drop"
        assert facts[1].startswith("host did not deliver ")


@pytest.mark.needs("nftables")
def test_rules_that_drop_what_comes_in(lan: Lan) -> None:
    topology = up(lan)
    chain = "{ type filter hook input priority 0; }"
    rules = f"add table inet t; add chain inet t c {chain}; add chain inet t d; " \
            "add rule inet t c jump d; add rule inet t d ip protocol icmp reject"  # fmt: skip
    lan.world.run(["nft", rules], "one")
    seen = found(topology)
    assert seen["one", "gateway", GATEWAY][0] == "packet filter (input)"
    assert (
        seen["one", "gateway", GATEWAY][1][0]
        == "one: rules of chain c of table inet t drop packets"
    )
    assert {cause for cause, _ in seen.values()} == {"packet filter (input)"}


@pytest.mark.needs("iptables")
@pytest.mark.parametrize("program", ["legacy", "nft"])
def test_what_is_read_of_a_table(world: World, program: str) -> None:
    def each(words: str) -> None:
        for name in ("iptables", "ip6tables"):
            world.run(f"{name}-{program} {words}")

    each("-P FORWARD DROP")
    seen = [(c.hook, c.family, c.policy_drops, c.rules_drop) for c in read_policy().chains]
    assert seen == [("forward", "ip", True, False), ("forward", "ip6", True, False)]
    for target in ("REJECT", "DROP"):
        each(f"-A INPUT -i x2 -j {target}")
        drops = [(c.hook, c.rules_drop) for c in read_policy().chains]
        assert sorted(drops) == [("forward", True)] * 2 + [("input", True)] * 2
        each(f"-D INPUT -i x2 -j {target}")
    each("-P INPUT DROP")
    for rule in ("! -i x0 -j ACCEPT", "-i x;1 -j ACCEPT"):
        each(f"-A INPUT {rule}")
    accepts = [(c.hook, c.rules_drop, " ".join(c.accepts)) for c in read_policy().chains]
    assert sorted(accepts) == [("forward", False, "")] * 2 + [("input", False, "x;1")] * 2


@pytest.mark.needs("iptables")
def test_reading_creates_no_table(world: World) -> None:
    world.run("iptables-legacy -t mangle -S")  # now the file is there
    tables = Path("/proc/thread-self/net/ip_tables_names")
    assert tables.read_text() == "mangle\n"
    assert read_policy().chains == ()
    assert tables.read_text() == "mangle\n"


def test_a_protocol_that_nobody_speaks_is_not_filtered(world: World) -> None:
    """The kernel answers that the protocol is unreachable."""

    def unknown() -> int:
        names, values = Path("/proc/thread-self/net/snmp").read_text().splitlines()[:2]
        found = dict(zip(names.split(), values.split(), strict=True))
        return int(found["InUnknownProtos"])

    world.ip("link set lo up")
    before, there = undelivered_packets(4), socket.inet_aton("127.0.0.1")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20, 1, 0, 64, 253, 0, there, there)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(header, ("127.0.0.1", 0))
    until(lambda: unknown() == 1, "it has come in")
    assert undelivered_packets(4) == before


@pytest.mark.needs("nftables")
def test_a_filter_that_lets_echoes_pass_is_no_difference(lan: Lan) -> None:
    topology = up(lan)
    drop(lan.world, "")
    lan.world.run(["nft", "add rule ip t c ip protocol icmp accept"])
    verified(topology)


@pytest.mark.needs("nftables")
def test_a_router_whose_forward_policy_is_drop(world: World) -> None:
    topology = load(ROUTED)
    vlanlink.up(topology)
    world.reaches("web", "10.2.0.1")
    drop(world, "router", "forward")
    cause, facts = found(topology)["web", "db", "10.2.0.1"]
    assert cause == "packet filter (forward)"
    assert facts == ("router: the policy of chain c of table ip t is drop",)


# -- rules -----------------------------------------------------------------------------------------


def test_a_rule_before_table_main(world: World) -> None:
    topology = load(ROUTED)
    vlanlink.up(topology)
    world.reaches("web", "10.2.0.1")
    world.batch("route add blackhole default table 200\nrule add pref 100 lookup 200", "web")
    seen = found(topology)
    cause, facts = seen["web", "db", "10.2.0.1"]
    assert cause == "ip rule ahead of main"
    assert facts == (
        "web sends what is for 10.2.0.1 nowhere, not through web/eth0",
        'its ip rule "100: from all lookup 200" comes before table main',
    )
    cause, facts = seen["db", "web", "10.1.0.1"]  # web's answers
    assert cause == "ip rule ahead of main"
    assert facts[0] == "web sends what is for 10.2.0.1 nowhere, not through web/eth0"


def test_a_rule_that_sends_by_another_link(lan: Lan) -> None:
    topology = up(lan)
    lan.world.ip("link add v0 type veth peer name v1", "one")
    lan.world.batch(
        "link set v0 up\nlink set v1 up\naddr add 10.9.9.1/24 dev v0\n"
        "route add default via 10.9.9.2 dev v0 table 7\n"
        "rule add pref 10 to 172.16.86.5 lookup 7",
        "one",
    )
    cause, facts = found(topology)["one", "host", "172.16.86.5"]
    assert cause == "ip rule ahead of main"
    assert facts == (
        "one sends what is for 172.16.86.5 through one/v0, not through one/eth0",
        'its ip rule "10: from all to 172.16.86.5 lookup 7" comes before table main',
    )


# -- MACs and routers ------------------------------------------------------------------------------


def pinned(lan: Lan, mac: str, port: int) -> None:
    """The switch has a MAC on one port, as with the NIC that spoke last."""
    lan.world.run(f"bridge fdb replace {mac} dev port{port} master static sticky", SWITCH)


def test_two_nics_of_the_host_with_one_mac(lan: Lan) -> None:
    mac = "02:00:00:00:86:99"
    lan.trunk("eth1", mac=mac)
    text = SHARED.replace('network = "pub"', f'network = "pub"\nmac = "{mac}"')
    lan.router(f"{GATEWAY}/24")
    ready(lan)
    topology = load(text)
    vlanlink.up(topology)
    pinned(lan, mac, 2)
    cause, facts = found(topology)["one", "gateway", GATEWAY]
    assert cause == "MAC used twice"
    assert facts == (f"one/eth0 and eth1 have the same MAC, {mac}",)


def test_a_clone_of_this_machine_on_the_lan(lan: Lan) -> None:
    topology = up(lan)
    mac = lan.world.link("eth0", "one")["address"]
    lan.station("clone", "172.16.86.77/24", mac=mac)
    ready(lan)
    until(lambda: "tentative" not in lan.world.ip("addr show dev eth0", "clone"), "it is there")
    pinned(lan, mac, lan.ports)
    cause, facts = found(topology)["one", "gateway", GATEWAY]
    assert cause == "MAC used twice"
    assert facts[0] == f"a station on the LAN of eth0 has {mac}, the MAC of one/eth0"


def test_the_hosts_router_is_its_own_endpoint(lan: Lan) -> None:
    lan.world.ip("addr add 172.16.86.5/24 dev eth0")
    text = SHARED.replace("shim = true\n", "").replace(ONE, GATEWAY).replace("::10", "::1")
    topology = load(text)
    vlanlink.up(topology)
    verified(topology)
    lan.world.ip(f"route add default via {GATEWAY} dev eth0")
    seen = found(topology)
    assert seen.keys() == {("host", "one", GATEWAY)}
    cause, facts = seen["host", "one", GATEWAY]
    assert cause == "the host's router is its own endpoint"
    assert facts[0] == f"the host's default route is via {GATEWAY} of one, through eth0"
