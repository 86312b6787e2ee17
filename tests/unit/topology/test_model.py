"""What a topology holds, as it is written."""

import pickle
from dataclasses import FrozenInstanceError, replace
from ipaddress import ip_address, ip_network

import pytest

import vlanlink
from vlanlink.errors import TopologyError
from vlanlink.kinds import KINDS
from vlanlink.topology import (
    DefaultRouteConfig,
    LinkConfig,
    NamespaceConfig,
    NetworkConfig,
    ProbeConfig,
    Topology,
    empty,
    load,
    parse,
    validated,
)
from vlanlink.topology.export import as_mapping, text_of, to_toml
from vlanlink.topology.tables import option_rows

OFFICE = """
[topology]
name = "office"

[networks.pub]
kind    = "macvlan"
mode    = "bridge"
parent  = "eth0.50"
internal = false
subnets = [
  { subnet = "172.16.3.0/24", gateway = "172.16.3.1", ip_range = "172.16.3.128/25", aux_addresses = { printer = "172.16.3.200" } },
  { subnet = "2001:db8:abc8::/64", gateway = "2001:db8:abc8::10" },
]
probe = true

[namespaces.web]
sysctls = { "net.ipv4.ip_forward" = 1 }

[namespaces.web.interfaces.eth0]
network = "pub"
addresses = ["172.16.3.15"]
mac = "02:42:AC:10:03:0F"
routes = [{ to = "10.0.0.0/8", via = "172.16.3.2", metric = 100 }]
default_route = true
ipv6 = "static"

[namespaces.lab.interfaces.up0]
kind = "ipvlan"
mode = "l3"
parent = "eth0"
addresses = ["10.1.1.1/24"]

[links."eth0.100"]
kind = "vlan"
parent = "eth0"
id = 100
protocol = "802.1ad"
egress_qos = { "3" = 1, "0" = 2 }
addresses = ["192.0.2.5/24"]

[links.v0]
kind = "veth"
peer = { name = "v1", namespace = "web", addresses = ["10.5.0.2/30"] }

[host]
sysctls = { "net.ipv4.ip_forward" = true }
routes = [{ to = "10.1.1.0/24", dev = "up1" }]
"""  # noqa: E501


def test_the_example_of_the_format() -> None:
    topology = parse(OFFICE, "office.toml")
    assert topology.name == "office"
    assert topology.warnings == ()
    pub = topology.networks["pub"]
    assert (pub.kind, pub.parent, dict(pub.options)) == ("macvlan", "eth0.50", {"mode": "bridge"})
    assert pub.probe is True
    assert pub.subnets is not None
    assert pub.subnets[0].subnet == ip_network("172.16.3.0/24")
    assert pub.subnets[0].aux_addresses == {"printer": ip_address("172.16.3.200")}
    assert pub.subnets[1].gateway == ip_address("2001:db8:abc8::10")
    web = topology.namespaces["web"]
    assert web.sysctls == {"net.ipv4.ip_forward": "1"}
    eth0 = web.interfaces["eth0"]
    assert (eth0.kind, eth0.network, eth0.addresses) == (None, "pub", ("172.16.3.15",))
    assert eth0.mac == "02:42:ac:10:03:0f"
    assert eth0.default_route is True
    assert eth0.routes[0].to == ip_network("10.0.0.0/8")
    up0 = topology.namespaces["lab"].interfaces["up0"]
    assert up0.options == {"mode": "l3", "flag": "bridge"}
    trunk = topology.links["eth0.100"]
    assert trunk.options == {"id": 100, "protocol": "802.1ad", "egress_qos": ((0, 2), (3, 1))}
    peer = topology.links["v0"].peer
    assert peer is not None
    assert (peer.name, peer.namespace, peer.addresses) == ("v1", "web", ("10.5.0.2/30",))
    assert topology.host.routes[0].dev == "up1"
    assert topology.host.sysctls == {"net.ipv4.ip_forward": "1"}


