"""``doctor``: what else decides about packets. Each finding is there, and its remedy works."""

from contextlib import closing

import pytest

import vlanlink
from tests.kernel.lan import Lan
from tests.kernel.test_doctor_probe import asked
from tests.kernel.test_verify_policies import GATEWAY, ONE, SHARED, found, load, up
from tests.kernel.wire import ready
from tests.kernel.world import World, until
from vlanlink.kernel.netlink.rules import read_rules
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.preflight.report import Finding

pytestmark = pytest.mark.needs("macvlan")
TWO = f"""
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{{ subnet = "172.16.86.0/24" }}]
[namespaces.one.interfaces]
eth0 = {{ network = "pub", addresses = ["{ONE}"] }}
eth1 = {{ network = "pub", addresses = ["172.16.86.11"] }}
"""


RULES = """
fwmark 0x7/0xff lookup 200
fwmark 0x7 lookup 200
tos 0x10 lookup 200
ipproto tcp sport 10-20 dport 22 lookup main
uidrange 7-7 lookup 200
lookup main suppress_prefixlength 0
lookup main suppress_ifgroup 5
goto 32766
from 10.0.0.1 to 10.0.0.0/8 iif lo oif lo blackhole
tun_id 7 lookup 74565
not from 10.0.0.0/8 unreachable
l3mdev
ipproto 99 lookup default
"""
LOCAL = "ip rule: the one for table local is not the first"


def said(code: str, text: str | None = SHARED) -> list[Finding]:
    report = vlanlink.doctor(load(text) if text else None)
    return [finding for finding in report.findings if finding.code == code]


@pytest.mark.needs("nftables")
@pytest.mark.parametrize("family", ["ip", "inet"])
def test_an_input_policy_before_up_and_after(lan: Lan, family: str) -> None:
    world = lan.world
    topology = up(lan)
    assert said("input-policy") == said("input-policy", None) == []
    chain = "{ type filter hook input priority 0; policy drop; }"
    world.run(["nft", f"add table {family} t; add chain {family} t c {chain}"])
    assert found(topology)
    for text in (SHARED, None):
        (one,) = said("input-policy", text)
        assert one.severity == "warning"
        assert one.what == f"the policy of chain c of table {family} t is drop"
        shim = next(name for name in world.names() if f"iifname {name} " in str(one.command))
        assert f"through {shim} only" in one.why
    assert said("input-policy", SHARED.replace("shim = true\n", "")) == []
    world.run(str(one.command))
    assert said("input-policy") == said("input-policy", None) == []
    world.reaches("one", "172.16.86.5")
    world.reaches("one", "fd86::5")
    world.reaches("", "fd86::10")
    assert found(topology) == {}


@pytest.mark.needs("iptables")
@pytest.mark.parametrize("program", ["iptables-legacy", "iptables-nft"])
def test_an_input_policy_of_iptables(lan: Lan, program: str) -> None:
    topology = up(lan)
    for six in ("", "6"):
        lan.world.run(f"ip{six}{program.removeprefix('ip')} -P INPUT DROP")
    legacy = program == "iptables-legacy"
    chains = {
        "ip": "ip filter of iptables-legacy" if legacy else "ip filter",
        "ip6": "ip6 filter of ip6tables-legacy" if legacy else "ip6 filter",
    }
    seen = {facts[0] for _, facts in found(topology).values()}
    assert seen == {
        f"host: the policy of chain INPUT of table {t} is drop" for t in chains.values()
    }
    opened = said("input-policy")
    assert [one.what for one in opened] == [
        f"the policy of chain INPUT of table {table} is drop" for table in chains.values()
    ]
    for one in opened:
        lan.world.run(str(one.command))
    assert said("input-policy") == []
    lan.world.reaches("one", "172.16.86.5")
    lan.world.reaches("one", "fd86::5")


def test_rules_before_table_main(lan: Lan) -> None:
    world = lan.world
    up(lan)
    assert said("ip-rule") == []
    world.ip("rule add pref 100 from 10.9.0.0/16 lookup 200")
    world.ip("-6 rule add pref 101 iif lo fwmark 7 prohibit")
    last = "101: from all fwmark 0x7 iif lo prohibit"
    assert [(one.severity, one.what) for one in said("ip-rule")] == [
        ("note", 'ip rule "100: from 10.9.0.0/16 lookup 200" is asked before table main'),
        ("note", f'ip -6 rule "{last}" is asked before table main'),
    ]
    assert said("ip-rule", SHARED.replace("shim = true\n", "")) == []


def test_rules_are_told_as_ip_prints_them(world: World) -> None:
    for number, words in enumerate(RULES.strip().splitlines(), 10):
        world.ip(f"rule add pref {number} {words}")
    world.ip("-6 rule add pref 10 to fd00::1 from fd00::/8 lookup 200")
    printed = [world.ip(f"{of} rule show").replace("\t", " ") for of in ("-4", "-6")]
    with closing(Socket()) as rtnetlink:
        found = read_rules(rtnetlink)
    assert [str(rule) for rule in found] == "".join(printed).split("\n")[:-1]
    assert [rule.priority for rule in found if rule.is_main] == [15, 16, 32766, 32766]


def test_a_table_local_that_is_not_asked_first(lan: Lan) -> None:
    world = lan.world
    up(lan)
    world.batch("rule add pref 50 lookup local\nrule del pref 0")
    (one,) = said("ip-rule")
    assert (one.severity, one.what) == ("warning", LOCAL)
    world.run(str(one.command))
    assert said("ip-rule") == []


def test_two_links_of_an_endpoint_in_one_subnet(lan: Lan) -> None:
    lan.station("peer", "172.16.86.3/24")
    ready(lan)
    # each link answers for its own address alone, or eth0 may answer for both
    strict = "[namespaces.one.sysctls]\n" + "".join(
        f'"net.ipv4.conf.{key}" = 1\n' for key in ("default.rp_filter", "all.arp_ignore")
    )
    loose = TWO + '[namespaces.one.sysctls]\n"net.ipv4.conf.all.rp_filter" = 0\n' \
                  '"net.ipv4.conf.default.rp_filter" = 0\n'  # fmt: skip
    assert said("rp-filter", loose) == []
    (one,) = said("rp-filter", TWO + strict)
    assert one.what == "one/eth0 and one/eth1 are both in 172.16.86.0/24, and rp_filter is 1"
    assert one.is_table
    vlanlink.up(load(TWO + strict))
    lan.world.reaches("peer", ONE)
    lan.world.does_not_reach("peer", "172.16.86.11")
    mended = f"{TWO}{one.command}\n"
    assert said("rp-filter", mended) == []
    vlanlink.up(load(mended))
    lan.world.reaches("peer", ONE)
    lan.world.reaches("peer", "172.16.86.11")


def test_a_clone_is_found_before_up(lan: Lan) -> None:
    world = lan.world
    text = SHARED.replace("probe = false\n", "")
    lan.router(f"{GATEWAY}/24", "fd86::1/64")
    ready(lan)
    vlanlink.up(load(text))
    mac = world.link("eth0", "one")["address"]
    vlanlink.down("office")
    assert [f for f in asked("", text).findings if f.code == "mac-on-lan"] == []
    lan.station("clone", "172.16.86.77/24", mac=mac)
    ready(lan)
    until(lambda: "tentative" not in world.ip("addr show dev eth0", "clone"), "it has its address")
    (one,) = (f for f in asked("", text).findings if f.code == "mac-on-lan")
    assert one.severity == "warning"
    assert one.what == f"a station on the LAN of eth0 has {mac}, which one/eth0 is to have"
