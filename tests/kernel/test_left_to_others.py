"""Several topologies on one host: what one leaves is there for the others, and goes with the last.

Each test is the smallest of what tests/kernel/test_several.py has found.
"""

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan

pytestmark = pytest.mark.needs("macvlan")


def load(name: str, text: str) -> vlanlink.Topology:
    return vlanlink.load(f"/run/{name}.toml", text=f'[topology]\nname = "{name}"\n{text}')


def on(parent: str, space: str = "own", number: int = 1) -> str:
    """An interface on a parent."""
    return f"""
        [namespaces.{space}.interfaces.m{number}]
        kind = "macvlan"
        parent = "{parent}"
        probe = false
        addresses = ["10.1.0.{number}/24"]
        """


@pytest.mark.parametrize(
    "named",
    [
        '[namespaces.shared]\nsysctls = { "net.ipv4.ip_forward" = 1 }\n',
        "[namespaces.shared]\n",
    ],
)
@pytest.mark.parametrize("last", ["maker", "user"])
def test_a_namespace_that_a_file_names_stays_without_links(lan: Lan, named: str, last: str) -> None:
    world = lan.world
    before = dump(world)
    files = {"maker": load("maker", on("eth0", "shared")), "user": load("user", named)}
    for name in ("maker", "user"):
        vlanlink.up(files[name])
    for name in sorted(files, key=last.__eq__):
        vlanlink.down(name)
        if name != last:
            assert world.namespaces() == {"shared"}
            assert vlanlink.status(last).state == "up"
    same(world, before)


def test_a_route_on_a_nic_that_others_stand_on_goes(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    routed = load("routed", '[[host.routes]]\nto = "10.99.0.0/24"\ndev = "eth0"\n')
    vlanlink.up(routed)
    vlanlink.up(load("other", on("eth0")))
    assert vlanlink.up(routed).operations == ()
    vlanlink.down("routed")
    assert "10.99.0.0/24" not in world.ip("route")
    assert vlanlink.status("other").state == "up"
    vlanlink.down("other")
    same(world, before)


PAIR = """
    [links.v0]
    kind = "veth"
    peer = { name = "v1", namespace = "inside" }
    [namespaces.inside]
    """
ROUTE = '[[host.routes]]\nto = "10.99.0.0/24"\ndev = "eth0"\n'


@pytest.mark.parametrize("last", ["routed", "other"])
def test_a_nic_that_carries_a_route_goes_down_with_the_last(lan: Lan, last: str) -> None:
    world = lan.world
    world.ip("link set eth0 down")
    before = dump(world)
    files = {"other": load("other", on("eth0")), "routed": load("routed", ROUTE)}
    for name, file in files.items():
        vlanlink.up(file)
        assert vlanlink.status(name).state == "up"
    for name in sorted(files, key=last.__eq__):
        assert "UP" in world.link("eth0")["flags"], name
        vlanlink.down(name)
        if name != last:
            assert vlanlink.status(last).state == "up"
            assert vlanlink.up(files[last]).operations == ()
    same(world, before)


def test_the_namespace_of_a_pair_that_was_handed_over_goes_with_it(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    below = load("below", PAIR)
    above = load("above", '[links.m0]\nkind = "macvlan"\nparent = "v0"\nprobe = false\n')
    vlanlink.up(below)
    vlanlink.up(above)
    for _ in range(2):
        vlanlink.down("below")
        assert world.names("inside") == {"lo", "v1"}
        assert vlanlink.status("above").state == "up"
        assert vlanlink.up(above).operations == ()
        vlanlink.up(below)
        assert [one.state for one in vlanlink.status()] == ["up", "up"]
    vlanlink.down("below")
    vlanlink.down("above")
    same(world, before)


def test_the_namespace_of_a_pair_that_stays_under_strangers_stays(lan: Lan) -> None:
    world = lan.world
    before = dump(world)
    vlanlink.up(load("below", PAIR))
    world.ip("link add theirs link v0 type macvlan mode bridge")
    done = vlanlink.down("below")
    assert any("v0 stays" in note.message for note in done.notes)
    assert world.names("inside") == {"lo", "v1"}
    world.ip("link del theirs")
    vlanlink.down("below")
    same(world, before)


def test_a_shim_learns_ipv6_with_an_attachment(lan: Lan) -> None:
    world = lan.world
    world.make_place("box")
    text = """
        [networks.n]
        kind = "macvlan"
        parent = "eth0"
        probe = false
        shim = true
        subnets = [{ subnet = "10.7.0.0/24" }, { subnet = "2001:db8:7::/64" }]
        [namespaces.four.interfaces.eth0]
        network = "n"
        addresses = ["10.7.0.11"]
        """
    vlanlink.up(load("shimmed", text))
    vlanlink.attach("shimmed/n", path=world.path("box"), id="box")
    assert vlanlink.status("shimmed").state == "up"


@pytest.mark.parametrize("again", [False, True])
def test_a_link_below_an_attachment_stays(lan: Lan, again: bool) -> None:
    """Its namespace has no name, and no process that shows it."""
    world = lan.world
    world.make_place("box")
    before = dump(world)
    below = load("below", '[links.v0]\nkind = "veth"\npeer = { name = "v1" }\n')
    network = '[networks.n]\nkind = "macvlan"\nparent = "v0"\nprobe = false\n'
    above = load("above", network + 'subnets = [{ subnet = "10.7.0.0/24" }]\n')
    vlanlink.up(below)
    vlanlink.up(above)
    vlanlink.attach("above/n", path=world.path("box"), id="box")
    index = world.link("eth0", "box")["ifindex"]
    for _ in range(2 if again else 1):
        vlanlink.down("below")
        assert world.link("eth0", "box")["ifindex"] == index
        assert vlanlink.status("above").state == "up"
        assert vlanlink.up(above).operations == ()
        vlanlink.up(below)
    vlanlink.down("above")
    assert vlanlink.status("below").state == "up"
    vlanlink.down("below")
    same(world, before)


def test_a_restart_that_would_lose_what_was_left_is_refused(lan: Lan) -> None:
    """It ended with the topology down: its parent went with the first half."""
    world = lan.world
    pair = load("below", '[links.v0]\nkind = "veth"\npeer = { name = "v1" }\n')
    vlanlink.up(pair)
    vlanlink.up(load("above", on("v0")))
    vlanlink.down("below")
    before = dump(world, "own")
    with pytest.raises(vlanlink.ConflictError, match="v0, v1 would be gone") as caught:
        vlanlink.restart("above")
    assert "define" in str(caught.value.diagnostics[0].hint)
    same(world, before, "own")
    vlanlink.up(pair)
    vlanlink.restart("above")
    assert [one.state for one in vlanlink.status()] == ["up", "up"]
