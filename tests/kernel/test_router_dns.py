"""Name servers that a router advertises, in resolv.conf of an endpoint with DHCP and slaac."""

import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.dhcp_lan import SERVER, Dnsmasq, end_keepers
from tests.kernel.lan import Lan
from tests.kernel.wire import ready
from tests.kernel.world import World, until

pytestmark = pytest.mark.needs("macvlan")

SEND = """
import socket, sys
payload, source, hops = bytes.fromhex(sys.argv[1]), sys.argv[2], int(sys.argv[3])
out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
index = socket.if_nametoindex("eth0")
out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
out.bind((source, 0, 0, index))
out.sendto(payload, ("ff02::1", 0, 0, index))
"""
FE80, GLOBAL = "fe80::77", "2001:db8:77::1"
NEVER_HEARD = "2001:db8::bad"
RA_EXAMPLE = struct.pack("!BBHI12s4x", 31, 3, 0, 3600, b"\2ra\7example")


@pytest.fixture(autouse=True)
def nothing_left(world: World) -> Iterator[None]:  # noqa: ARG001 - before its namespaces go
    yield
    end_keepers()


class Office:
    """An endpoint with DHCP and slaac, and the resolv.conf of its namespace."""

    def __init__(self, lan: Lan, path: Path) -> None:
        self.lan = lan
        self.host = vlanlink.Host(etc_netns_directory=path / "netns")
        lan.station("dhcp", f"{SERVER}/24")
        lan.world.batch(
            f"addr add {GLOBAL}/64 dev eth0 nodad\naddr add {FE80}/64 dev eth0 nodad", "dhcp"
        )
        ready(lan)

    def up(self, dhcp: str = "true", space: str = "", ipv6: str = "slaac") -> None:
        text = f"""
            [networks.pub]
            kind = "macvlan"
            parent = "eth0"
            dhcp = {dhcp}
            [namespaces.web]
            {space}
            [namespaces.web.interfaces.eth0]
            network = "pub"
            ipv6 = "{ipv6}"
        """
        vlanlink.up(vlanlink.load("/run/office.toml", text=text), self.host)

    def resolver(self, space: str = "web") -> list[str]:
        file = self.host.etc_netns_directory / space / "resolv.conf"
        return file.read_text().splitlines()[1:] if file.exists() else []

    def advertises(self, options: bytes, source: str = FE80, hops: int = 255) -> None:
        """Send an advertisement that makes nobody a router."""
        payload = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 0, 0, 0) + options
        command = [sys.executable, "-c", SEND, payload.hex(), source, str(hops)]
        self.lan.world.run(command, "dhcp")


@pytest.fixture
def office(lan: Lan, tmp_path: Path) -> Office:
    return Office(lan, tmp_path)


def rdnss(seconds: int, *servers: str) -> bytes:
    body = b"".join(IPv6Address(one).packed for one in servers)
    return struct.pack("!BBHI", 25, 1 + len(body) // 8, 0, seconds) + body


def test_servers_and_domains_of_a_router_come_after_those_by_dhcp(office: Office) -> None:
    Dnsmasq(
        office.lan,
        "--dhcp-option=6,192.168.77.2,192.168.77.3,192.168.77.4",
        "--dhcp-option=119,lan.example",
        "--enable-ra",
        "--ra-param=eth0,600,1800",  # so seldom that it has to be asked
        "--dhcp-range=2001:db8:77::,ra-only,64,120m",
        "--dhcp-option=option6:dns-server,[2001:db8:77::53]",
        "--dhcp-option=option6:domain-search,ra.example",
    )
    asked = office.lan.capture("dhcp", "eth0", "icmp6 and ip6[40] == 133")
    office.up()
    # The kernel's own have an option with its MAC; a server that starts advertises unasked, too.
    asked.saw("router solicitation, length 8")
    wanted = [
        "search lan.example ra.example",
        "nameserver 192.168.77.2",
        "nameserver 192.168.77.3",
        "nameserver 2001:db8:77::53",
    ]
    until(lambda: office.resolver() == wanted, "the router's server has the last place")
    assert vlanlink.status("office", office.host).state == "up"
    end_keepers()  # the next one knows what was heard
    office.up()
    assert office.resolver() == wanted
    assert vlanlink.status("office", office.host).state == "up"
    vlanlink.down("office", office.host)
    assert not (office.host.etc_netns_directory / "web").exists()


def test_what_ends_or_is_taken_back_goes(office: Office) -> None:
    Dnsmasq(office.lan, "--dhcp-option=6")
    office.up()
    assert office.resolver() == []
    office.advertises(rdnss(3600, "fe80::1", "2001:db8::1"))
    both = ["nameserver fe80::1%eth0", "nameserver 2001:db8::1"]
    until(lambda: office.resolver() == both, "both are there")
    office.advertises(rdnss(0, "fe80::1"))
    until(lambda: office.resolver() == both[1:], "one was taken back")
    office.advertises(rdnss(1, "2001:db8::1"))
    until(lambda: office.resolver() == [], "the other one has ended")
    assert vlanlink.status("office", office.host).state == "up"


def test_only_a_router_of_the_link_is_heard(office: Office) -> None:
    Dnsmasq(office.lan, "--dhcp-option=6")
    office.up()
    office.advertises(rdnss(3600, NEVER_HEARD), hops=64)
    office.advertises(rdnss(3600, NEVER_HEARD), source=GLOBAL)
    office.advertises(rdnss(3600, "ff02::1", "::1", "::", "::ffff:192.0.2.1"))
    office.advertises(rdnss(3600, "2001:db8::1"))
    until(lambda: office.resolver() == ["nameserver 2001:db8::1"], "the good one alone")


def test_an_edit_to_slaac_and_back(office: Office) -> None:
    Dnsmasq(office.lan, "--dhcp-option=6")
    office.up(ipv6="static")
    office.advertises(rdnss(3600, "2001:db8::1"))
    office.up()
    office.advertises(rdnss(3600, "2001:db8::2"))
    until(lambda: office.resolver() == ["nameserver 2001:db8::2"], "only now is it heard")
    office.up(ipv6="static")
    assert office.resolver() == []
    assert vlanlink.status("office", office.host).state == "up"


def test_what_the_file_says_counts_more(office: Office) -> None:
    Dnsmasq(office.lan, "--dhcp-option=6")
    office.up(space='dns = ["192.0.2.53"]')
    office.advertises(rdnss(3600, "2001:db8::1") + RA_EXAMPLE)
    found = ["search ra.example", "nameserver 192.0.2.53"]
    until(lambda: office.resolver() == found, "the file counts, and the rest is the router's")
    assert vlanlink.status("office", office.host).state == "up"


HEARS = """
[namespaces.db.interfaces.eth0]
network = "pub"
ipv6 = "slaac"
dhcp = { use_dns = true }
"""


def test_what_the_file_refuses_is_not_heard(office: Office) -> None:
    Dnsmasq(office.lan, "--dhcp-option=6")
    office.up("{ use_dns = false }", HEARS)
    for servers in (["2001:db8::1"], ["2001:db8::1", "2001:db8::2"]):  # the first reaches both
        office.advertises(rdnss(3600, *servers))
        found = [f"nameserver {one}" for one in servers]
        until(lambda: office.resolver("db") == found, "the other endpoint hears it")  # noqa: B023
    assert office.resolver() == []
    assert vlanlink.status("office", office.host).state == "up"
