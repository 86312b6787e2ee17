"""Shims: who shares one, which addresses they speak with, and when one route does for many."""

from typing import Any

import pytest

from tests.unit.golden import read_state
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import Resolution, resolve
from vlanlink.errors import TopologyError
from vlanlink.model import HOST, Link, Route
from vlanlink.topology import Topology, parse

HOST_HAS: dict[str, Any] = {"links": {"eth0": {"addresses": ["10.1.0.5/24", "2001:db8:1::5/64"]}}}
BRIDGE = 'kind = "macvlan"\nparent = "eth0"\nshim = true\n'
L2 = 'kind = "ipvlan"\nparent = "eth0"\nshim = true\n'
ENDPOINT = '[namespaces.web.interfaces.eth0]\nnetwork = "pub"\naddresses = ["10.1.0.130"]\n'


def topology(network: str, more: str = ENDPOINT) -> Topology:
    return parse(f'[topology]\nname = "office"\n[networks.pub]\n{network}{more}', file="x.toml")


def resolved(wanted: Topology, host: dict[str, Any] | None = None) -> Resolution:
    state = read_state({"host": host or HOST_HAS})
    return resolve(wanted, state, Context(identity="machine"))


def shims(found: Resolution) -> list[Link]:
    return [link for link in found.desired.host.links.values() if link.settings.get("up")]


def routes(found: Resolution) -> set[str]:
    return {route.to for route in found.desired.host.routes}


def subnets(**more: str) -> str:
    keys = "".join(f", {key} = {value}" for key, value in more.items())
    return f'subnets = [{{ subnet = "10.1.0.0/24"{keys} }}]\n'


RANGE = '"10.1.0.128/25"'


@pytest.mark.parametrize(
    ("more", "host"),
    [
        ({"gateway": '"10.1.0.129"'}, {}),
        ({"aux_addresses": '{ printer = "10.1.0.200" }'}, {}),
        ({}, {"links": {"eth0": {"addresses": ["10.1.0.199/24"]}}}),
        (
            {},
            {
                "links": {
                    "eth0": HOST_HAS["links"]["eth0"],
                    "eth1": {"addresses": ["10.1.0.140/32"]},
                }
            },
        ),
        ({}, HOST_HAS | {"routes": ["10.8.0.0/16 via 10.1.0.250 dev eth0 foreign"]}),
        ({}, HOST_HAS | {"routes": ["10.1.0.128/25 dev eth0 foreign"]}),
        ({}, HOST_HAS | {"routes": ["10.1.0.192/30 via 10.1.0.9 dev eth0 foreign"]}),
    ],
    ids=["gateway", "aux", "parent", "host", "next-hop", "route", "part"],
)
def test_one_route_for_a_range_only_where_nobody_else_is_in_it(
    more: dict[str, str], host: dict[str, Any]
) -> None:
    safe = resolved(topology(BRIDGE + subnets(ip_range=RANGE)))
    assert routes(safe) == {"10.1.0.128/25"}
    unsafe = resolved(topology(BRIDGE + subnets(ip_range=RANGE, **more)), host or None)
    assert routes(unsafe) == {"10.1.0.130/32"}
    assert (safe.conflicts, unsafe.conflicts) == ((), ())


def test_no_endpoint_no_shim() -> None:
    assert shims(resolved(topology(BRIDGE + subnets(), more=""))) == []


def test_a_parent_with_addresses_in_several_subnets_speaks_as_the_nearest() -> None:
    both = {"links": {"eth0": {"addresses": ["192.0.2.5/24", "10.1.0.6/24"]}}}
    (route,) = resolved(topology(BRIDGE + subnets()), both).desired.host.routes
    assert route.src == "10.1.0.6"
    far = {"links": {"eth0": {"addresses": ["192.0.2.5/24", "192.0.3.5/24"]}}}
    found = resolved(topology(BRIDGE + subnets()), far).desired
    assert {route.src for route in found.host.routes} == {"192.0.2.5"}
    assert Route("192.0.2.5/32", "eth0") in found.namespaces["web"].routes


