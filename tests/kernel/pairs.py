"""One topology per link kind and its edited version, for faults at every operation."""

from dataclasses import dataclass

import pytest

FILE = "/run/faults.toml"
HEAD = """
[topology]
name = "faults"
"""


@dataclass(frozen=True)
class Pair:
    """A topology and its edited version: live changes, recreated links, things that come and go."""

    text: str
    edited: str


PAIRS = {
    "macvlan": Pair(
        """
[host]
sysctls = { "net.ipv4.ip_forward" = 1 }
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{ subnet = "10.9.0.0/24", gateway = "10.9.0.1" }, { subnet = "2001:db8:9::/64" }]
[namespaces.one]
sysctls = { "net.ipv4.ip_forward" = 1 }
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.10", "2001:db8:9::10"]
mtu = 1400
altnames = ["front"]
routes = [{ to = "10.8.0.0/16", via = "10.9.0.2" }]
[links.m0]
kind = "macvlan"
parent = "eth1"
probe = false
mode = "source"
source_macs = ["02:00:00:00:00:31"]
""",
        """
[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
mode = "private"
subnets = [{ subnet = "10.9.0.0/24", gateway = "10.9.0.2" }, { subnet = "2001:db8:9::/64" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.11"]
altnames = ["back"]
[namespaces.two.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.12"]
[links.m0]
kind = "macvlan"
parent = "eth1"
probe = false
mode = "bridge"
""",
    ),
    # Two steps: the parent comes up and the LAN is probed, then the rest.
    "asked": Pair(
        """
[networks.pub]
kind = "macvlan"
parent = "eth1"
probe = { count = 1, seconds = 0.02 }
subnets = [{ subnet = "10.9.0.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.10"]
""",
        """
[networks.pub]
kind = "macvlan"
parent = "eth1"
probe = { count = 1, seconds = 0.02 }
subnets = [{ subnet = "10.9.0.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.9.0.10"]
[namespaces.two.interfaces.eth0]
network = "pub"
""",
    ),
    # These run in the guest, where everything takes ten times as long: one link each.
    "vlan": Pair(
        """
[links.v5]
kind = "vlan"
parent = "eth0"
id = 5
gvrp = true
egress_qos = { "1" = 2 }
addresses = ["10.9.0.10/24"]
""",
        """
[links.v5]
kind = "vlan"
parent = "eth0"
id = 5
mtu = 1400
egress_qos = { "3" = 4 }
addresses = ["10.9.0.11/24"]
""",
    ),
    "ipvlan": Pair(
        """
[links.i0]
kind = "ipvlan"
parent = "eth0"
probe = false
addresses = ["10.9.0.10/24"]
""",
        """
[links.i0]
kind = "ipvlan"
parent = "eth0"
probe = false
mode = "l3s"
flag = "private"
mtu = 1400
addresses = ["10.9.0.11/24"]
""",
    ),
    "dummy": Pair(
        """
[links.d0]
kind = "dummy"
mtu = 1400
addresses = ["2001:db8:9::10/64"]
""",
        """
[links.d0]
kind = "dummy"
mac = "02:42:00:00:00:01"
altnames = ["zero"]
addresses = ["10.9.0.11/24"]
""",
    ),
    "veth": Pair(
        """
[namespaces.one]
[links.v0]
kind = "veth"
altnames = ["zero"]
addresses = ["10.9.0.1/30", "2001:db8:9::1/64"]
[links.v0.peer]
name = "v1"
namespace = "one"
addresses = ["10.9.0.2/30"]
routes = [{ to = "10.8.0.0/16", via = "10.9.0.1" }]
[links.a]
kind = "veth"
peer = { name = "b" }
""",
        """
[namespaces.one]
[namespaces.two]
[links.v0]
kind = "veth"
mtu = 1400
addresses = ["10.9.0.5/30"]
peer = { name = "v1", namespace = "one", mac = "02:42:00:00:00:01", addresses = ["10.9.0.6/30"] }
[links.a]
kind = "veth"
peer = { name = "b", namespace = "two" }
""",
    ),
}

NEEDS = {"asked": "macvlan"}
KINDS = [pytest.param(kind, marks=pytest.mark.needs(NEEDS.get(kind, kind))) for kind in PAIRS]
