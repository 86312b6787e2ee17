"""What a topology comes to on a machine: MACs, default routes, IPv6 policy, routes, records."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.golden import read_records, read_state
from vlanlink.desired.context import Context
from vlanlink.desired.links import derived_mac
from vlanlink.desired.resolve import Resolution, resolve
from vlanlink.errors import TopologyError
from vlanlink.model import HOST, Link, LinkName, Namespace, Route, State
from vlanlink.store.record import OriginalLink
from vlanlink.topology import Topology, parse

HOST_STATE: dict[str, Any] = {"host": {"links": {"eth0": {}, "eth1": {}}}}

NETWORKS = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [
    { subnet = "10.1.0.0/24", gateway = "10.1.0.1" },
    { subnet = "10.2.0.0/24", gateway = "10.2.0.1" },
    { subnet = "10.3.0.0/24" },
    { subnet = "2001:db8:1::/64", gateway = "2001:db8:1::1" },
    { subnet = "2001:db8:2::/64", gateway = "fe80::1" },
]
[networks.routed]
kind = "ipvlan"
mode = "l3"
parent = "eth1"
subnets = [{ subnet = "10.9.0.0/24" }, { subnet = "2001:db8:9::/64" }]
"""


def resolved(
    text: str, state: dict[str, Any] | None = None, *, identity: str = "machine", **records: Any
) -> Resolution:
    topology = parse('[topology]\nname = "office"\n' + text, file="office.toml")
    observed = read_state(state or HOST_STATE)
    return resolve(topology, observed, Context(read_records(records), identity))


def endpoint(name: str, network: str, *addresses: str, more: str = "") -> str:
    listed = ", ".join(f'"{a}"' for a in addresses)
    return (
        f'[namespaces.web.interfaces.{name}]\nnetwork = "{network}"\n'
        f"addresses = [{listed}]\n{more}\n"
    )


def defaults(*endpoints: str) -> dict[str, str]:
    """The default routes of namespace web: route → by way of."""
    found = resolved(NETWORKS + "".join(endpoints)).desired.namespaces["web"].routes
    return {str(r): r.dev for r in found if r.to in ("0.0.0.0/0", "::/0")}


def link(found: Resolution, name: str, namespace: str = "web") -> Link:
    return found.desired.namespaces[namespace].links[name]


# -- MACs ----------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(four=st.tuples(words, words, words, words))
def test_derived_macs_are_stable_local_and_unicast(four: tuple[str, str, str, str]) -> None:
    mac = derived_mac(*four)
    first = int(mac[:2], 16)
    assert mac == derived_mac(*four)
    assert len(mac.split(":")) == 6
    assert first & 0b11 == 0b10


