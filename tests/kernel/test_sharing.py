"""Several topologies on one host: what they share goes with the last of them."""

import errno
import struct
from collections.abc import Sequence

import pytest

import vlanlink
from tests.kernel.faults import is_of_a_group
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from vlanlink.kernel.netlink.constants import DELLINK
from vlanlink.kernel.netlink.socket import Refusal, Socket

pytestmark = pytest.mark.needs("macvlan")

FORWARD = "net.ipv4.ip_forward"


def _load(name: str, text: str) -> vlanlink.Topology:
    heading = f'[topology]\nname = "{name}"\n'
    return vlanlink.load(f"/run/{name}.toml", text=heading + text)


def _member(name: str, number: int, parent: str = "eth0") -> vlanlink.Topology:
    """A topology with a link in the shared namespace, on the shared parent, and a sysctl."""
    return _load(
        name,
        f"""
        [host]
        sysctls = {{ "{FORWARD}" = 1 }}
        [namespaces.shared]
        sysctls = {{ "net.ipv4.conf.all.rp_filter" = 2, "{FORWARD}" = 1 }}
        [namespaces.shared.interfaces.m{number}]
        kind = "macvlan"
        parent = "{parent}"
        addresses = ["10.1.0.{number}/24"]
        """,
    )


def _sysctl(lan: Lan, key: str, namespace: str = "") -> str:
    return lan.world.run(["sysctl", "-n", key], namespace).stdout.strip()


ORDERS = [
    pytest.param("first", "second", id="first-made-goes-first"),
    pytest.param("second", "first", id="last-made-goes-first"),
]


@pytest.mark.parametrize(("leaves", "stays"), ORDERS)
def test_a_shared_namespace_and_sysctl_go_with_the_last(lan: Lan, leaves: str, stays: str) -> None:
    world = lan.world
    before = dump(world)
    members = {"first": _member("first", 1), "second": _member("second", 2)}
    for member in members.values():
        vlanlink.up(member)
    assert world.names("shared") == {"lo", "m1", "m2"}
    assert vlanlink.up(members["first"]).operations == ()
    assert vlanlink.up(members["second"]).operations == ()
    both = dump(world, "shared")

    vlanlink.down(leaves)
    kept = "m1" if stays == "first" else "m2"
    assert world.namespaces() == {"shared"}
    assert world.names("shared") == {"lo", kept}
    now = dump(world, "shared")
    assert now["shared"]["addr"][kept]["addr_info"] == both["shared"]["addr"][kept]["addr_info"]
    assert _sysctl(lan, FORWARD) == _sysctl(lan, FORWARD, "shared") == "1"
    assert _sysctl(lan, "net.ipv4.conf.all.rp_filter", "shared") == "2"
    assert vlanlink.up(members[stays]).operations == ()
    assert [s.topology for s in vlanlink.status()] == [stays]

    vlanlink.down(stays)
    same(world, before)


@pytest.mark.needs("vlan")
@pytest.mark.parametrize(("leaves", "stays"), ORDERS)
def test_a_vlan_parent_that_was_made_goes_with_the_last(lan: Lan, leaves: str, stays: str) -> None:
    world = lan.world
    before = dump(world)
    members = {"first": _member("first", 1, "eth0.50"), "second": _member("second", 2, "eth0.50")}
    made = vlanlink.up(members["first"]).changes
    assert "eth0.50" in {c.name for c in made}
    made = vlanlink.up(members["second"]).changes
    assert "eth0.50" not in {c.name for c in made}
    index = world.link("eth0.50")["ifindex"]

    vlanlink.down(leaves)
    link = world.link("eth0.50")
    assert (link["ifindex"], link["ifalias"]) == (index, f"vlanlink:{stays}")
    assert world.names("shared") == {"lo", "m1" if stays == "first" else "m2"}
    assert vlanlink.up(members[stays]).operations == ()

    vlanlink.down(stays)
    same(world, before)


def test_two_wishes_for_one_sysctl_are_refused(lan: Lan) -> None:
    world = lan.world
    vlanlink.up(_load("first", f'[host]\nsysctls = {{ "{FORWARD}" = 1 }}\n'))
    before = dump(world)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(_load("second", f'[host]\nsysctls = {{ "{FORWARD}" = 0 }}\n'))
    assert f"topology first has {FORWARD} = 1 here, not 0" in str(caught.value)
    assert "/run/second.toml:4:" in str(caught.value)
    same(world, before)
    # Nor may a write change along what the other asked for.
    with pytest.raises(vlanlink.ConflictError, match="topology first"):
        vlanlink.up(_load("third", '[host]\nsysctls = { "net.ipv4.conf.all.forwarding" = 0 }\n'))
    same(world, before)


def test_two_wishes_for_one_address_or_link_are_refused(lan: Lan) -> None:
    """The other's link is named, whether by its name or because it is on the way."""
    world = lan.world
    vlanlink.up(_member("first", 1))
    before = dump(world, "shared")
    with pytest.raises(vlanlink.ConflictError, match="belongs to topology first"):
        vlanlink.up(_member("second", 1))
    same(world, before, "shared")