def test_what_is_left_out() -> None:
    text = (
        '[links.d0]\nkind = "dummy"\n[networks.p]\nkind = "ipvlan"\nparent = "d0"\n[namespaces.n]'
    )
    topology = parse(text)
    link, network = topology.links["d0"], topology.networks["p"]
    assert (link.addresses, link.mac, link.mtu, link.parent, link.peer) == (None,) * 5
    assert (link.altnames, link.routes, link.up, dict(link.options)) == ((), (), True, {})
    assert (network.subnets, network.mtu, network.shim, network.probe) == (None, None, False, True)
    assert network.options == {"mode": "l2", "flag": "bridge"}
    assert topology.namespaces["n"].interfaces == {}
    assert (topology.namespaces["n"].pid, topology.namespaces["n"].path) == (None, None)


def test_addresses_are_canonical_and_no_longer_than_written() -> None:
    text = '[links.d0]\nkind = "dummy"\naddresses = ["2001:DB8:0::1/064", "192.0.2.1/24"]'
    assert parse(text).links["d0"].addresses == ("2001:db8::1/64", "192.0.2.1/24")


def test_details_in_tables() -> None:
    text = (
        '[networks.p]\nkind = "macvlan"\nparent = "e"\nprobe = { count = 3, seconds = 1 }\n'
        'subnets = [{ subnet = "10.0.0.0/8", gateway = "10.0.0.1" }]\n'
        '[namespaces.n.interfaces.e]\nnetwork = "p"\naddresses = ["10.0.0.2"]\n'
        "default_route = { ipv4 = true, metric = 5 }"
    )
    topology = parse(text)
    assert topology.networks["p"].probe == ProbeConfig(count=3, seconds=1.0)
    wanted = topology.namespaces["n"].interfaces["e"].default_route
    assert wanted == DefaultRouteConfig(ipv4=True, metric=5)
    assert isinstance(wanted, DefaultRouteConfig)
    assert wanted.ipv6 is None


@pytest.mark.parametrize(
    ("written", "to"),
    [
        ({"to": "default", "via": "192.0.2.1"}, "0.0.0.0/0"),
        ({"to": "default", "via": "fe80::1"}, "::/0"),
        ({"to": "default"}, "0.0.0.0/0"),
        ({"to": "192.0.2.7"}, "192.0.2.7/32"),
        ({"to": "2001:db8::7"}, "2001:db8::7/128"),
    ],
)
def test_destinations(written: dict[str, str], to: str) -> None:
    route = {**written, "dev": "eth0"}
    topology = load({"topology": {"name": "x"}, "host": {"routes": [route]}})
    assert topology.host.routes[0].to == ip_network(to)


def test_equal_whatever_the_file() -> None:
    one, other = parse(OFFICE, "a.toml"), parse(f"# more\n{OFFICE}", "b.toml")
    assert one == other
    assert one != parse("[links]")
    assert one.source != other.source


def test_plain_data_and_back() -> None:
    topology = parse(OFFICE)
    written = as_mapping(topology)
    assert written["topology"] == {"name": "office"}
    assert written["links"]["eth0.100"]["egress_qos"] == {"0": 2, "3": 1}
    assert load(written) == topology


def test_made_in_code() -> None:
    made = Topology(name="x", networks={"p": NetworkConfig(kind="macvlan", parent="eth0")})
    assert not made.checked
    assert validated(made).checked
    assert validated(made).networks["p"].options == {"mode": "bridge"}
    assert validated(made).source is None
    lonely = Topology(name="x", links={"a": LinkConfig(kind="macvlan")})
    with pytest.raises(TopologyError, match=r"links\.a"):
        validated(lonely)


