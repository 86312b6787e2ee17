"""Who is told of new addresses, and from where: one socket where nobody on the host can be wrong.

Closing a packet socket waits for a grace period of the kernel, so one for each endpoint is dear.
"""

from pathlib import Path

import pytest

import vlanlink
from tests.kernel.lan import Lan
from tests.kernel.wire import HELD, MAC, capture, endpoint, ready
from tests.kernel.world import until
from vlanlink.kernel.packet import announce

HEAD = """
[topology]
name = "mine"
[networks.pub]
kind = "{}"
probe = false
parent = "eth0"
subnets = [{{ subnet = "172.16.3.0/24" }}, {{ subnet = "2001:db8:abc8::/64" }}]
"""
ENDPOINT = """
[namespaces.{}.interfaces.eth0]
network = "pub"
addresses = ["{}", "2001:db8:abc8::{}"]
"""
TRUNK = """
[topology]
name = "mine"
[namespaces.one.interfaces.eth0]
kind = "vlan"
parent = "eth0"
id = 60
addresses = ["172.16.3.21/24"]
"""


def load(*addresses: str, kind: str = "macvlan") -> vlanlink.Topology:
    spaces = (ENDPOINT.format(f"n{n}", one, n) for n, one in enumerate(addresses, 1))
    return vlanlink.load("/run/mine.toml", text=HEAD.format(kind) + "".join(spaces))


@pytest.fixture
def senders(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The sockets that announce."""
    found: list[object] = []
    made = announce._sender

    def sender() -> object:
        found.append(one := made())
        return one

    monkeypatch.setattr(announce, "_sender", sender)
    return found


def gratuitous(address: str, mac: str = "") -> str:
    return f"{mac}Request who-has {address} tell {address}"


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("macvlan", marks=pytest.mark.needs("macvlan")),
        pytest.param("ipvlan", marks=pytest.mark.needs("ipvlan")),
    ],
)
def test_where_all_are_new_one_socket_tells_the_wire(
    lan: Lan, senders: list[object], kind: str
) -> None:
    lan.station("printer")
    ready(lan)
    seen = capture(lan, "printer", "eth0", "arp or (icmp6 and ip6[40] == 136)")
    addresses = [f"172.16.3.{n}" for n in range(20, 25)]
    vlanlink.up(load(*addresses, kind=kind))
    for n, address in enumerate(addresses, 1):
        seen.saw(gratuitous(address))
        seen.saw(f"tgt is 2001:db8:abc8::{n},")
    assert len(senders) == 1
    # Now that there are siblings, they are told of the next one: from its own namespace.
    vlanlink.up(load(*addresses, "172.16.3.30", kind=kind))
    seen.saw(gratuitous("172.16.3.30"))
    assert len(senders) == 2


@pytest.mark.needs("macvlan")
@pytest.mark.parametrize("hidden", [False, True], ids=["seen", "hidden"])
def test_a_sibling_that_was_there_learns_the_new_mac(lan: Lan, hidden: bool) -> None:
    """Also one that somebody else made, in a namespace that is not ours."""
    lan.station("printer", f"{HELD}/24", mac=MAC)
    endpoint(lan, "old", "172.16.3.16/24")
    ready(lan)
    lan.world.reaches("old", HELD)
    if hidden:
        _hide(lan, "old")
    lan.world.ip(f"addr del {HELD}/24 dev eth0", "printer")
    vlanlink.up(load(HELD))
    mac = lan.world.link("eth0", "n1")["address"]
    until(
        lambda: f"{HELD} dev eth0 lladdr {mac}" in lan.world.ip("neigh", "old"),
        "the sibling knows the new MAC",
    )


def _hide(lan: Lan, name: str) -> None:
    """Leave a namespace to an open file alone: no process is in it, and it is mounted nowhere."""
    inside = lan.world.start("sleep 1000", name)
    held = f"exec 9</proc/{inside.pid}/ns/net; echo >/run/held; exec sleep 1000"
    holder = lan.world.start(["bash", "-c", held])
    until(Path("/run/held").exists, "the namespace is held")
    inside.kill()
    inside.wait()
    lan.world.places[name] = f"/proc/{holder.pid}/fd/9"
    lan.world.unmount(f"/run/netns/{name}")
    Path(f"/run/netns/{name}").unlink()


@pytest.mark.needs("vlan")
def test_a_vlan_is_told_with_its_tag(
    lan: Lan, senders: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: the parent would tell another LAN."""
    monkeypatch.setattr("vlanlink.reconcile.lan._MAX_SIBLINGS_ANNOUNCED_LOCALLY", 0)
    ready(lan)
    seen = capture(lan, "", "eth0", "vlan 60 and arp")
    vlanlink.up(vlanlink.load("/run/mine.toml", text=TRUNK))
    seen.saw(gratuitous("172.16.3.21"))
    assert len(senders) == 1
