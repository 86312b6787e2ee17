"""The host part of addresses by router advertisement: dnsmasq is the router, `ip token` reads."""

import signal
from pathlib import Path
from subprocess import Popen

import pytest

import vlanlink
from tests.kernel.lan import Lan
from tests.kernel.watching import Process
from tests.kernel.wire import ready
from tests.kernel.world import until

pytestmark = pytest.mark.needs("macvlan")

TOKEN = 'ipv6_token = "::42"'


def topology(more: str = TOKEN, shim: str = "false") -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=text(more, shim))


def text(more: str = TOKEN, shim: str = "false") -> str:
    return f"""
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = []
shim = {shim}
[namespaces.web.interfaces.eth0]
network = "pub"
ipv6 = "slaac"
{more}
"""


class Router:
    """A router on the LAN that advertises a prefix."""

    def __init__(self, lan: Lan) -> None:
        self.world = lan.world
        lan.station("router", "2001:db8:77::1/64")
        ready(lan)
        self.process = self.start("2001:db8:77::")

    def start(self, prefix: str) -> Popen[bytes]:
        """Advertise a prefix, which the router has an address in."""
        log = Path("/run/dnsmasq.log")
        log.write_text("")
        words = "dnsmasq --keep-in-foreground --port=0 --conf-file=/dev/null --user=root"
        words += f" --log-facility={log} --interface=eth0 --enable-ra --ra-param=eth0,4,60"
        words += f" --dhcp-leasefile=/run/ra.leases --dhcp-range={prefix},ra-only,64,120"
        process = self.world.start(words, "router")
        until(lambda: "router advertisement" in log.read_text(), "it advertises")
        return process

    def moves_to(self, prefix: str) -> None:
        """The provider gives another prefix: the old one is not advertised any more."""
        self.process.kill()
        self.process.wait()
        self.world.ip("addr flush dev eth0 scope global", "router")
        self.world.ip(f"addr add {prefix}1/64 dev eth0 nodad", "router")
        self.process = self.start(prefix)


@pytest.fixture
def router(lan: Lan) -> Router:
    return Router(lan)


def tokens(router: Router) -> str:
    return router.world.ip("token get dev eth0", "web").strip()


def has(router: Router, address: str, space: str = "web") -> bool:
    return f"{address}/64" in router.world.addresses("eth0", space)


def test_the_host_part_stays_whatever_prefix_the_router_gives(router: Router) -> None:
    vlanlink.up(topology())
    assert tokens(router) == "token ::42 dev eth0"
    until(lambda: has(router, "2001:db8:77::42"), "the router's prefix and the host part")
    assert router.world.addresses("eth0", "web") == ["2001:db8:77::42/64"]
    assert vlanlink.status("office").state == "up"
    router.moves_to("2001:db8:88::")
    until(lambda: has(router, "2001:db8:88::42"), "the new prefix and the same host part")
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.up(topology())
    vlanlink.down("office")


def test_another_token_is_drift_that_up_mends(router: Router) -> None:
    vlanlink.up(topology())
    until(lambda: has(router, "2001:db8:77::42"), "the address is there")
    router.world.ip("token set ::99 dev eth0", "web")
    found = vlanlink.status("office")
    assert found.state == "drifted"
    assert "ipv6_token ::99 → ::42" in str(found.plan)
    vlanlink.up(topology())
    assert tokens(router) == "token ::42 dev eth0"
    until(
        lambda: router.world.addresses("eth0", "web") == ["2001:db8:77::42/64"], "it is back alone"
    )


def test_a_token_comes_and_goes_on_a_living_link(router: Router) -> None:
    vlanlink.up(topology(""))
    until(lambda: router.world.addresses("eth0", "web"), "an address made of the MAC")
    (by_mac,) = router.world.addresses("eth0", "web")
    index = router.world.link("eth0", "web")["ifindex"]
    plan = vlanlink.up(topology())
    assert "ipv6_token :: → ::42" in str(plan)
    until(lambda: router.world.addresses("eth0", "web") == ["2001:db8:77::42/64"], "by the token")
    vlanlink.up(topology(""))
    assert tokens(router) == "token :: dev eth0"
    until(lambda: router.world.addresses("eth0", "web") == [by_mac], "by the MAC again")
    assert router.world.link("eth0", "web")["ifindex"] == index
    assert vlanlink.status("office").state == "up"


def test_static_becomes_slaac_with_a_token_in_place(router: Router) -> None:
    static = text("").replace('ipv6 = "slaac"', 'addresses = ["2001:db8:77::10/64"]')
    vlanlink.up(vlanlink.load("/run/office.toml", text=static))
    index = router.world.link("eth0", "web")["ifindex"]
    vlanlink.up(topology())
    until(lambda: router.world.addresses("eth0", "web") == ["2001:db8:77::42/64"], "by the token")
    assert router.world.link("eth0", "web")["ifindex"] == index


def test_the_shims_routes_follow_the_prefix(router: Router) -> None:
    Path("/proc/sys/net/ipv6/conf/eth0/accept_ra").write_text("1")
    until(lambda: router.world.addresses("eth0"), "the host has an address in the prefix")
    Path("/run/office.toml").write_text(text(shim="true"))
    watch = Process(router.world, "/run/office.toml --json")
    watch.told("up")
    until(lambda: has(router, "2001:db8:77::42"), "so has the endpoint")
    router.world.reaches("", "2001:db8:77::42")
    router.moves_to("2001:db8:88::")
    until(lambda: has(router, "2001:db8:88::42"), "the endpoint has the new prefix")
    until(lambda: "2001:db8:88::42" in router.world.ip("-6 route show table local"), "so the route")
    router.world.reaches("", "2001:db8:88::42")
    assert vlanlink.status("office").state == "up"
    watch.ends(signal.SIGTERM)