@given(one=st.tuples(words, words, words, words), other=st.tuples(words, words, words, words))
def test_derived_macs_differ_by_each_part(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (derived_mac(*one) == derived_mac(*other)) == (one == other)


def test_parts_of_a_mac_do_not_run_together() -> None:
    assert derived_mac("m", "t", "ab", "c") != derived_mac("m", "t", "a", "bc")


def test_the_mac_of_yesterday() -> None:
    """Changing how MACs are derived would change those of every network in use."""
    assert derived_mac("0123456789abcdef", "office", "web", "eth0") == "46:5c:34:4a:be:71"


def test_a_link_has_the_mac_of_the_file_or_one_of_its_own() -> None:
    text = NETWORKS + endpoint("eth0", "pub", "10.1.0.5") + endpoint("eth1", "routed", "10.9.0.5")
    found = resolved(text)
    assert link(found, "eth0").settings["mac"] == derived_mac("machine", "office", "web", "eth0")
    assert "mac" not in link(found, "eth1").settings  # ipvlan has its parent's
    with_mac = endpoint("eth0", "pub", "10.1.0.5", more='mac = "02:42:00:00:00:01"')
    assert link(resolved(NETWORKS + with_mac), "eth0").settings["mac"] == "02:42:00:00:00:01"


def test_two_machines_with_one_file_share_no_mac() -> None:
    text = NETWORKS + endpoint("eth0", "pub", "10.1.0.5")
    macs = {link(resolved(text, identity=i), "eth0").settings["mac"] for i in ("a", "b", "")}
    assert len(macs) == 3


# -- default routes ------------------------------------------------------------------------------


def test_the_default_route_leads_to_the_gateway_of_the_first_address() -> None:
    first = endpoint("eth0", "pub", "10.2.0.5", "10.1.0.5", "2001:db8:2::5", "2001:db8:1::5")
    assert defaults(first) == {
        "default via 10.2.0.1 dev eth0": "eth0",
        "default via fe80::1 dev eth0 metric 1024": "eth0",
    }


def test_a_family_without_address_has_no_default_route() -> None:
    assert defaults(endpoint("eth0", "pub", "10.1.0.5")) == {
        "default via 10.1.0.1 dev eth0": "eth0"
    }
    assert defaults(endpoint("eth0", "pub")) == {}


def test_a_subnet_without_gateway_gives_no_default_route() -> None:
    assert defaults(endpoint("eth0", "pub", "10.3.0.5")) == {}


def test_the_first_interface_with_a_gateway_in_each_family() -> None:
    found = defaults(
        endpoint("a", "pub", "10.3.0.5"),
        endpoint("b", "pub", "10.1.0.5"),
        endpoint("c", "pub", "10.2.0.5", "2001:db8:1::5"),
    )
    assert found == {
        "default via 10.1.0.1 dev b": "b",
        "default via 2001:db8:1::1 dev c metric 1024": "c",
    }


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("false", set()),
        ("true", {"default via 10.1.0.1 dev b", "default via 2001:db8:1::1 dev b metric 1024"}),
        ("{ ipv4 = true }", {"default via 10.1.0.1 dev b"}),
        ("{ ipv4 = true, ipv6 = false }", {"default via 10.1.0.1 dev b"}),
        ("{ ipv6 = true, ipv4 = false }", {"default via 2001:db8:1::1 dev b metric 1024"}),
        (
            "{ metric = 7 }",
            {"default via 10.1.0.1 dev b metric 7", "default via 2001:db8:1::1 dev b metric 7"},
        ),
        ("{ ipv4 = true, metric = 0, ipv6 = false }", {"default via 10.1.0.1 dev b"}),
    ],
)
def test_the_forms_of_default_route(table: str, expected: set[str]) -> None:
    """The second interface says something; the first has nothing to give."""
    second = endpoint("b", "pub", "10.1.0.5", "2001:db8:1::5", more=f"default_route = {table}")
    found = defaults(
        endpoint("a", "pub", "10.3.0.5", "2001:db8:1::6", more="default_route = false"), second
    )
    assert set(found) >= expected
    left_to_the_rule = {"{ ipv4 = true }": {"default via 2001:db8:1::1 dev b metric 1024"}}
    assert set(found) - expected <= left_to_the_rule.get(table, set())


def test_one_that_asks_comes_besides_the_one_that_is_first() -> None:
    found = defaults(
        endpoint("a", "pub", "10.1.0.5", more="default_route = { metric = 10 }"),
        endpoint("b", "pub", "10.2.0.5", more="default_route = { metric = 20 }"),
        endpoint("c", "pub", "10.2.0.6"),
    )
    assert found == {
        "default via 10.1.0.1 dev a metric 10": "a",
        "default via 10.2.0.1 dev b metric 20": "b",
    }


def test_two_default_routes_of_one_metric_never_reach_the_kernel() -> None:
    """One by the rule of the first, one that is asked for by name: refused, or only one."""
    first = endpoint("a", "pub", "10.1.0.5")
    second = endpoint("b", "pub", "10.2.0.5", more="default_route = true")
    try:
        found = defaults(first, second)
    except TopologyError as error:
        assert "web/a" in str(error)  # noqa: PT017
        assert "web/b" in str(error)  # noqa: PT017
    else:
        assert found == {"default via 10.2.0.1 dev b": "b"}


