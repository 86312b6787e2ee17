"""Leases: one that a topology of this host has is taken, until it is released."""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import Cli
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")


def subnet(**keys: str) -> str:
    words = [f'{key} = "{value}"' for key, value in keys.items() if key != "aux"]
    words += [f'aux_addresses = {{ printer = "{keys["aux"]}" }}'] if "aux" in keys else []
    return f'{{ subnet = "10.77.0.0/24", {", ".join(words)} }}'.replace(",  }", " }")


def topology(
    name: str,
    subnets: str = '{ subnet = "10.77.0.0/24" }',
    address: str | None = None,
    parent: str = "eth0",
) -> vlanlink.Topology:
    """One endpoint, in a namespace of the topology's name."""
    listed = f'addresses = ["{address}"]' if address else ""
    text = f"""
[topology]
name = "{name}"
[networks.pub]
kind = "macvlan"
parent = "{parent}"
probe = false
subnets = [{subnets}]
[namespaces.{name}.interfaces.eth0]
network = "pub"
{listed}
"""
    return vlanlink.load(f"/run/{name}.toml", text=text)


def up(lan: Lan, *arguments: str, **keywords: str) -> list[str]:
    vlanlink.up(topology(*arguments, **keywords))
    return lan.world.addresses("eth0", arguments[0])


def refused(*arguments: str, **keywords: str) -> vlanlink.Diagnostic:
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(topology(*arguments, **keywords))
    (found,) = caught.value.diagnostics
    return found


# -- taken until released --------------------------------------------------------------------------


def test_the_lease_of_a_topology_that_is_down_is_taken(lan: Lan) -> None:
    assert up(lan, "a") == ["10.77.0.1/24"]
    vlanlink.down("a")
    assert up(lan, "b") == ["10.77.0.2/24"]
    assert up(lan, "a") == ["10.77.0.1/24"]
    assert vlanlink.status("b").state == "up"


def test_a_released_one_is_free(lan: Lan) -> None:
    up(lan, "a")
    vlanlink.down("a")
    vlanlink.leases("a", release=["10.77.0.1"])
    assert up(lan, "b") == ["10.77.0.1/24"]
    assert up(lan, "a") == ["10.77.0.2/24"]


def test_on_another_parent_it_is_another_address(lan: Lan) -> None:
    lan.trunk("eth1", mac="02:00:00:00:00:bb")
    up(lan, "a")
    vlanlink.down("a")
    other = topology("b")
    assert other.source is not None
    vlanlink.up(
        vlanlink.load("/run/b.toml", text=other.source.text.replace('eth0"\np', 'eth1"\np'))
    )
    assert lan.world.addresses("eth0", "b") == ["10.77.0.1/24"]


def test_what_an_endpoint_has_it_keeps(lan: Lan) -> None:
    """Its lease and another's are the same: the files came from elsewhere, say."""
    up(lan, "a")
    leases = Path("/var/lib/vlanlink/a.json")
    Path("/var/lib/vlanlink/b.json").write_text(leases.read_text().replace('"a"', '"b"'))
    Path("/var/lib/vlanlink/b.json").chmod(0o600)
    assert vlanlink.up(topology("a")).operations == ()


def test_a_fixed_address_that_another_topology_leases(lan: Lan) -> None:
    up(lan, "a")
    vlanlink.down("a")
    found = refused("b", address="10.77.0.1")
    assert found.message == "b/eth0 can't have 10.77.0.1: topology a leases it for a/eth0"
    assert found.hint == "vlanlink leases a --release 10.77.0.1 frees it; or use another address"
    assert (found.line, found.column) == (11, 14)
    vlanlink.leases("a", release=["10.77.0.1"])
    assert up(lan, "b", address="10.77.0.1") == ["10.77.0.1/24"]