def test_the_text_of_one_made_in_code() -> None:
    odd = parse("[networks.'a\\ü\"']\nkind = 'macvlan'")
    for topology in (parse(OFFICE), odd):
        assert parse(to_toml(topology)) == topology
        assert text_of(load(as_mapping(topology))) == to_toml(topology)
        assert text_of(topology) == (topology.source and topology.source.text)
    left_out = Topology(name="x", namespaces={"a": NamespaceConfig(path=None)})
    assert parse(text_of(left_out)) == left_out


def test_frozen() -> None:
    topology = parse(OFFICE)
    with pytest.raises(FrozenInstanceError):
        topology.name = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(topology)) == topology


@pytest.mark.parametrize("name", KINDS)
def test_every_option_of_every_kind_can_be_written(name: str) -> None:
    assert set(option_rows(name)) == {one.key for one in KINDS[name].options}


@pytest.mark.parametrize(
    "text",
    [
        # A gateway may be an endpoint, and a link-local address may be on every link.
        '[networks.p]\nkind = "macvlan"\nparent = "e"\n'
        'subnets = [{ subnet = "2001:db8::/64", gateway = "fe80::1" }]\n'
        '[namespaces.a.interfaces.e]\nnetwork = "p"\naddresses = ["fe80::1/64", "2001:db8::2"]\n'
        '[namespaces.a.interfaces.f]\nkind = "dummy"\naddresses = ["fe80::1/64"]\n',
        # Two VLANs with one id on two parents, two protocols on one.
        '[links.a]\nkind = "vlan"\nparent = "e"\nid = 5\n'
        '[links.b]\nkind = "vlan"\nparent = "f"\nid = 5\n'
        '[links.c]\nkind = "vlan"\nparent = "e"\nid = 5\nprotocol = "802.1ad"\n',
        # A VLAN has its parent's MAC, also in writing.
        '[links.d]\nkind = "dummy"\nmac = "02:00:00:00:00:01"\n'
        '[links.a]\nkind = "vlan"\nparent = "d"\nid = 5\nmac = "02:00:00:00:00:01"\n',
        # A parent of the file with a dot and a number in its name is itself.
        '[links."d.5000"]\nkind = "dummy"\n[links.m]\nkind = "macvlan"\nparent = "d.5000"\n',
        # A network of the hosts' addresses only; with subnets, but an endpoint with none.
        '[networks.p]\nkind = "macvlan"\nparent = "e"\n'
        '[namespaces.n.interfaces.e]\nnetwork = "p"\naddresses = ["192.0.2.1/24"]\n',
        '[networks.p]\nkind = "macvlan"\nparent = "e"\nsubnets = [{ subnet = "10.0.0.0/8" }]\n'
        '[namespaces.n.interfaces.e]\nnetwork = "p"\naddresses = []\n',
        # macvlan on macvlan is macvlan on what is below.
        '[links.m]\nkind = "macvlan"\nparent = "e"\n[links.n]\nkind = "macvlan"\nparent = "m"\n',
        # The two families' default routes by two interfaces.
        '[networks.p]\nkind = "ipvlan"\nmode = "l3"\nparent = "e"\n'
        'subnets = [{ subnet = "10.0.0.0/8" }, { subnet = "fd00::/64" }]\n'
        '[namespaces.n.interfaces.e]\nnetwork = "p"\naddresses = ["10.0.0.1"]\n'
        'default_route = true\n'
        '[namespaces.n.interfaces.f]\nnetwork = "p"\naddresses = ["fd00::1"]\n'
        "default_route = true\n",
    ],
)  # fmt: skip
def test_good_files(text: str) -> None:
    assert parse(text).warnings == ()


def test_a_changed_copy_is_no_longer_what_was_checked() -> None:
    whole = vlanlink.load(
        "/run/x.toml", text='[topology]\nname = "x"\n[links.d0]\nkind = "dummy"\n'
    )
    assert whole.checked
    changed = replace(whole, name="y")
    assert not changed.checked
    assert changed.source is None


def test_an_empty_one_needs_no_check() -> None:
    nothing = empty("x")
    assert nothing.checked
    assert nothing == vlanlink.Topology(name="x")
