"""Addresses that are chosen: none twice, none reserved, the same again."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_interface, ip_network

from hypothesis import given
from hypothesis import strategies as st

from vlanlink.desired.ipam import AddressRequest, allocate, edges, free_subnet
from vlanlink.topology import SubnetConfig, load


def subnet(**fields: object) -> SubnetConfig:
    network = {"kind": "macvlan", "parent": "eth0", "subnets": [fields]}
    topology = load({"topology": {"name": "x"}, "networks": {"pub": network}})
    (found,) = topology.networks["pub"].subnets or ()
    return found


S3 = subnet(
    subnet="192.168.32.0/24",
    ip_range="192.168.32.128/25",
    gateway="192.168.32.254",
    aux_addresses={"my-router": "192.168.32.129"},
)


def requests(count: int, *subnets: int) -> list[AddressRequest]:
    return [AddressRequest((f"n{i}", "eth0"), subnets or (0,)) for i in range(count)]


def bare(found: dict[AddressRequest, str]) -> list[str]:
    return [text.partition("/")[0] for text in found.values()]


def test_the_first_of_the_range_and_never_what_is_reserved() -> None:
    chosen = allocate([S3], requests(3), {}).chosen
    assert list(chosen.values()) == [f"192.168.32.{i}/24" for i in (128, 130, 131)]


def test_two_hosts_share_a_subnet() -> None:
    common = {"subnet": "10.10.10.0/24", "gateway": "10.10.10.1"}
    aux = {"host1": "10.10.10.101", "host2": "10.10.10.102"}
    low = subnet(**common, ip_range="10.10.10.0/25", aux_addresses=aux)
    high = subnet(**common, ip_range="10.10.10.128/25", aux_addresses=aux)
    assert bare(allocate([low], requests(1), {}).chosen) == ["10.10.10.2"]
    assert bare(allocate([high], requests(1), {}).chosen) == ["10.10.10.128"]


def test_an_exhausted_range_says_what_used_it_up() -> None:
    small = subnet(subnet="10.0.0.0/29", gateway="10.0.0.1", aux_addresses={"p": "10.0.0.2"})
    result = allocate([small], requests(5), {ip_address("10.0.0.3"): "the host"})
    assert len(result.chosen) == 3
    assert set(result.unmet.values()) == {
        "10.0.0.0/29 is exhausted: 1 by aux_addresses, 3 by endpoints of this network, "
        "1 by the gateway, 1 by the host, 2 by the subnet itself (its network or broadcast address)"
    }


def test_the_next_subnet_of_the_family_has_room() -> None:
    full = subnet(subnet="10.0.0.0/31")
    more = subnet(subnet="10.0.1.0/24")
    assert bare(allocate([full, more], requests(3, 0, 1), {}).chosen) == [
        "10.0.0.0",
        "10.0.0.1",
        "10.0.1.1",
    ]


def test_large_subnets_cost_nothing() -> None:
    large = [subnet(subnet="10.0.0.0/8"), subnet(subnet="2001:db8::/64")]
    found = allocate(
        large, requests(4000) + [AddressRequest((f"n{i}", "eth0"), (1,)) for i in range(4000)], {}
    )
    assert len(set(found.chosen.values())) == 8000
    assert not found.unmet


def test_edges_of_small_prefixes() -> None:
    assert edges(ip_network("10.0.0.0/31")) == edges(ip_network("10.0.0.0/32")) == ()
    assert edges(ip_network("2001:db8::/127")) == edges(ip_network("2001:db8::/128")) == ()
    assert [str(edge) for edge in edges(ip_network("10.0.0.0/30"))] == ["10.0.0.0", "10.0.0.3"]
    assert [str(edge) for edge in edges(ip_network("2001:db8::/64"))] == ["2001:db8::"]


def test_a_free_subnet_overlaps_nothing() -> None:
    used = [ip_network("172.16.0.0/22"), ip_network("0.0.0.0/0"), ip_network("2001:db8::/32")]
    assert free_subnet(used) == ip_network("172.16.4.0/24")
    assert free_subnet([IPv4Network("172.16.0.0/12")]) is None


HOSTS = st.integers(1, 60)


@given(
    reserved=st.sets(st.integers(0, 63), max_size=20),
    first=st.lists(HOSTS, unique=True, max_size=20),
    second=st.lists(HOSTS, unique=True, max_size=20),
)
def test_none_twice_none_reserved_and_none_moves(
    reserved: set[int], first: list[int], second: list[int]
) -> None:
    """Endpoints come and go: those that stay keep their address, by lease or by the kernel."""
    pool = subnet(subnet="10.0.0.0/26", gateway="10.0.0.1")
    used: dict[IPv4Address | IPv6Address, str] = {
        ip_address(f"10.0.0.{i}"): "somebody" for i in reserved
    }
    before = allocate([pool], [AddressRequest((f"n{i}", "eth0"), (0,)) for i in first], used)
    held = {request.interface: [text.partition("/")[0]] for request, text in before.chosen.items()}
    for claims in ((held, {}), ({}, held), (held, held)):
        after = allocate(
            [pool], [AddressRequest((f"n{i}", "eth0"), (0,)) for i in second], used, claims
        )
        given = list(after.chosen.values())
        assert len(set(given)) == len(given)
        assert not {ip_interface(text).ip for text in given} & {*used, pool.gateway}
        for request in after.chosen.keys() & before.chosen.keys():
            assert after.chosen[request] == before.chosen[request]