def test_the_router_has_no_default_route_by_itself() -> None:
    """An endpoint that holds the gateway's address; the next interface has the default route."""
    router = endpoint("a", "pub", "10.1.0.1", "2001:db8:1::5")
    assert defaults(router) == {"default via 2001:db8:1::1 dev a metric 1024": "a"}
    assert defaults(router, endpoint("b", "pub", "10.2.0.5")) == {
        "default via 2001:db8:1::1 dev a metric 1024": "a",
        "default via 10.2.0.1 dev b": "b",
    }


def test_a_routed_kind_has_its_default_route_by_device() -> None:
    assert defaults(endpoint("a", "routed", "10.9.0.5", "2001:db8:9::5")) == {
        "default dev a": "a",
        "default dev a metric 1024": "a",
    }


def test_a_link_that_is_down_has_no_default_route() -> None:
    assert defaults(
        endpoint("a", "pub", "10.1.0.5", more="up = false"), endpoint("b", "pub", "10.2.0.5")
    ) == {"default via 10.2.0.1 dev b": "b"}


def test_a_link_without_network_has_no_default_route() -> None:
    own = (
        '[namespaces.web.interfaces.own]\nkind = "macvlan"\nparent = "eth0"\n'
        'addresses = ["10.1.0.7/24"]\n'
    )
    assert defaults(own) == {}


# -- IPv6 ----------------------------------------------------------------------------------------


def policy(found: Resolution, name: str) -> dict[str, object]:
    settings = link(found, name).settings
    return {k: settings.get(k) for k in ("disable_ipv6", "accept_ra", "accept_dad")}


OFF = {"disable_ipv6": 1, "accept_ra": None, "accept_dad": None}
STATIC = {"disable_ipv6": 0, "accept_ra": 0, "accept_dad": 0}
NONE = {"disable_ipv6": None, "accept_ra": None, "accept_dad": None}


def test_ipv6_is_off_where_there_is_no_address_of_it() -> None:
    found = resolved(
        NETWORKS
        + endpoint("a", "pub", "10.1.0.5")
        + endpoint("b", "pub", "10.1.0.6", "2001:db8:1::5")
        + endpoint("c", "pub", more='ipv6 = "off"')
        + endpoint("d", "pub", "fe80::5/64")
    )
    assert [policy(found, n) for n in "abcd"] == [OFF, STATIC, OFF, STATIC]


def test_a_link_too_small_for_ipv6_is_left_alone() -> None:
    found = resolved(NETWORKS + endpoint("a", "pub", "10.1.0.5", more="mtu = 1000"))
    assert policy(found, "a") == NONE


def test_a_machine_without_ipv6_is_left_alone() -> None:
    without = {"disable_ipv6": None, "accept_ra": None, "accept_dad": None}
    state = {"host": {"links": {"lo": without, "eth0": without, "eth1": without}}}
    found = resolved(NETWORKS + endpoint("a", "pub", "10.1.0.5"), state)
    assert policy(found, "a") == NONE


@pytest.mark.parametrize("key", ["net.ipv6.conf.a.accept_ra", "net/ipv6/conf/a/accept_ra"])
def test_a_sysctl_of_the_file_goes_before_the_policy(key: str) -> None:
    space = f'[namespaces.web]\nsysctls = {{ "{key}" = 2 }}\n'
    found = resolved(NETWORKS + space + endpoint("a", "pub", "2001:db8:1::5"))
    assert policy(found, "a") == STATIC | {"accept_ra": None}
    assert found.desired.namespaces["web"].sysctls == {"net/ipv6/conf/a/accept_ra": "2"}


