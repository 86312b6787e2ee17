"""Who must reach whom, by mode, wire, route and forwarding."""

from typing import Any

import pytest

from tests.unit.golden import read_state
from vlanlink.desired.context import Context
from vlanlink.desired.resolve import resolve
from vlanlink.reachability.expected import Reachability, endpoints
from vlanlink.reachability.measure import in_turn
from vlanlink.reachability.sampling import sample
from vlanlink.topology import Topology, parse

EXPECTED = {True: "reachable", False: "unreachable", None: "unjudged"}
STATE: dict[str, Any] = {
    "host": {
        "links": {"eth0": {"addresses": ["10.0.0.5/24", "2001:db8::5/64"]}, "eth1": {}},
        "sysctls": {"net/ipv4/ip_forward": "0"},
    }
}


def topology(text: str) -> Topology:
    return parse('[topology]\nname = "office"\n' + text, file="office.toml")


def promises(
    text: str, state: dict[str, Any] | None = None, **with_reason: bool
) -> dict[tuple[str, str, str], str]:
    """Every pair, and what is expected of it (with ``why``, the reason)."""
    wanted, observed = topology(text), read_state(state or STATE)
    desired = resolve(wanted, observed, Context(identity="machine")).desired
    pairs = Reachability(wanted, observed, desired).pairs(endpoints(desired))
    return {
        (pair.source or "host", pair.target or "host", pair.address): (
            pair.reason if with_reason else EXPECTED[pair.expected]
        )
        for pair in pairs
    }


def test_both_directions_of_a_pair_are_probed_together() -> None:
    """The second direction needs no ARP request then."""
    spaces = "".join(
        f'[namespaces.n{n}.interfaces.eth0]\nkind = "macvlan"\nparent = "eth0"\n'
        f'addresses = ["10.0.0.{n + 10}/24"]\n'
        for n in range(5)
    )
    wanted, observed = topology(spaces), read_state(STATE)
    desired = resolve(wanted, observed, Context(identity="machine")).desired
    pairs = list(Reachability(wanted, observed, desired).pairs(endpoints(desired)))
    turns = [(pair.source, pair.target) for pair in in_turn(pairs) if pair.expected]
    assert len(turns) == 20
    for one, other in zip(turns[::2], turns[1::2], strict=True):
        assert one == other[::-1]


def network(kind: str, options: str, *, parent: str = 'parent = "eth0"') -> str:
    return f"""
[networks.pub]
kind = "{kind}"
{parent}
{options}
subnets = [{{ subnet = "10.0.0.0/24", gateway = "10.0.0.1" }}]
[namespaces.one.interfaces.eth0]
network = "pub"
addresses = ["10.0.0.11"]
[namespaces.two.interfaces.eth0]
network = "pub"
addresses = ["10.0.0.12"]
"""


ONE_TWO = ("one", "two", "10.0.0.12")
ONE_HOST = ("one", "host", "10.0.0.5")
HOST_ONE = ("host", "one", "10.0.0.11")
ONE_GATEWAY = ("one", "gateway", "10.0.0.1")


@pytest.mark.parametrize(
    ("kind", "options", "siblings", "host"),
    [
        ("macvlan", 'mode = "bridge"', "reachable", "unreachable"),
        ("macvlan", 'mode = "private"', "unreachable", "unreachable"),
        ("macvlan", 'mode = "vepa"', "unreachable", "unreachable"),
        ("macvlan", 'mode = "vepa"\nhairpin = true', "reachable", "reachable"),
        ("macvlan", 'mode = "source"', "unreachable", "unreachable"),
        ("ipvlan", 'mode = "l2"', "reachable", "unreachable"),
        ("ipvlan", 'mode = "l2"\nflag = "private"', "unreachable", "unreachable"),
        ("ipvlan", 'mode = "l2"\nflag = "vepa"', "unreachable", "unreachable"),
    ],
)
def test_by_mode(kind: str, options: str, siblings: str, host: str) -> None:
    found = promises(network(kind, options))
    assert found[ONE_TWO] == found["two", "one", "10.0.0.11"] == siblings
    assert found[ONE_HOST] == found[HOST_ONE] == host
    assert found[ONE_GATEWAY] == "reachable"


def test_internal_stays_inside() -> None:
    found = promises(network("macvlan", "internal = true", parent=""))
    assert found[ONE_TWO] == "reachable"
    assert found[ONE_GATEWAY] == "unreachable"
    assert found[HOST_ONE] == "unreachable"


def test_a_routed_kind_needs_a_route_of_the_host() -> None:
    text = network("ipvlan", 'mode = "l3"').replace(', gateway = "10.0.0.1"', "")
    text = text.replace("10.0.0.", "10.9.0.")
    apart = promises(text)
    assert apart["one", "two", "10.9.0.12"] == "reachable"
    assert apart["host", "one", "10.9.0.11"] == "unreachable"
    host = '[links.up1]\nkind = "ipvlan"\nmode = "l3"\nparent = "eth0"\n'
    host += '[host]\nroutes = [{ to = "10.9.0.0/24", dev = "up1" }]\n'
    joined = promises(text + host)
    assert joined["host", "one", "10.9.0.11"] == "reachable"
    assert joined["one", "host", "10.0.0.5"] == "reachable"


