"""Keys, their order, and what the kernel writes along with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.model import Link, Namespace
from vlanlink.sysctl import (
    affected,
    default_of,
    dotted,
    link_of,
    proc_path,
    side_effects,
    write_order,
)

SPACE = Namespace("", links={n: Link(n, "device") for n in ("lo", "eth0", "eth0.100")})


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0.rp_filter", "net/ipv4/conf/eth0/rp_filter"),
        ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net.ipv4.conf.eth0.100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net.ipv4.conf.eth0.1.2.rp_filter", "net/ipv4/conf/eth0.1.2/rp_filter"),
        ("net.ipv6.neigh.eth0/100.retrans_time", "net/ipv6/neigh/eth0.100/retrans_time"),
        ("vm/x", "vm/x"),
        ("x", "x"),
    ],
)
def test_proc_path(key: str, path: str) -> None:
    assert proc_path(key) == path


LINK_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(\.[0-9]{1,3}){0,2}", fullmatch=True)


@given(name=LINK_NAMES)
def test_every_spelling_of_a_key_means_the_same(name: str) -> None:
    path = f"net/ipv4/conf/{name}/rp_filter"
    spellings = (path, dotted(path), f"net.ipv4.conf.{name}.rp_filter")
    assert {proc_path(spelling) for spelling in spellings} == {path}


@given(key=st.from_regex(r"net[./][a-z0-9]+([./][a-z0-9]+){1,4}", fullmatch=True))
def test_dotted_is_the_inverse_of_proc_path(key: str) -> None:
    assert proc_path(dotted(proc_path(key))) == proc_path(key)


@given(parts=st.lists(st.from_regex(r"[a-z0-9_]+", fullmatch=True), min_size=2, max_size=6))
def test_both_ways_of_writing_a_key_mean_the_same(parts: list[str]) -> None:
    assert proc_path(".".join(parts)) == proc_path("/".join(parts)) == "/".join(parts)


def test_links_of_keys() -> None:
    assert link_of("net/ipv4/conf/eth0.100/rp_filter") == "eth0.100"
    assert link_of("net/ipv6/neigh/eth0/retrans_time_ms") == "eth0"
    assert link_of("net/ipv4/conf/all/rp_filter") is None
    assert link_of("net/ipv4/ip_forward") is None
    assert default_of("net/ipv4/conf/eth0/rp_filter") == "net/ipv4/conf/default/rp_filter"
    assert default_of("net/ipv4/ip_forward") == "net/ipv4/ip_forward"


def test_ipv4_forwarding_goes_everywhere() -> None:
    found = side_effects("net/ipv4/ip_forward", "1", SPACE.links)
    names = ("all", "default", "lo", "eth0", "eth0.100")
    expected = {f"net/ipv4/conf/{name}/forwarding": "1" for name in names}
    assert found == expected | {"net/ipv4/conf/all/accept_redirects": "0"}


def test_turning_ipv4_forwarding_off_lets_redirects_in_again() -> None:
    found = side_effects("net/ipv4/conf/all/forwarding", "0", SPACE.links)
    assert found["net/ipv4/conf/all/accept_redirects"] == "1"
    assert found["net/ipv4/ip_forward"] == "0"
    assert "net/ipv4/conf/all/forwarding" not in found


@pytest.mark.parametrize("name", ["forwarding", "disable_ipv6", "addr_gen_mode"])
def test_ipv6_all_goes_everywhere(name: str) -> None:
    found = side_effects(f"net/ipv6/conf/all/{name}", "1", SPACE.links)
    names = ("default", "lo", "eth0", "eth0.100")
    assert found == {f"net/ipv6/conf/{link}/{name}": "1" for link in names}


def test_most_writes_go_nowhere_else() -> None:
    assert side_effects("net/ipv4/conf/all/rp_filter", "1", SPACE.links) == {}
    assert side_effects("net/core/somaxconn", "1", SPACE.links) == {}


def test_what_is_to_be_read_before_a_write() -> None:
    found = affected("net/ipv4/ip_forward", ["eth0"])
    assert found[0] == "net/ipv4/ip_forward"
    assert "net/ipv4/conf/eth0/forwarding" in found
    assert "net/ipv4/conf/all/accept_redirects" in found
    assert set(affected("net/core/somaxconn", ["eth0"])) == {"net/core/somaxconn"}


def test_what_spreads_is_written_before_what_it_spreads_to() -> None:
    keys = [
        "net/ipv4/conf/all/accept_redirects",
        "net/ipv4/conf/all/forwarding",
        "net/ipv4/conf/eth0/forwarding",
        "net/ipv4/ip_forward",
        "net/ipv6/conf/all/disable_ipv6",
        "net/ipv6/conf/eth0/disable_ipv6",
    ]
    order = write_order(dict.fromkeys(keys, "1"), {})
    assert sorted(order) == sorted(keys)
    for spreading in ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding"):
        assert order.index(spreading) < order.index("net/ipv4/conf/eth0/forwarding")
        assert order.index(spreading) < order.index("net/ipv4/conf/all/accept_redirects")
    six = [order.index(f"net/ipv6/conf/{name}/disable_ipv6") for name in ("all", "eth0")]
    assert six == sorted(six)


def test_an_advertised_default_route_outlives_forwarding() -> None:
    """accept_ra is 2 before forwarding is on, and goes back after it is off."""
    forwarding, accept = "net/ipv6/conf/all/forwarding", "net/ipv6/conf/eth0/accept_ra"
    on = write_order({forwarding: "1", accept: "2"}, {forwarding: "0", accept: "1"})
    off = write_order({forwarding: "0", accept: "1"}, {forwarding: "1", accept: "2"})
    assert (on, off) == ([accept, forwarding], [forwarding, accept])