def test_vlans_that_are_made_for_a_network_have_no_ipv6() -> None:
    text = NETWORKS.replace('"eth0"', '"eth0.50"') + endpoint("a", "pub", "10.1.0.5")
    assert link(resolved(text), "eth0.50", HOST).settings["disable_ipv6"] == 1


# -- addresses and routes ------------------------------------------------------------------------


def test_a_bare_address_takes_the_prefix_of_its_subnet() -> None:
    found = resolved(NETWORKS + endpoint("a", "pub", "10.1.0.5", "10.2.0.5/32", "2001:db8:1::5"))
    texts = [address.text for address in link(found, "a").addresses]
    assert texts == ["10.1.0.5/24", "10.2.0.5/32", "2001:db8:1::5/64"]


def test_routes() -> None:
    listed = """routes = [
        { to = "10.8.0.0/16", via = "10.1.0.2" },
        { to = "10.7.0.0/16" },
        { to = "10.6.1.1", metric = 0, src = "10.1.0.5", table = 300 },
        { to = "10.5.0.0/16", via = "192.0.2.1", onlink = true },
        { to = "2001:db8:8::/48", via = "2001:db8:1::2" },
        { to = "2001:db8:7::/48", via = "fe80::7", metric = 5 },
    ]"""
    text = endpoint(
        "a", "pub", "10.1.0.5", "2001:db8:1::5", more=listed + "\ndefault_route = false"
    )
    found = resolved(NETWORKS + text).desired.namespaces["web"].routes
    assert found == {
        Route("10.8.0.0/16", "a", via="10.1.0.2"),
        Route("10.7.0.0/16", "a"),
        Route("10.6.1.1/32", "a", src="10.1.0.5", table=300),
        Route("10.5.0.0/16", "a", via="192.0.2.1", onlink=True),
        Route("2001:db8:8::/48", "a", via="2001:db8:1::2", metric=1024),
        Route("2001:db8:7::/48", "a", via="fe80::7", metric=5),
    }
    assert {r.origin[:4] for r in found} == {("namespaces", "web", "interfaces", "a")}


def test_routes_of_the_host_are_remembered() -> None:
    found = resolved('[host]\nroutes = [{ to = "10.0.0.0/8", dev = "eth0", via = "192.0.2.1" }]\n')
    assert found.record.routes == (("", "10.0.0.0/8 via 192.0.2.1 dev eth0"),)


def test_options_of_a_network_are_those_of_its_endpoints() -> None:
    network = '[networks.n]\nkind = "macvlan"\nparent = "eth0"\nmode = "vepa"\n'
    network += "bc_queue_len = 5\nmtu = 1400\n"
    found = resolved(network + endpoint("a", "n") + endpoint("b", "n", more="mtu = 1300"))
    chosen = {k: link(found, "a").settings.get(k) for k in ("mode", "bc_queue_len", "mtu")}
    assert chosen == {"mode": "vepa", "bc_queue_len": 5, "mtu": 1400}
    assert link(found, "b").settings["mtu"] == 1300


# -- the record ----------------------------------------------------------------------------------


def test_the_record_names_what_will_be_made_and_what_was() -> None:
    state: dict[str, Any] = {
        "host": {"links": {"eth0": {"up": False, "addresses": ["2001:db8::1/64"]}, "eth1": {}}},
        "old": {"links": {}},
    }
    text = NETWORKS + endpoint("a", "pub", "10.1.0.5") + "[namespaces.old]\n"
    found = resolved(text, state).record
    assert (found.topology, found.file, found.namespaces) == ("office", "office.toml", ("web",))
    assert found.text.endswith(text)
    assert found.parents == {"eth0": OriginalLink(up=False)}