def test_addresses_of_a_day_are_not_spoken_with() -> None:
    host = {
        "links": {
            "eth0": {
                "addresses": [
                    {"text": "2001:db8:1::aaaa/64", "permanent": False, "temporary": True},
                    {"text": "2001:db8:1::7/64", "permanent": False},
                ]
            }
        }
    }
    text = 'subnets = [{ subnet = "2001:db8:1::/64" }]\n'
    more = ENDPOINT.replace("10.1.0.130", "2001:db8:1::130")
    (route,) = resolved(topology(BRIDGE + text, more), host).desired.host.routes
    assert route.src == "2001:db8:1::7"


AUTO = L2.replace("shim = true", 'shim = { addresses = ["auto"] }')


def test_an_address_of_its_own_stays_the_same() -> None:
    wanted = topology(AUTO + subnets())
    first = resolved(wanted)
    (link,) = shims(first)
    assert [address.text for address in link.addresses] == ["10.1.0.1/32"]
    key = ("pub", HOST, link.name)
    assert first.leases.addresses[key] == ("10.1.0.1",)
    crowd = ENDPOINT + ENDPOINT.replace("web", "db").replace('["10.1.0.130"]', '["auto"]')
    state = read_state({"host": HOST_HAS})
    again = resolve(topology(AUTO + subnets(), crowd), state, Context(leases=first.leases))
    assert again.leases.addresses[key] == ("10.1.0.1",)


NO_ADDRESS: dict[str, Any] = {"links": {"eth0": {}}}
BOTH = 'subnets = [{ subnet = "10.1.0.0/24" }, { subnet = "2001:db8:1::/64" }]\n'
BOTH_ENDPOINT = ENDPOINT.replace('"10.1.0.130"', '"10.1.0.130", "2001:db8:1::130"')


@pytest.mark.parametrize("network", [BRIDGE, L2, L2 + 'mode = "l3"\n', L2 + 'mode = "l3s"\n'])
@pytest.mark.parametrize("host", [HOST_HAS, NO_ADDRESS])
def test_no_address_of_the_lan_is_taken_unasked(network: str, host: dict[str, Any]) -> None:
    found = resolved(topology(network + BOTH, BOTH_ENDPOINT), host)
    (link,) = shims(found)
    four, six = link.addresses
    assert (four.text[:8], four.global_scope, four.text[-3:]) == ("169.254.", True, "/32")
    assert six.link_local
    assert found.leases.addresses == {}
    assert found.conflicts == ()
    (to4, to6) = sorted(found.desired.host.routes, key=lambda route: route.family)
    assert {to4.table, to6.table} == {255}
    as_parent = host is HOST_HAS and (network is BRIDGE or "l3" in network)
    assert to4.src == ("10.1.0.5" if as_parent else four.bare)
    assert to6.src == ("2001:db8:1::5" if as_parent else six.bare)


def test_no_subnet_of_the_family_is_no_conflict() -> None:
    more = ENDPOINT.replace("10.1.0.130", "10.1.0.130/24")
    assert resolved(topology(L2, more)).conflicts == ()


@pytest.mark.parametrize("ignore", ["0", "1"])
def test_endpoints_find_the_host_whatever_it_answers_for(ignore: str) -> None:
    host = HOST_HAS | {"sysctls": {"net/ipv4/conf/all/arp_ignore": ignore}}
    found = resolved(topology(BRIDGE + subnets()), host)
    (link,) = shims(found)
    own = link.addresses[0].bare
    by_the_shim = {Route("10.1.0.5/32", "eth0", via=own)} if ignore == "1" else set()
    wanted = {Route(f"{own}/32", "eth0"), *by_the_shim}
    assert found.desired.namespaces["web"].routes == wanted


