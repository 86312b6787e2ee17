"""Addresses that the file leaves out, on the simulated LAN."""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.examples import example
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.verified import verified
from tests.kernel.wire import ready
from tests.kernel.world import until

macvlan = pytest.mark.needs("macvlan")


@macvlan
def test_s3_the_range_without_what_is_reserved(lan: Lan) -> None:
    lan.router("192.168.32.254/24")
    vlanlink.up(example("03-ip-range"))
    world = lan.world
    found = [world.addresses("eth0", name) for name in ("one", "two", "three")]
    assert found == [["192.168.32.128/24"], ["192.168.32.130/24"], ["192.168.32.131/24"]]
    world.reaches("one", "192.168.32.254")
    world.reaches("two", "192.168.32.131")


@macvlan
def test_the_hosts_own_address_and_another_topologys_are_not_handed_out(lan: Lan) -> None:
    lan.world.ip("addr add 192.168.32.128/24 dev eth0")
    vlanlink.up(example("03-ip-range"))
    assert lan.world.addresses("eth0", "one") == ["192.168.32.130/24"]
    names = [
        (f"namespaces.{name}.", f"namespaces.other-{name}.") for name in ("one", "two", "three")
    ]
    vlanlink.up(example("03-ip-range", ('"ip-range"', '"ip-range-2"'), *names))
    assert lan.world.addresses("eth0", "other-one") == ["192.168.32.133/24"]


@macvlan
def test_s7_fixed_and_left_out_beside_the_host_and_a_station(lan: Lan) -> None:
    world = lan.world
    world.ip("addr add 172.16.87.2/24 dev eth0")
    lan.router("172.16.87.1/24", "2001:db8:87::1/64")
    lan.station("printer", "172.16.87.3/24", "2001:db8:87::3/64")
    ready(lan)
    vlanlink.up(example("07-fixed-and-left-out"))
    found = [world.addresses("eth0", name) for name in ("fixed", "one", "two")]
    assert found == [
        ["172.16.87.4/24", "2001:db8:87::2/64"],
        ["172.16.87.5/24", "2001:db8:87::4/64"],
        ["172.16.87.6/24", "2001:db8:87::5/64"],
    ]
    for name in ("fixed", "one", "two"):
        world.reaches(name, "172.16.87.1")
        world.reaches(name, "2001:db8:87::1")
    world.reaches("one", "172.16.87.3")
    world.reaches("printer", "2001:db8:87::5")


@macvlan
def test_addresses_are_kept_over_down_loss_of_files_and_new_endpoints(lan: Lan) -> None:
    world = lan.world
    fixed = ("192.168.32.130/24", "192.168.32.131/24")
    vlanlink.up(example("03-ip-range"))
    vlanlink.down("ip-range")
    before = (
        "[namespaces.one.",
        '[namespaces.new.interfaces.eth0]\nnetwork = "macnet32"\n[namespaces.one.',
    )
    vlanlink.up(example("03-ip-range", before))  # by their leases
    assert world.addresses("eth0", "new") == ["192.168.32.132/24"]
    assert (*world.addresses("eth0", "two"), *world.addresses("eth0", "three")) == fixed
    for file in (*Path("/run/vlanlink").glob("*"), *Path("/var/lib/vlanlink").glob("*")):
        file.unlink()
    again = vlanlink.up(example("03-ip-range", before))  # by what the kernel has
    assert again.operations == ()
    assert (*world.addresses("eth0", "two"), *world.addresses("eth0", "three")) == fixed


@macvlan
def test_forgotten_addresses_are_chosen_anew(lan: Lan) -> None:
    one = ('[namespaces.one.interfaces.eth0]\nnetwork = "macnet32"\n', "")
    vlanlink.up(example("03-ip-range"))
    vlanlink.down("ip-range")
    assert vlanlink.down("ip-range").operations == (), "a lease makes the name known"
    vlanlink.down("ip-range", forget=True)
    with pytest.raises(vlanlink.UsageError):
        vlanlink.down("ip-range")
    vlanlink.up(example("03-ip-range", one))
    assert lan.world.addresses("eth0", "two") == ["192.168.32.128/24"]


@macvlan
def test_a_range_that_is_used_up_changes_nothing(lan: Lan) -> None:
    before = dump(lan.world)
    small = ('ip_range = "192.168.32.128/25"', 'ip_range = "192.168.32.128/30"')
    aux = ('my-router = "192.168.32.129"', 'a = "192.168.32.129", b = "192.168.32.130"')
    with pytest.raises(vlanlink.ConflictError, match="is exhausted: 2 by aux_addresses, 2 by end"):
        vlanlink.up(example("03-ip-range", small, aux))
    same(lan.world, before)