def test_vlans_are_joined_by_a_router_outside_only() -> None:
    text = "".join(
        f'[networks.v{n}]\nkind = "macvlan"\nparent = "eth0.{n}"\n'
        f'subnets = [{{ subnet = "10.{n}.0.0/24", gateway = "10.{n}.0.1" }}]\n'
        f'[namespaces.n{n}.interfaces.eth0]\nnetwork = "v{n}"\naddresses = ["10.{n}.0.9"]\n'
        for n in (50, 60)
    )
    found = promises(text)
    assert found["n50", "n60", "10.60.0.9"] == "unjudged"
    assert found["n50", "gateway", "10.50.0.1"] == "reachable"
    no_way_out = promises(text.replace(', gateway = "10.50.0.1"', ""))
    assert no_way_out["n50", "n60", "10.60.0.9"] == "unreachable"
    assert no_way_out["n60", "n50", "10.50.0.9"] == "unjudged"


ROUTER = """
[networks]
a = { kind = "macvlan", parent = "eth0", subnets = [{ subnet = "10.1.0.0/24", gateway = "10.1.0.1" }, { subnet = "2001:db8:1::/64", gateway = "2001:db8:1::1" }] }
b = { kind = "macvlan", parent = "eth1", subnets = [{ subnet = "10.2.0.0/24", gateway = "10.2.0.1" }, { subnet = "2001:db8:2::/64", gateway = "2001:db8:2::1" }] }
[namespaces.router]
sysctls = { "net.ipv4.ip_forward" = 1, "net.ipv6.conf.all.forwarding" = 1 }
[namespaces.router.interfaces]
a = { network = "a", addresses = ["10.1.0.1", "2001:db8:1::1"] }
b = { network = "b", addresses = ["10.2.0.1", "2001:db8:2::1"] }
[namespaces]
web.interfaces.eth0 = { network = "a", addresses = ["10.1.0.9", "2001:db8:1::9"] }
db.interfaces.eth0 = { network = "b", addresses = ["10.2.0.9", "2001:db8:2::9"] }
"""  # noqa: E501


def test_by_a_router_of_the_topology() -> None:
    found = promises(ROUTER)
    for address in ("10.2.0.9", "2001:db8:2::9"):
        assert found["web", "db", address] == "reachable"
        assert promises(ROUTER, why=True)["web", "db", address] == "through router"
    still = promises(ROUTER.replace('"net.ipv4.ip_forward" = 1, ', ""))
    assert still["web", "db", "10.2.0.9"] == "unreachable"
    assert still["web", "db", "2001:db8:2::9"] == "reachable"
    assert {to for _, to, _ in found} == {"router", "web", "db", "host"}


def test_without_a_route_back_nothing_is_reached() -> None:
    own = '"2001:db8:2::9"]'
    text = ROUTER.replace(own, f"{own}, default_route = {{ ipv4 = false, ipv6 = true }}")
    found = promises(text, why=True)
    assert found["web", "db", "10.2.0.9"] == "no return path: db has no route to 10.1.0.9"
    assert promises(text)["web", "db", "10.2.0.9"] == "unreachable"


def test_a_link_that_is_down_promises_nothing() -> None:
    text = network("macvlan", "").replace('["10.0.0.12"]', '["10.0.0.12"]\nup = false')
    assert {name for pair in promises(text) for name in pair[:2]} == {"host", "one", "gateway"}


def test_a_pair_is_a_wire_of_its_own() -> None:
    text = """
[links.v0]
kind = "veth"
addresses = ["10.5.0.1/30"]
peer = { name = "v1", namespace = "web", addresses = ["10.5.0.2/30"] }
[namespaces.web]
[namespaces.other.interfaces.m0]
kind = "macvlan"
mode = "private"
parent = "v0"
addresses = ["10.5.0.3/29"]
"""
    found = promises(text)
    assert found["host", "web", "10.5.0.2"] == found["web", "host", "10.5.0.1"] == "reachable"
    assert found["other", "host", "10.5.0.1"] == "unreachable"


# -- samples ---------------------------------------------------------------------------------------


def test_a_sample_has_two_of_every_kind() -> None:
    modes = {"crowd": "bridge", "few": "private"}
    text = "".join(
        f'[networks.{name}]\nkind = "macvlan"\nmode = "{mode}"\nparent = "eth0"\n'
        f'subnets = [{{ subnet = "10.{n}.0.0/16" }}]\n'
        for n, (name, mode) in enumerate(modes.items(), start=1)
    )
    text += "".join(
        f'[namespaces.n{n}.interfaces.eth0]\nnetwork = "{"few" if n % 99 == 0 else "crowd"}"\n'
        for n in range(300)
    )
    wanted, observed = topology(text), read_state(STATE)
    desired = resolve(wanted, observed, Context(identity="machine")).desired
    names = endpoints(desired)
    chosen = sample(names, desired, wanted)
    assert len(names) == 300
    assert len(chosen) == 50
    assert {"n0", "n99", "n198", "n297"} <= set(chosen)
    assert chosen == sample(names, desired, wanted)