def test_a_range_full_of_leases(lan: Lan) -> None:
    small = subnet(ip_range="10.77.0.8/32")
    up(lan, "a", small)
    vlanlink.down("a")
    found = refused("b", small)
    assert found.message == (
        "no address is left for b/eth0: 10.77.0.8/32 is exhausted: 1 by leases of topology a"
    )
    assert found.hint == (
        "widen ip_range, or add another subnet to the network; "
        "or release a lease: vlanlink leases a --release ADDRESS"
    )
    assert up(lan, "b", subnet(ip_range="10.77.0.8/31")) == ["10.77.0.9/24"]


# -- the file forbids it ---------------------------------------------------------------------------


@pytest.mark.parametrize("over_down", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "moves", "why"),
    [
        (
            subnet(ip_range="10.77.0.0/25"),
            subnet(ip_range="10.77.0.128/25"),
            ("10.77.0.1", "10.77.0.128"),
            "it is outside ip_range 10.77.0.128/25",
        ),
        (
            subnet(ip_range="10.77.0.4/30"),
            subnet(ip_range="10.77.0.4/30", gateway="10.77.0.4"),
            ("10.77.0.4", "10.77.0.5"),
            "it belongs to the gateway",
        ),
        (
            subnet(ip_range="10.77.0.4/30"),
            subnet(ip_range="10.77.0.4/30", aux="10.77.0.4"),
            ("10.77.0.4", "10.77.0.5"),
            "it belongs to aux_addresses",
        ),
        (
            subnet(ip_range="10.77.0.4/30"),
            '{ subnet = "10.78.0.0/24" }',
            ("10.77.0.4", "10.78.0.1"),
            "it is outside 10.78.0.0/24",
        ),
    ],
)
def test_a_lease_that_the_file_forbids_moves(
    lan: Lan, before: str, after: str, moves: tuple[str, str], why: str, *, over_down: bool
) -> None:
    old, new = moves
    assert up(lan, "a", before) == [f"{old}/24"]
    if over_down:
        vlanlink.down("a")
    notes = [note.message for note in vlanlink.plan(topology("a", after)).notes]
    assert notes == [f"a/eth0 moves from {old} to {new}: {why}"]
    assert up(lan, "a", after) == [f"{new}/24"]
    assert vlanlink.plan(topology("a", after)).notes == ()


def test_a_wider_range_moves_nothing(lan: Lan) -> None:
    assert up(lan, "a", subnet(ip_range="10.77.0.4/30")) == ["10.77.0.4/24"]
    assert vlanlink.up(topology("a", subnet(ip_range="10.77.0.0/25"))).operations == ()


# -- gateways and aux addresses of other networks --------------------------------------------------

TWO = """
[topology]
name = "two"
[networks.one]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [
    {{ subnet = "10.77.0.0/24", gateway = "10.77.0.1", aux_addresses = {{ p = "10.77.0.2" }} }},
]
[networks.other]
kind = "macvlan"
parent = "{parent}"
probe = false
subnets = [{{ subnet = "10.77.0.0/24" }}]
[namespaces.x.interfaces.eth0]
network = "other"
"""


def test_of_the_same_file(lan: Lan) -> None:
    vlanlink.up(vlanlink.load("/run/two.toml", text=TWO.format(parent="eth0")))
    assert lan.world.addresses("eth0", "x") == ["10.77.0.3/24"]


def test_of_the_same_file_on_another_parent(lan: Lan) -> None:
    lan.trunk("eth1", mac="02:00:00:00:00:bb")
    vlanlink.up(vlanlink.load("/run/two.toml", text=TWO.format(parent="eth1")))
    assert lan.world.addresses("eth0", "x") == ["10.77.0.1/24"]


def test_of_another_file(lan: Lan) -> None:
    up(lan, "a", subnet(gateway="10.77.0.1", aux="10.77.0.2"), address="10.77.0.99")
    assert up(lan, "b") == ["10.77.0.3/24"]
    assert up(lan, "c", address="10.77.0.1") == ["10.77.0.1/24"], "who writes it means it"
    vlanlink.down("a")
    vlanlink.down("b", forget=True)
    vlanlink.down("c")
    assert up(lan, "b") == ["10.77.0.1/24"], "a is down, and with it its networks"