def test_a_parent_of_another_topology_does_not_go_under_it(lan: Lan) -> None:
    """A link of one topology that carries another's: neither deletes the other's."""
    world = lan.world
    before = dump(world)
    pair = '[links.v0]\nkind = "veth"\npeer = { name = "v1" }\n'
    below = _load("below", pair)
    above = _load(
        "above",
        """
        [namespaces.up.interfaces.m0]
        kind = "macvlan"
        parent = "v0"
        addresses = ["10.3.0.1/24"]
        """,
    )
    vlanlink.up(below)
    vlanlink.up(above)
    held = dump(world, "up")
    vlanlink.down("below")
    same_links = {n: link["ifindex"] for n, link in held["up"]["link"].items()}
    assert {n: link["ifindex"] for n, link in dump(world, "up")["up"]["link"].items()} == same_links
    assert world.names() >= {"v0", "v1"}
    vlanlink.down("above")
    same(world, before)


@pytest.mark.sensitive
def test_links_of_the_host_go_at_once_and_no_others(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lan.world
    lines = [f'[links.m{n}]\nkind = "macvlan"\nparent = "eth0"\n' for n in range(6)]
    pair = '[links.a]\nkind = "veth"\npeer = { name = "b" }\n'
    first = _load("first", "".join(lines) + pair)
    second = _load("second", '[links.n0]\nkind = "macvlan"\nparent = "eth0"\n')
    world.ip("link add by_hand link eth0 type macvlan mode bridge")
    vlanlink.up(second)
    before = dump(world)
    real, deleting, refused = Socket.request, 0, 0

    def request(socket: Socket, messages: Sequence[bytearray]) -> list[Refusal | None]:
        nonlocal deleting, refused
        if refused and is_of_a_group(messages[0]):
            refused -= 1
            return [Refusal(errno.EOPNOTSUPP)]
        deleting += sum(struct.unpack_from("=H", each, 4)[0] == DELLINK for each in messages)
        return real(socket, messages)

    monkeypatch.setattr(Socket, "request", request)
    vlanlink.up(first)
    vlanlink.down("first")
    assert deleting == 1
    same(world, before)

    vlanlink.up(first)
    vlanlink.up(_load("first", lines[2]))  # one stays: each of the others by itself
    assert deleting == 1 + 5 + 1
    assert {"m0", "m1", "m2", "m3", "m4", "m5", "a", "b"} & world.names() == {"m2"}
    assert {"n0", "by_hand"} <= world.names()
    vlanlink.down("first")
    same(world, before)

    vlanlink.up(first)
    deleting, refused = 0, 1
    vlanlink.down("first")
    assert (deleting, refused) == (7, 0)
    same(world, before)


@pytest.mark.sensitive
def test_a_parent_that_goes_down_is_promiscuous_no_longer(lan: Lan) -> None:
    """The links in namespaces are deleted in the background, after the names are gone."""
    world = lan.world
    world.ip("link set eth0 down")
    text = '[networks.pub]\nkind = "macvlan"\nparent = "eth0"\nprobe = false\n'
    for n in range(20):
        text += f'[namespaces.n{n}.interfaces.eth0]\nnetwork = "pub"\n'
    vlanlink.up(_load("many", text))
    assert world.link("eth0")["promiscuity"] == 1
    vlanlink.down("many")
    eth0 = world.link("eth0")
    assert (eth0["promiscuity"], "UP" in eth0["flags"]) == (0, False)


def test_a_route_on_the_link_of_another_topology_is_of_who_asked_for_it(lan: Lan) -> None:
    world = lan.world
    link = """
        [links.mv0]
        kind = "macvlan"
        parent = "%s"
        mac = "02:00:00:00:00:0a"
        probe = false
        addresses = ["10.77.0.1/24"]
        """
    route = """
        [[host.routes]]
        to = "10.99.0.0/24"
        via = "10.77.0.9"
        dev = "mv0"
        """
    lan.trunk("eth1", mac="02:00:00:00:00:ab")
    below, above = _load("below", link % "eth0"), _load("above", route)
    before = dump(world)
    vlanlink.up(below)
    alone = dump(world)
    vlanlink.up(above)
    both = dump(world)
    assert "10.99.0.0/24 via 10.77.0.9 dev mv0" in world.run("ip route").stdout
    assert vlanlink.up(below).operations == ()
    assert vlanlink.up(above).operations == ()
    vlanlink.up(_load("below", link % "eth1"))  # made anew, and the route with it
    assert vlanlink.up(above).operations == ()
    vlanlink.up(below)
    same(world, both)
    vlanlink.down("above")
    same(world, alone)

    own = link % "eth0" + 'routes = [{ to = "10.99.0.0/24", via = "10.77.0.9" }]\n'
    vlanlink.up(_load("below", own))
    assert vlanlink.up(above).operations == ()
    vlanlink.down("above")
    same(world, both)

    vlanlink.up(below)
    vlanlink.up(above)
    vlanlink.down("below")
    assert vlanlink.status("above").state == "drifted"
    vlanlink.down("above")
    same(world, before)


STACKED = '[links.m0]\nkind = "macvlan"\nparent = "eth0"\n'


@pytest.mark.parametrize("last", ["base", "app", "more"])
@pytest.mark.parametrize(
    "parent",
    [
        pytest.param("m0", id="macvlan"),
        pytest.param("eth0.50", id="vlan", marks=pytest.mark.needs("vlan")),
    ],
)
def test_a_nic_goes_down_with_the_last_above_it(lan: Lan, parent: str, last: str) -> None:
    """Also with one that only uses a link that another topology made on that NIC."""
    world = lan.world
    world.ip("link set eth0 down")
    before = dump(world)
    members = {
        "base": _load("base", STACKED) if parent == "m0" else _on("base", parent, 1),
        "app": _on("app", parent, 2),
        "more": _on("more", parent, 3),
    }
    for member in members.values():
        vlanlink.up(member)
    for name in sorted(members, key=last.__eq__):
        assert "UP" in world.link("eth0")["flags"], name
        vlanlink.down(name)
    same(world, before)


# -- handed over, and taken back -------------------------------------------------------------------

BASE = """
[links.v0]
kind = "veth"
addresses = ["10.9.0.1/24"]
peer = { name = "v1" }
"""
VLAN = """
[links."eth0.50"]
kind = "vlan"
parent = "eth0"
id = 50
addresses = ["10.9.0.1/24", "2001:db8:9::1/64"]
routes = [{ to = "10.99.0.0/24", via = "10.9.0.9" }]
mac = "02:00:00:00:00:50"
altnames = ["wan"]
reorder_hdr = false
"""


def _on(name: str, parent: str, number: int) -> vlanlink.Topology:
    return _load(
        name,
        f"""
        [networks.n]
        kind = "macvlan"
        parent = "{parent}"
        probe = false
        subnets = [{{ subnet = "10.9.0.0/24" }}]
        [namespaces.{name}.interfaces.eth0]
        network = "n"
        addresses = ["10.9.0.{number}"]
        """,
    )


def _inside(lan: Lan, name: str) -> object:
    """What an endpoint has, once the kernel has added the routes of its link-local address."""
    found = dump(lan.world, name, sysctls=False)[name]
    link = found["link"]["eth0"]
    return link["ifindex"], link["address"], lan.world.addresses("eth0", name), found["route"]


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        pytest.param(BASE, "v0", id="veth"),
        pytest.param(
            VLAN,
            "eth0.50",
            id="vlan",
            marks=pytest.mark.needs("vlan"),
        ),
    ],
)
def test_a_link_that_was_handed_over_is_taken_back(lan: Lan, text: str, parent: str) -> None:
    world = lan.world
    before = dump(world)
    base, app = _load("base", text), _on("app", parent, 2)
    vlanlink.up(base)
    vlanlink.up(app)
    index = world.link(parent)["ifindex"]
    inside = _inside(lan, "app")
    vlanlink.down("base")
    assert world.link(parent)["ifindex"] == index
    assert world.addresses(parent) == [], "the former owner alone asked for it"
    for _ in range(2):
        assert vlanlink.status("app").state == "up"
        assert vlanlink.up(app).operations == (), "what it was handed is no drift"

    edited = _load("base", text.replace("10.9.0.1/24", "10.9.0.8/24"))
    planned = vlanlink.plan(edited)
    assert vlanlink.up(edited).changes == planned.changes
    assert world.link(parent)["ifindex"] == index
    assert "10.9.0.8/24" in world.addresses(parent)
    assert vlanlink.status("base").state == vlanlink.status("app").state == "up"
    assert _inside(lan, "app") == inside
    assert vlanlink.up(app).operations == ()
    vlanlink.down("app")
    assert world.link(parent)["ifindex"] == index
    vlanlink.down("base")
    same(world, before)


def test_what_was_handed_over_goes_with_its_last_user(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    vlanlink.up(_load("base", BASE))
    for name, number in (("one", 2), ("two", 3)):
        vlanlink.up(_on(name, "v0", number))
    vlanlink.down("base")
    for leaving, staying in (("one", "two"), ("two", "one")):
        if leaving == "one":
            vlanlink.down(leaving)
            assert vlanlink.status(staying).state == "up"
            assert "v0" in world.names()
        else:
            vlanlink.up(_load("two", '[links.x0]\nkind = "macvlan"\nparent = "eth0"\n'))
            assert not {"v0", "v1"} & world.names()
    vlanlink.down("two")
    same(world, before)


def test_a_link_that_another_file_defines_is_not_taken(lan: Lan) -> None:
    vlanlink.up(_load("app", BASE))
    with pytest.raises(vlanlink.ConflictError, match="already exists; it belongs to topology app"):
        vlanlink.up(_load("base", BASE))
    with pytest.raises(vlanlink.ConflictError, match="the file no longer defines it"):
        vlanlink.up(_on("app", "v0", 2))
    del lan
