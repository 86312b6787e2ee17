"""Which parents must come from elsewhere, and which of the file's own come first."""

import pytest

from vlanlink.desired.bound import bound
from vlanlink.desired.parent_names import missing_parents, parents_first
from vlanlink.model import HOST, Link, Namespace, State
from vlanlink.topology import load, parse
from vlanlink.topology.export import as_mapping, text_of, to_toml

TOPOLOGY = """
[networks.pub]
kind = "macvlan"
parent = "eth0.50"
[networks.idle]
kind = "macvlan"
parent = "eth3"
[networks.alone]
kind = "ipvlan"
[links.trunk]
kind = "vlan"
parent = "eth1"
id = 7
[namespaces.web.interfaces]
eth0 = { network = "pub" }
eth1 = { network = "alone" }
up0 = { kind = "ipvlan", parent = "trunk" }
up1 = { kind = "macvlan", parent = "eth2.5.6" }
"""


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ((), ("eth0", "eth1", "eth2")),
        (("eth0", "eth1", "eth2"), ()),
        (("eth0.50", "eth1", "eth2.5"), ()),  # what a VLAN that is there stands on is not asked
        (("eth0", "eth2"), ("eth1",)),
        (("eth0", "eth2", "trunk"), ("eth1",)),  # described by the file: it is made here
    ],
)
def test_what_the_topology_stands_on(there: tuple[str, ...], missing: tuple[str, ...]) -> None:
    assert missing_parents(parse(TOPOLOGY), there) == missing


def test_a_link_comes_after_what_it_stands_on() -> None:
    upside_down = """
    [links]
    top = { kind = "macvlan", parent = "base.100.20" }
    "base.100" = { kind = "vlan", parent = "base", id = 100, protocol = "802.1ad" }
    base = { kind = "dummy" }
    """
    assert parents_first(parse(upside_down)) == ("base", "base.100", "top")


MAC = "52:54:00:12:34:56"
BY_MAC = {"mac": MAC, "vlan": 50}


def _topology(parent: object) -> dict[str, object]:
    return {
        "topology": {"name": "office"},
        "networks": {"pub": {"kind": "macvlan", "parent": parent}},
        "namespaces": {"web": {"interfaces": {"eth0": {"network": "pub"}}}},
        "links": {"q": {"kind": "vlan", "parent": parent, "id": 7}},
    }


def _machine(*links: Link) -> State:
    return State({HOST: Namespace(HOST, links={link.name: link for link in links})})


@pytest.mark.parametrize("parent", ["eth0.50", "an-altname-of-a-nic", {"mac": MAC}, BY_MAC])
def test_a_parent_is_given_back_as_written(parent: object) -> None:
    topology = load(_topology(parent))
    written = as_mapping(topology)
    assert written["networks"]["pub"]["parent"] == parent
    assert written["links"]["q"]["parent"] == parent
    assert load(written) == parse(to_toml(topology)) == topology


def test_a_mac_is_written_in_one_way() -> None:
    shouted = load(_topology({"mac": "52-54-00-12-34-56".upper(), "vlan": 50}))
    assert shouted == load(_topology(BY_MAC))


def test_what_is_kept_is_as_written() -> None:
    nic = Link("eth0", "device", nic_mac=MAC)
    topology = load(_topology(BY_MAC))
    found = bound(topology, _machine(nic))
    assert found.networks["pub"].parent == found.links["q"].parent == "eth0.50"
    assert found.implied("eth0.50") == ("eth0", 50)
    assert text_of(found) == to_toml(topology)
    assert bound(found, _machine()) is found


@pytest.mark.parametrize("parent", ["eth0", "eth0.50", "eth0.50.7"])
def test_a_parent_that_is_called_as_written_stays_the_same(parent: str) -> None:
    topology = load(_topology(parent))
    assert bound(topology, _machine(Link("eth0", "device"))) is topology


@pytest.mark.parametrize(
    ("there", "missing"), [(("eth0",), (MAC,)), ((MAC,), ()), ((f"{MAC}.50",), ())]
)
def test_a_nic_is_waited_for_by_its_mac(there: tuple[str, ...], missing: tuple[str, ...]) -> None:
    assert missing_parents(load(_topology(BY_MAC)), there) == missing