@pytest.mark.parametrize("up", [True, False, None])
@pytest.mark.parametrize("now", [True, False])
def test_a_parent_is_recorded_as_before_the_first_up(up: bool | None, now: bool) -> None:
    """Whatever it is now: brought up by us, or down for a moment."""
    parents = {"eth0": {"up": up}}
    text = NETWORKS + endpoint("a", "pub", "10.1.0.5")
    state: dict[str, Any] = {"host": {"links": {"eth0": {"up": now}}}}
    own = resolved(text, state, own={"topology": "office", "parents": parents})
    other = resolved(text, state, others=[{"topology": "lab", "parents": parents}])
    for found in (own, other):
        assert found.record.parents["eth0"] == OriginalLink(up)
        if not (up and now):
            assert found.desired.host.links["eth0"].settings == {"up": True}


def test_resolving_twice_is_the_same() -> None:
    text = NETWORKS + endpoint("a", "pub", "10.1.0.5", "2001:db8:1::5")
    assert resolved(text) == resolved(text)


def test_down_wants_nothing() -> None:
    empty = Topology(name="office")
    state = State({HOST: Namespace(HOST)})
    found = resolve(empty, state)
    assert found.desired == State({HOST: replace(Namespace(HOST))})
    assert found.conflicts == found.warnings == ()


def test_a_peer_is_where_it_is_wanted() -> None:
    text = (
        '[namespaces.web]\n[links.v0]\nkind = "veth"\npeer = { name = "v1", namespace = "web" }\n'
    )
    found = resolved(text)
    assert link(found, "v0", HOST).peer == LinkName("web", "v1")
    assert link(found, "v1").peer == LinkName(HOST, "v0")


# -- addresses left out, beside the rest of the topology -----------------------------------------

BESIDE = """
[links.eth0]
kind = "dummy"
addresses = ["10.1.0.1/24"]
[links.host]
kind = "macvlan"
parent = "eth0"
addresses = ["10.1.0.2/24"]
[networks.one]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "10.1.0.0/24" }]
[networks.other]
kind = "macvlan"
mode = "private"
parent = "eth0"
subnets = [{ subnet = "10.1.0.0/24" }]
[networks.elsewhere]
kind = "macvlan"
parent = "eth1"
subnets = [{ subnet = "10.1.0.0/24" }]
[namespaces.a.interfaces]
alone = { kind = "macvlan", parent = "eth0", addresses = ["10.1.0.3/24"] }
one = { network = "one" }
other = { network = "other" }
fixed = { network = "other", addresses = ["10.1.0.4"] }
elsewhere = { network = "elsewhere" }
"""


def chosen(found: Resolution) -> dict[str, str]:
    links = found.desired.namespaces["a"].links
    return {name: links[name].addresses[0].bare for name in links if links[name].addresses}


def test_what_is_chosen_collides_with_nothing_on_the_parent() -> None:
    state: dict[str, Any] = {"host": {"links": {"eth1": {}}}}
    topology = parse('[topology]\nname = "office"\n' + BESIDE)
    first = resolve(topology, read_state(state), Context(identity="machine"))
    assert not first.conflicts
    given = chosen(first)
    assert (given["one"], given["other"]) == ("10.1.0.5", "10.1.0.6")
    assert given["elsewhere"] == "10.1.0.3"

    more = BESIDE + 'first = { network = "one" }\n'
    topology = parse('[topology]\nname = "office"\n' + more)
    then = resolve(topology, read_state(state), Context(identity="machine", leases=first.leases))
    assert chosen(then) == given | {"first": "10.1.0.7"}


ELSEWHERE = [f"10.1.0.{n}" for n in range(1, 7)] + [f"2001:db8:1::{n}" for n in range(1, 7)]
HELD = st.sets(st.sampled_from(ELSEWHERE))