@pytest.mark.parametrize("more", ["2001:db8:1::6/64", "2001:db8:2::6/64"])
def test_an_ipv6_route_that_lost_its_source_stays_if_it_needs_none(more: str) -> None:
    """The address was away, and is back. Another one as near to the endpoint might be chosen."""
    wanted = topology(BRIDGE + BOTH, BOTH_ENDPOINT)
    name = shims(resolved(wanted))[0].name
    host = {
        "links": {
            "eth0": {"addresses": ["10.1.0.5/24", "2001:db8:1::5/64"]},
            "eth1": {"addresses": [more]},
            name: {"kind": "macvlan", "parent": "eth0", "owner": "office"},
        },
        "routes": [f"2001:db8:1::130/128 dev {name} metric 1024 table local ours"],
    }
    (_, six) = sorted(resolved(wanted, host).desired.host.routes, key=lambda route: route.family)
    assert six.src == (None if more.startswith("2001:db8:2") else "2001:db8:1::5")


def test_a_tentative_address_of_the_parents_is_no_source_yet() -> None:
    text = {"text": "2001:db8:1::5/64", "tentative": True}
    host: dict[str, Any] = {"links": {"eth0": {"addresses": [text]}}}
    more = ENDPOINT.replace("10.1.0.130", "2001:db8:1::130")
    network = BRIDGE + 'subnets = [{ subnet = "2001:db8:1::/64" }]\n'
    (route,) = resolved(topology(network, more), host).desired.host.routes
    assert str(route.src).startswith("fe80:")


def test_the_smallest_mtu_of_those_that_it_reaches() -> None:
    more = ENDPOINT + "mtu = 1300\n" + ENDPOINT.replace("web", "db").replace("130", "131")
    (link,) = shims(resolved(topology(BRIDGE + "mtu = 1400\n" + subnets(), more)))
    assert link.settings["mtu"] == 1300


def test_names_differ_by_topology_parent_and_mode_and_are_short() -> None:
    names = set()
    for network in (BRIDGE, L2, BRIDGE.replace("eth0", "eth0.50")):
        host: dict[str, Any] = {"links": {"eth0": {}}}
        found = resolved(topology(network + subnets()), host)
        names |= {link.name for link in shims(found) if link.kind != "vlan"}
    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)


@pytest.mark.parametrize(
    ("network", "sysctls", "said"),
    [
        (BRIDGE, {"all/arp_ignore": "1"}, ""),
        (BRIDGE, {"all/arp_ignore": "2"}, "arp_ignore = 2 keeps the shim from answering"),
        (BRIDGE, {"all/rp_filter": "1"}, ""),
        (L2, {"all/arp_ignore": "1"}, ""),
        (L2, {"all/arp_ignore": "2"}, "arp_ignore = 2 keeps"),
        (L2, {"eth0/rp_filter": "1"}, "and not at 10.1.0.5"),
        (L2, {"all/rp_filter": "2", "eth0/rp_filter": "1"}, ""),
        (BRIDGE + 'mode = "vepa"\nhairpin = true\n', {"all/rp_filter": "1"}, "both answer for it"),
    ],
)
def test_what_the_hosts_settings_do_to_it(network: str, sysctls: dict[str, str], said: str) -> None:
    host = HOST_HAS | {"sysctls": {f"net/ipv4/conf/{k}": v for k, v in sysctls.items()}}
    warnings = resolved(topology(network + subnets()), host).warnings
    assert [said in warning.message for warning in warnings] == ([True] if said else [])


def test_what_an_endpoint_learns_is_not_known_before() -> None:
    more = ENDPOINT + 'ipv6 = "slaac"\n'
    first, second = resolved(topology(BRIDGE + subnets(), more)).warnings
    assert "web/eth0 gets IPv6 addresses from the LAN's router" in first.message
    assert "name servers" in second.message


REFUSED = [("macvlan", f'mode = "{mode}"') for mode in ("private", "passthru", "source")]


@pytest.mark.parametrize(("kind", "line"), [*REFUSED, ("ipvlan", 'flag = "private"')])
def test_modes_whose_links_never_reach_each_other_are_refused(kind: str, line: str) -> None:
    network = f'kind = "{kind}"\n{line}\nparent = "eth0"\nshim = true\n'
    with pytest.raises(TopologyError, match="a shim reaches no endpoint") as caught:
        topology(network, more="")
    assert [(one.line, one.column) for one in caught.value.diagnostics] == [(7, 1)]