@pytest.mark.needs("macvlan", "vlan", "trunk")
def test_s6_two_families_on_a_vlan(trunk: Lan) -> None:
    trunk.router("192.168.216.1/24", "192.168.218.1/24", "2001:db8:abc8::10/64", vlan=218)
    vlanlink.up(example("06-dual-stack"))
    world = trunk.world
    assert world.addresses("eth0", "one") == ["192.168.216.2/24", "2001:db8:abc8::1/64"]
    assert world.addresses("eth0", "two") == ["192.168.218.2/24", "2001:db8:abc8::2/64"]
    world.reaches("one", "192.168.216.1")
    world.reaches("one", "2001:db8:abc8::10")
    world.reaches("one", "2001:db8:abc8::2")
    world.reaches("two", "192.168.218.1")


def _has_settled(shown: str) -> bool:
    """The link-local address comes with the carrier, and is tentative at first."""
    return "inet6 fe80:" in shown and "tentative" not in shown


@macvlan
def test_s8_two_hosts_share_a_subnet(lan: Lan) -> None:
    """The second host is a station: a network namespace with files of its own."""
    world = lan.world
    world.ip("addr add 10.10.10.101/24 dev eth0")
    lan.router("10.10.10.1/24")
    lan.station("host2", "10.10.10.102/24")
    second = vlanlink.Host(
        network_namespace=world.places["host2"],
        netns_directory=Path("/run/host2/netns"),
        run_directory=Path("/run/host2/vlanlink"),
        state_directory=Path("/run/host2/lib"),
        machine_id="f" * 32,
    )
    until(lambda: _has_settled(world.ip("-6 addr show dev eth0", "host2")))
    before = dump(world, "host2")
    vlanlink.up(example("08-two-hosts-1"))
    vlanlink.up(example("08-two-hosts-2"), second)
    for name in ("web", "db"):
        world.places[f"host2-{name}"] = f"/run/host2/netns/{name}"
    assert world.addresses("eth0", "web") == ["10.10.10.2/24"]
    assert world.addresses("eth0", "host2-web") == ["10.10.10.128/24"]
    spaces = ["web", "db", "host2-web", "host2-db"]
    assert len({world.link("eth0", space)["address"] for space in spaces}) == 4
    world.reaches("web", "10.10.10.1")
    world.reaches("web", "10.10.10.128")
    world.reaches("host2-db", "10.10.10.3")
    world.reaches("db", "10.10.10.129")
    vlanlink.down("two-hosts-1")
    vlanlink.down("two-hosts-2", second)
    same(world, before, "host2")


@pytest.mark.needs("macvlan", "ipvlan", "dummy")
def test_s9_nothing_leaves_the_host(lan: Lan) -> None:
    world = lan.world
    seen = lan.capture("switch", "br0", "arp or ip")
    vlanlink.up(example("09-internal"))
    for name in ("one", "two"):
        assert [r for r in world.json("route", name) if r["dst"] == "default"] == []
    quiet = [world.addresses("quiet", name)[0] for name in ("one", "two")]
    assert quiet == ["172.16.0.1/24", "172.16.0.2/24"]
    assert world.addresses("ip210", "one") == ["192.168.210.1/24"]
    assert world.addresses("ip210", "two") == ["192.168.212.1/24", "192.168.210.2/24"]
    world.reaches("one", "172.16.0.2")
    world.reaches("one", "192.168.210.2")
    assert vlanlink.up(example("09-internal")).operations == ()
    chosen = [network.subnets for network in vlanlink.networks() if network.name == "quiet"]
    assert chosen == [("172.16.0.0/24",)]
    assert [subnet["subnet"] for subnet in vlanlink.inspect("quiet").subnets] == ["172.16.0.0/24"]
    world.does_not_reach("one", "192.168.210.254")
    found = verified(example("09-internal"))
    assert (
        found[("one", "two", "172.16.0.2")] == found[("one", "two", "192.168.210.2")] == "reachable"
    )
    assert found[("one", "gateway", "192.168.210.254")] == "unreachable"
    assert found[("host", "one", "172.16.0.1")] == "unreachable"
    world.pings("", "198.51.100.1", dev="eth0")
    assert "172.16.0." not in seen.text()
    assert "192.168.21" not in seen.text()


@macvlan
def test_slaac_is_what_the_router_says_and_no_drift(lan: Lan) -> None:
    topology = vlanlink.load(
        "/run/slaac.toml",
        text="""
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = []
[namespaces.one.interfaces.eth0]
network = "pub"
ipv6 = "slaac"
""",
    )
    vlanlink.up(topology)
    policy = "/proc/sys/net/ipv6/conf/eth0/"
    read = f"cat {policy}accept_ra {policy}disable_ipv6"
    assert lan.world.run(read, "one").stdout.split() == ["2", "0"]
    lan.world.ip("addr add 2001:db8:9::9/64 dev eth0 valid_lft 300 preferred_lft 200", "one")
    assert vlanlink.status(topology).state == "up"
