"""``graph --live``: endpoints are coloured by status and verify."""

import pytest

import vlanlink
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")

TOPOLOGY = """
[networks.lan]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "172.16.86.0/24" }]
[namespaces]
web.interfaces.eth0 = { network = "lan", addresses = ["172.16.86.10"] }
db.interfaces.eth0 = { network = "lan", addresses = ["172.16.86.11"] }
mail.interfaces.eth0 = { network = "lan", addresses = ["172.16.86.12"] }
gone.interfaces.eth0 = { network = "lan", addresses = ["172.16.86.13"] }
fine.interfaces.eth0 = { network = "lan", addresses = ["172.16.86.14"] }
"""


def conditions(found: vlanlink.Graph) -> dict[str, str]:
    (network,) = found.tree().branches[0].branches
    return {one.text.split()[0]: one.condition for one in network.branches}


def test_what_differs_is_seen(lan: Lan) -> None:
    topology = vlanlink.load("seen.toml", text=TOPOLOGY)
    down = conditions(vlanlink.graph(topology, live=True))
    assert set(down.values()) == {"down"}
    vlanlink.up(topology)
    assert set(conditions(vlanlink.graph("seen", live=True)).values()) == {"ok"}
    lan.world.ip("route add unreachable 172.16.86.10", "mail")
    lan.world.ip("addr del 172.16.86.11/24 dev eth0", "db")
    lan.world.ip("netns delete gone")
    found = vlanlink.graph("seen", live=True)
    assert conditions(found) == {
        "web": "differs",
        "db": "drifted",
        "mail": "differs",
        "gone": "down",
        "fine": "ok",
    }
    assert "drifted; " in found.svg
    assert 'class="differs"' in found.html