# -- vlanlink leases -------------------------------------------------------------------------------


def test_they_are_listed(lan: Lan, cli: Cli) -> None:
    up(lan, "a")
    up(lan, "b")
    vlanlink.down("b")
    rows = [line.split() for line in cli.run("leases").splitlines()]
    assert rows == [
        ["TOPOLOGY", "NETWORK", "PARENT", "ENDPOINT", "ADDRESS", "STATE"],
        ["a", "pub", "eth0", "a/eth0", "10.77.0.1", "in", "use"],
        ["b", "pub", "eth0", "b/eth0", "10.77.0.2", "kept"],
    ]
    row = {
        "topology": "b",
        "network": "pub",
        "parent": "eth0",
        "namespace": "b",
        "interface": "eth0",
        "address": "10.77.0.2",
        "in_use": False,
        "attached": False,
        "server": None,
        "seconds": None,
    }
    assert cli.json("leases b") == {"leases": [row]}
    assert [one.to_dict() for one in vlanlink.leases("b")] == [row]
    assert len(cli.json("leases")["leases"]) == 2


def test_none_are_none(lan: Lan, cli: Cli) -> None:
    del lan
    assert cli.run("leases") == "No address is leased.\n"
    assert cli.json("leases") == {"leases": []}
    assert cli.errors("leases nosuch", code=2)[0]["message"] == "unknown topology: nosuch"


def test_one_is_released(lan: Lan, cli: Cli) -> None:
    up(lan, "a")
    up(lan, "b")
    vlanlink.down("b")
    assert cli.run("leases b --release 10.77.0.2") == "Released: 10.77.0.2.\n"
    assert cli.run("leases b") == "No address is leased.\n", "b is known by its name"
    assert cli.run("down b") == "b is not up: nothing to do.\n"
    (error,) = cli.errors("leases a --release 10.77.0.2", code=2)
    assert error["message"] == "topology a leases no 10.77.0.2"
    (error,) = cli.errors("leases --release 10.77.0.2", code=2)
    assert error["message"] == "no topology leases 10.77.0.2"
    (error,) = cli.errors("leases --release 10.77.0.1", code=1)
    assert error["message"] == "10.77.0.1 is in use by a/eth0"
    assert error["hint"] == "vlanlink down a first"
    vlanlink.down("a")
    assert cli.json("leases --release 10.77.0.1 --release 10.77.0.1") == {"leases": []}
    assert cli.errors("leases --release nonsense", code=2)
    assert vlanlink.leases() == ()


def test_of_two_topologies_one_is_named(lan: Lan, cli: Cli) -> None:
    up(lan, "a")
    vlanlink.down("a")
    text = Path("/var/lib/vlanlink/a.json").read_text()
    Path("/var/lib/vlanlink/b.json").write_text(text)
    Path("/var/lib/vlanlink/b.json").chmod(0o600)
    (error,) = cli.errors("leases --release 10.77.0.1", code=2)
    assert error["message"] == "topologies a and b lease 10.77.0.1"
    assert error["hint"] == "name one: vlanlink leases a --release 10.77.0.1"
    cli.run("leases b --release 10.77.0.1")
    assert [one.topology for one in vlanlink.leases()] == ["a"]


def test_the_shims_lease_is_the_hosts(lan: Lan, cli: Cli) -> None:
    text = topology("a").source
    assert text is not None
    shim = text.text.replace(
        'parent = "eth0"', 'parent = "eth0"\nshim = { name = "shim0", addresses = ["auto"] }'
    )
    vlanlink.up(vlanlink.load("/run/a.toml", text=shim))
    found = {(one.namespace, one.interface): one.address for one in vlanlink.leases("a")}
    assert found == {("a", "eth0"): "10.77.0.1", (None, "shim0"): "10.77.0.2"}
    assert " shim0 " in cli.run("leases")
    assert "10.77.0.2/32" in lan.world.addresses("shim0")
