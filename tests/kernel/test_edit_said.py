"""What is said of topologies that share things, or whose endpoints hold the same address."""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK, Cli
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")

SHARED = '[host]\nsysctls = { "net.ipv4.ip_forward" = 1 }\n'
ROUTES = """
[networks.p]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "10.77.0.0/24", gateway = "10.77.0.1" }]
[namespaces.a.interfaces.eth0]
network = "p"
addresses = ["10.77.0.21"]
routes = [
  { to = "10.0.0.0/8", via = "10.77.0.1" },
  { to = "10.0.0.0/8", via = "10.77.0.1", table = 100 },
  { to = "10.0.0.0/8", via = "10.77.0.1", metric = 7 },
]
"""
TENANT = """
[networks.t{0}]
kind = "macvlan"
parent = "eth{0}"
probe = false
subnets = [{{ subnet = "192.0.2.0/24" }}]
[namespaces.tenant{0}.interfaces.eth0]
network = "t{0}"
addresses = ["192.0.2.9"]
"""


def load(name: str, text: str) -> vlanlink.Topology:
    Path(f"/run/{name}.toml").write_text(text)
    return vlanlink.load(f"/run/{name}.toml")


def test_down_of_a_topology_that_shares_all_it_has(lan: Lan, cli: Cli) -> None:
    world = lan.world
    world.run(["sysctl", "-qw", "net.ipv4.ip_forward=0"])
    for name in ("s1", "s2"):
        vlanlink.up(load(name, SHARED))
    assert [(one.topology, one.state) for one in vlanlink.status()] == [("s1", "up"), ("s2", "up")]
    assert cli.run("down s1").startswith("s1 is down")
    assert world.run(["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "1\n"
    assert [one.topology for one in vlanlink.status()] == ["s2"]
    vlanlink.down("s2")
    assert world.run(["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"


def test_the_lines_of_a_plan_have_an_order(lan: Lan) -> None:
    load("o", ROUTES)
    texts = set()
    for seed in range(6):
        words = ["env", f"PYTHONHASHSEED={seed}", VLANLINK, "plan", "/run/o.toml"]
        texts.add(lan.world.run(words).stdout)
    assert len(texts) == 1, "\n".join(texts)


def test_tenants_with_one_address_are_not_told_to_reach_each_other(lan: Lan) -> None:
    """eth1 is on a wire of its own."""
    world = lan.world
    world.make_place("elsewhere")
    world.batch(
        "link add eth1 type veth peer name far\n"
        f"link set far netns {world.path('elsewhere')}\nlink set eth1 up"
    )
    world.ip("link set far up", "elsewhere")
    topology = load("t", TENANT.format(0) + TENANT.format(1))
    vlanlink.up(topology)
    between = [c for c in vlanlink.verify(topology).to_dict()["checks"] if _tenants(c)]  # type: ignore[attr-defined]
    assert [c for c in between if c["ok"] and c["measured"] == "reachable"] == []


def _tenants(check: dict[str, str]) -> bool:
    return {check["from"], check["to"]} == {"tenant0", "tenant1"}
