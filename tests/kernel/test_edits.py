"""An edited file on a living machine: changed in place where the kernel can, else made anew."""

from collections.abc import Callable
from typing import Any

import pytest

import vlanlink
from tests.kernel.judge import differences, dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World
from vlanlink.kernel.features import release

A, B = "02:00:5e:00:53:01", "02:00:5e:00:53:02"
MAC = "02:00:5e:00:53:0a"

Entry = dict[str, Any]
Check = Callable[[dict[str, Any]], Any]


def _topology(entry: Entry, **tables: Any) -> vlanlink.Topology:
    """One interface in a namespace of its own."""
    space = {"interfaces": {"eth0": entry}}
    return vlanlink.load({"topology": {"name": "edits"}, "namespaces": {"one": space}, **tables})


def _row(world: World, name: str = "eth0", namespace: str = "one") -> dict[str, Any]:
    """A link with its addresses."""
    row: dict[str, Any] = world.json(f"addr show dev {name}", namespace)[0]
    return row


def _data(row: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = row["linkinfo"]["info_data"]
    return data


def _addresses(row: dict[str, Any]) -> list[str]:
    return [a["local"] for a in row["addr_info"] if a["scope"] != "link"]


BASE: Entry = {
    "kind": "macvlan",
    "parent": "eth0",
    "probe": False,
    "mac": MAC,
    "addresses": ["10.1.0.2/24"],
}
TWO = ["10.1.0.3/24", "2001:db8::3/64"]

ROUTE = {"to": "10.7.0.0/16", "via": "10.1.0.1", "metric": 50}

LIVE: list[tuple[Entry, str, Check, Any]] = [
    ({"mtu": 1400}, "mtu 1500 → 1400", lambda row: row["mtu"], 1400),
    ({"mac": A}, f"mac {MAC} → {A}", lambda row: row["address"], A),
    ({"altnames": ["uplink-a", "x"]}, "altnames", lambda row: row["altnames"], ["uplink-a", "x"]),
    ({"altnames": ["x", "y"]}, "altnames", lambda row: sorted(row["altnames"]), ["x", "y"]),
    ({"bc_queue_len": 77}, "bc_queue_len", lambda row: _data(row)["bcqueuelen"], 77),
    ({"addresses": TWO}, "+ address 10.1.0.3/24", _addresses, ["10.1.0.3", "2001:db8::3"]),
    ({"up": False}, "up on → off", lambda row: "UP" in row["flags"], False),
    ({"mode": "private"}, "mode bridge → private", lambda row: _data(row)["mode"], "private"),
    ({"mode": "vepa"}, "mode private → vepa", lambda row: _data(row)["mode"], "vepa"),
]
SOURCES: list[tuple[list[str], str]] = [
    ([A], f"source_macs none → {A}"),
    ([A, B], f"source_macs {A} → {A},{B}"),
    ([B], f"source_macs {A},{B} → {B}"),
]


@pytest.mark.sensitive
@pytest.mark.needs("macvlan")
def test_a_living_macvlan_is_changed_in_place(lan: Lan) -> None:
    """Each edit against the one before: what that one said goes back to its default."""
    world = lan.world
    vlanlink.up(_topology(BASE))
    fresh = dump(world, "one")
    index = _row(world)["ifindex"]
    for edit, told, shown, wanted in LIVE:
        if "bc_queue_len" in edit and release() < (5, 11):
            with pytest.raises(vlanlink.PrivilegeError, match="bc_queue_len"):
                vlanlink.up(_topology(BASE | edit))
            continue
        plan = vlanlink.up(_topology(BASE | edit))
        assert told in str(plan), (edit, str(plan))
        assert _made_or_gone(plan) == [], (edit, str(plan))
        row = _row(world)
        assert row["ifindex"] == index
        assert shown(row) == wanted, edit
    vlanlink.up(_topology(BASE))
    same(world, fresh, "one")


@pytest.mark.needs("macvlan")
def test_routes_change_without_the_link(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(_topology(BASE))
    fresh = dump(world, "one")
    for edit, seen in (
        ({}, (50, "10.1.0.1")),
        ({"metric": 60}, (60, "10.1.0.1")),
        ({"via": "10.1.0.9"}, (50, "10.1.0.9")),
    ):
        plan = vlanlink.up(_topology(BASE | {"routes": [ROUTE | edit]}))
        assert {c.object for c in plan.changes} == {"route"}
        rows = world.json("route show 10.7.0.0/16", "one")
        assert [(r["metric"], r["gateway"]) for r in rows] == [seen]
    vlanlink.up(_topology(BASE))
    same(world, fresh, "one")


@pytest.mark.needs("macvlan")
def test_source_macs_change_in_place(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(_topology(BASE))
    index = _row(world)["ifindex"]
    for macs, told in SOURCES:
        plan = vlanlink.up(_topology(BASE | {"mode": "source", "source_macs": macs}))
        assert told in str(plan)
        row = _row(world)
        assert sorted(_data(row)["macaddr_data"]) == macs
        assert row["ifindex"] == index
    plan = vlanlink.up(_topology(BASE))
    assert "the kernel keeps the source MACs" in str(plan)
    row = _row(world)
    assert (_data(row)["mode"], _data(row).get("macaddr_data", [])) == ("bridge", [])
    assert row["ifindex"] != index


def _made_or_gone(plan: vlanlink.Plan) -> list[str]:
    """The links and namespaces that a plan makes or deletes."""
    return [
        f"{c.action} {c.name}"
        for c in plan.changes
        if c.object in ("link", "namespace") and c.action != "change"
    ]


@pytest.mark.needs("macvlan")
def test_what_needs_a_new_link_says_so(lan: Lan) -> None:
    world = lan.world
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    before = dump(world)
    steps: list[tuple[Entry, str, Check, Any]] = [
        (BASE, "+ link eth0", lambda row: _data(row)["mode"], "bridge"),
        (BASE | {"parent": "eth1"}, "parent eth0 → eth1", lambda row: row["link_index"], "eth1"),
        (
            {"kind": "macvlan", "mode": "passthru", "parent": "eth1"},
            "to or from passthru",
            lambda row: _data(row)["mode"],
            "passthru",
        ),
        (BASE | {"parent": "eth1"}, "to or from passthru", lambda row: row["address"], MAC),
    ]
    index = 0
    for entry, told, shown, wanted in steps:
        plan = vlanlink.up(_topology(entry))
        assert told in str(plan)
        if index:
            assert sorted(_made_or_gone(plan)) == ["create eth0", "delete eth0"]
        row = _row(world)
        row["link_index"] = {world.link(n)["ifindex"]: n for n in ("eth0", "eth1")}[
            row["link_index"]
        ]
        assert shown(row) == wanted
        assert row["ifindex"] != index
        index = row["ifindex"]
    vlanlink.down("edits")
    same(world, before)


@pytest.mark.needs("macvlan")
def test_a_kind_becomes_another(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    vlanlink.up(_topology(BASE))
    pair = {"kind": "veth", "peer": {"name": "v0", "namespace": "one"}}
    plan = vlanlink.up(
        vlanlink.load(
            {"topology": {"name": "edits"}, "links": {"eth9": pair}, "namespaces": {"one": {}}}
        )
    )
    assert sorted(_made_or_gone(plan)) == ["create eth9", "create v0", "delete eth0"]
    plan = vlanlink.up(_topology(BASE | {"mode": "private"}))
    assert {"create eth0", "delete eth9"} <= set(_made_or_gone(plan))
    assert world.names("one") == {"lo", "eth0"}
    vlanlink.down("edits")
    same(world, before)


THREE = """
[topology]
name = "three"
[networks.front]
kind = "macvlan"
probe = false
parent = "eth0"
subnets = [{ subnet = "10.1.0.0/24", gateway = "10.1.0.1" }]
[networks.back]
kind = "macvlan"
probe = false
parent = "eth0"
subnets = [{ subnet = "10.2.0.0/24" }]
[namespaces.a.interfaces.eth0]
network = "front"
addresses = ["10.1.0.2"]
[namespaces.a.interfaces.eth1]
network = "back"
addresses = ["10.2.0.2"]
[namespaces.b.interfaces.eth0]
network = "front"
addresses = ["10.1.0.3"]
"""


def _three(*, without: str = "") -> vlanlink.Topology:
    assert without in THREE
    return vlanlink.load("/run/three.toml", text=THREE.replace(without, ""))


@pytest.mark.needs("macvlan")
def test_what_is_removed_from_the_file_goes_and_nothing_else(lan: Lan) -> None:
    world = lan.world
    whole = _three()
    vlanlink.up(whole)
    fresh = dump(world, "a", "b", sysctls=False)
    back = THREE[THREE.index("[networks.back]") : THREE.index("[namespaces.a.interfaces.eth0]")]
    interface = THREE[THREE.index("[namespaces.a.interfaces.eth1]") : THREE.index("[namespaces.b")]
    other = THREE[THREE.index("[namespaces.b") :]

    plan = vlanlink.up(_three(without=interface))
    assert _made_or_gone(plan) == ["delete eth1"]
    assert world.names("a") == {"lo", "eth0"}
    without_network = THREE.replace(back, "").replace(interface, "")
    assert vlanlink.up(vlanlink.load("/run/three.toml", text=without_network)).changes == ()

    plan = vlanlink.up(_three(without=other))
    assert sorted(_made_or_gone(plan)) == ["create eth1", "delete b"]
    assert world.namespaces() == {"a"}
    assert _row(world, "eth0", "a")["ifindex"] == fresh["a"]["link"]["eth0"]["ifindex"]

    vlanlink.up(whole)
    now = dump(world, "a", "b", sysctls=False)
    assert set(now["a"]["link"]) == set(fresh["a"]["link"])
    assert differences(fresh["a"]["link"]["eth0"], now["a"]["link"]["eth0"]) == []


VLAN: Entry = {"kind": "vlan", "id": 50, "parent": "eth0", "addresses": ["10.50.0.2/24"]}
VLAN_LIVE: list[tuple[Entry, str, Check, Any]] = [
    ({"gvrp": True}, "gvrp off → on", lambda row: "GVRP" in _data(row)["flags"], True),
    (
        {"loose_binding": True, "mvrp": True},
        "mvrp off → on",
        lambda row: sorted(_data(row)["flags"]),
        ["LOOSE_BINDING", "MVRP", "REORDER_HDR"],
    ),
    ({"reorder_hdr": False}, "reorder_hdr on → off", lambda row: _data(row).get("flags"), None),
    (
        {"egress_qos": {"0": 1, "3": 5}, "ingress_qos": {"2": 4}},
        "egress_qos none → 0:1,3:5",
        lambda row: (_data(row)["egress_qos"], _data(row)["ingress_qos"]),
        ([{"from": 0, "to": 1}, {"from": 3, "to": 5}], [{"from": 2, "to": 4}]),
    ),
    (
        {"egress_qos": {"3": 6}},
        "egress_qos 0:1,3:5 → 3:6",
        lambda row: (_data(row)["egress_qos"], _data(row).get("ingress_qos")),
        ([{"from": 3, "to": 6}], None),
    ),
    ({"mtu": 1400}, "mtu 1500 → 1400", lambda row: row["mtu"], 1400),
    ({"mac": A}, f"→ {A}", lambda row: row["address"], A),
]


def _on_host(vlan: Entry) -> vlanlink.Topology:
    """A VLAN link on the host, and a macvlan link on it."""
    child = {"kind": "macvlan", "parent": "v50", "mac": MAC, "addresses": ["10.50.0.3/24"]}
    return _topology(child, links={"v50": vlan})


@pytest.mark.sensitive
@pytest.mark.needs("vlan", "macvlan")
def test_a_living_vlan_is_changed_in_place(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(_on_host(VLAN))
    fresh = dump(world, "one")
    index = _row(world, "v50", "")["ifindex"]
    for edit, told, shown, wanted in VLAN_LIVE:
        plan = vlanlink.up(_on_host(VLAN | edit))
        assert told in str(plan), (edit, str(plan))
        assert _made_or_gone(plan) == [], (edit, str(plan))
        row = _row(world, "v50", "")
        assert row["ifindex"] == index
        assert shown(row) == wanted, edit
    vlanlink.up(_on_host(VLAN))
    same(world, fresh, "one")


@pytest.mark.needs("vlan", "macvlan")
def test_a_vlan_of_another_id_is_made_anew_with_what_is_on_it(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    for edit, told, shown in (
        ({"id": 51}, "id 50 → 51 needs a new link", {"id": 51, "protocol": "802.1Q"}),
        ({"protocol": "802.1ad"}, "protocol 802.1q → 802.1ad", {"id": 50, "protocol": "802.1ad"}),
    ):
        vlanlink.up(_on_host(VLAN))
        plan = vlanlink.up(_on_host(VLAN | edit))
        assert told in str(plan)
        assert "recreated with v50" in str(plan)
        both = ["create eth0", "create v50", "delete eth0", "delete v50"]
        assert sorted(_made_or_gone(plan)) == both
        assert _data(_row(world, "v50", "")) | shown == _data(_row(world, "v50", ""))
        assert _addresses(_row(world)) == ["10.50.0.3"]
    vlanlink.down("edits")
    same(world, before)


@pytest.mark.sensitive
@pytest.mark.needs("ipvlan")
def test_an_ipvlan_endpoint_moves_with_its_address(lan: Lan) -> None:
    """The address is in use on the parent until the namespace that had it is deleted."""
    text = """
    [topology]
    name = "move"
    [networks.n]
    kind = "ipvlan"
    parent = "eth0"
    probe = false
    subnets = [{ subnet = "10.3.0.0/24" }, { subnet = "2001:db8:3::/64" }]
    [namespaces.%s.interfaces.eth0]
    network = "n"
    addresses = ["10.3.0.2", "2001:db8:3::2"]
    """
    for space in ("one", "two", "one"):
        vlanlink.up(vlanlink.load("/run/move.toml", text=text % space))
        assert lan.world.namespaces() == {space}
        assert _addresses(_row(lan.world, namespace=space)) == ["10.3.0.2", "2001:db8:3::2"]


@pytest.mark.sensitive
@pytest.mark.needs("ipvlan")
def test_an_ipvlan_mode_is_changed_for_all_of_the_parent(lan: Lan) -> None:
    world = lan.world
    text = """
    [topology]
    name = "modes"
    [networks.n]
    kind = "ipvlan"
    mode = "l2"
    flag = "bridge"
    parent = "eth0"
    subnets = [{ subnet = "10.3.0.0/24", gateway = "10.3.0.1" }]
    [namespaces.one.interfaces.eth0]
    network = "n"
    addresses = ["10.3.0.2"]
    [namespaces.two.interfaces.eth0]
    network = "n"
    addresses = ["10.3.0.3"]
    """

    def modes() -> list[tuple[int, str, str | None]]:
        rows = [(_row(world, "eth0", n), world.json("route", n)) for n in ("one", "two")]
        return [
            (row["ifindex"], _data(row)["mode"], routes[0].get("gateway")) for row, routes in rows
        ]

    vlanlink.up(vlanlink.load("/run/modes.toml", text=text))
    fresh = dump(world, "one", "two")
    numbers = [index for index, _, _ in modes()]
    assert [seen[1:] for seen in modes()] == [("l2", "10.3.0.1")] * 2
    for mode, flag in (("l3", "private"), ("l3s", "vepa")):
        edited = text.replace('"l2"', f'"{mode}"').replace('"bridge"', f'"{flag}"')
        plan = vlanlink.up(vlanlink.load("/run/modes.toml", text=edited))
        assert _made_or_gone(plan) == []
        assert modes() == [(number, mode, None) for number in numbers]
        assert _data(_row(world))[flag] is True
    vlanlink.up(vlanlink.load("/run/modes.toml", text=text))
    same(world, fresh, "one", "two")