def host_with(addresses: set[str], gateways: set[str], parent: str = "eth1") -> dict[str, Any]:
    """A host with addresses and routes on another NIC than ``parent``."""
    lengths = {text: 128 if ":" in text else 32 for text in addresses}
    held = [f"{text}/{length}" for text, length in sorted(lengths.items())]
    routes = [f"{_far(text)} via {text} dev eth0 onlink foreign" for text in sorted(gateways)]
    links: dict[str, Any] = {"eth0": {"addresses": held}, parent: {}}
    return {"host": {"links": links, "routes": routes}}


def _far(text: str) -> str:
    """A prefix whose route has the gateway ``text``."""
    last = text.rpartition(":" if ":" in text else ".")[2]
    return f"2001:db8:9{last}::/48" if ":" in text else f"10.9{last}.0.0/16"


def with_routes(gateways: set[str]) -> str:
    """A file whose endpoint, shim and router choose addresses; routes through the gateways."""
    routes = [f'{{ to = "{_far(text)}", via = "{text}" }}' for text in sorted(gateways)]
    return (
        '[topology]\nname = "office"\n[networks.lan]\nkind = "ipvlan"\nparent = "eth1"\n'
        'shim = { addresses = ["auto"] }\n'
        'subnets = [{ subnet = "10.1.0.0/24" }, { subnet = "2001:db8:1::/64" }]\n'
        '[namespaces.a.interfaces]\none = { network = "lan" }\n'
        f'two = {{ network = "lan", routes = [{", ".join(routes)}] }}\n'
    )


def automatic(found: Resolution) -> dict[str, tuple[str, ...]]:
    """The addresses that were chosen, by namespace and interface."""
    return {f"{space}/{name}": texts for (_, space, name), texts in found.leases.addresses.items()}


@given(addresses=HELD, gateways=HELD, routers=HELD)
def test_what_is_chosen_is_nothing_that_the_host_has_or_sends_through(
    addresses: set[str], gateways: set[str], routers: set[str]
) -> None:
    topology = parse(with_routes(routers))
    observed = read_state(host_with(addresses, gateways))
    found = automatic(resolve(topology, observed, Context(identity="machine")))
    given_out = [text for texts in found.values() for text in texts]
    assert len(given_out) == 6
    assert not set(given_out) & (addresses | gateways | routers)


@given(addresses=HELD, gateways=HELD, routers=HELD)
def test_what_was_chosen_stays_when_the_host_gets_it_elsewhere(
    addresses: set[str], gateways: set[str], routers: set[str]
) -> None:
    first = resolve(
        parse(with_routes(set())), read_state(host_with(set(), set())), Context(identity="machine")
    )
    context = Context(identity="machine", leases=first.leases)
    observed = read_state(host_with(addresses, gateways))
    then = resolve(parse(with_routes(routers)), observed, context)
    assert automatic(then) == automatic(first)
    assert not then.warnings


SLAAC = '[networks.lan]\nkind = "macvlan"\nparent = "eth0"\n[namespaces.web]\n{}\n'
SLAAC += '[namespaces.web.interfaces.eth0]\nnetwork = "lan"\naddresses = []\nipv6 = "slaac"\n'
THERE: dict[str, Any] = {**HOST_STATE, "web": {"links": {"eth0": {"owner": "office"}}}}


@pytest.mark.parametrize(
    ("text", "state", "told"),
    [
        (SLAAC.format(""), HOST_STATE, True),
        (SLAAC.format(""), THERE, False),
        (SLAAC.format('dns = ["10.1.0.1"]'), HOST_STATE, False),
        (SLAAC.format("").replace("[]", '["dhcp"]'), HOST_STATE, False),
        (SLAAC.format("").replace("slaac", "static"), HOST_STATE, False),
    ],
)
def test_slaac_without_dhcp_tells_once_that_nobody_listens_for_name_servers(
    text: str, state: dict[str, Any], *, told: bool
) -> None:
    found = resolved(text, state).warnings
    message = "web takes no name servers from routers: that needs dhcp on eth0"
    assert [one.message for one in found] == [message] * told
    assert [one.path[-1] for one in found] == ["ipv6"] * told
