"""Which parents must come from elsewhere, and which of the file's own come first."""

import pytest

from vlanlink.desired.parent_names import missing_parents, parents_first
from vlanlink.topology import parse

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
