"""What is foreign costs nothing: how many namespaces a verb opens, and how much it asks there.

Counted, not timed: beside strangers' namespaces a verb asks the kernel exactly what it asks without
them. All are looked at only where something there could matter.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import vlanlink
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import until
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces

pytestmark = pytest.mark.needs("macvlan")

TEXT = small("mine", one="")
OTHER = TEXT.replace('"mine"', '"other"').replace(".one", ".two")


def load(text: str = TEXT) -> vlanlink.Topology:
    return vlanlink.load("/run/mine.toml", text=text)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Counter[str], set[str]]]:
    """The requests that are sent, and the namespaces that are entered."""
    sent: Counter[str] = Counter()
    entered: set[str] = set()

    def dump(self: Socket, message: bytearray) -> Any:
        sent["dumps"] += 1
        return dumped(self, message)

    def request(self: Socket, messages: Any) -> Any:
        sent["requests"] += len(messages)
        return requested(self, messages)

    def enter(self: Namespaces, name: str) -> None:
        entered.add(name)
        went(self, name)

    dumped, requested, went = Socket.dump, Socket.request, Namespaces.enter
    with monkeypatch.context() as patch:
        patch.setattr(Socket, "dump", dump)
        patch.setattr(Socket, "request", request)
        patch.setattr(Namespaces, "enter", enter)
        yield sent, entered


def a_life() -> dict[str, Callable[[], object]]:
    return {
        "plan": lambda: vlanlink.plan(load()),
        "up": lambda: vlanlink.up(load()),
        "up again": lambda: vlanlink.up(load()),
        "status": lambda: vlanlink.status("mine"),
        "status of the file": lambda: vlanlink.status(load()),
        "ls": vlanlink.networks,
        "inspect": lambda: vlanlink.inspect("mine/pub"),
        "leases": lambda: vlanlink.leases("mine"),
        "down": lambda: vlanlink.down("mine"),
    }


def costs(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Counter[str], set[str]]]:
    found = {}
    for verb, act in a_life().items():
        with counted(monkeypatch) as cost:
            act()
        found[verb] = cost
    return found


def add_strangers(lan: Lan, many: int) -> None:
    """Namespaces, one with many routes, and macvlans on another parent, here and in them."""
    lines = ["link add eth1 type veth peer name far1", "link set eth1 up"]
    lines += [f"netns add s{n}" for n in range(many)]
    lines += [f"link add v{n} link eth1 type macvlan mode bridge" for n in range(many)]
    lines += [f"link set v{n} up" for n in range(many)]
    lines += [f"link set v{n} netns s{n}" for n in range(0, many, 2)]
    lan.world.batch("\n".join(lines))
    routes = [f"route add 10.{n // 250}.{n % 250}.0/24 dev lo" for n in range(33 * many)]
    lan.world.batch("link set lo up\n" + "\n".join(routes), "s0")


def test_strangers_cost_nothing(lan: Lan, monkeypatch: pytest.MonkeyPatch, long_run: bool) -> None:
    vlanlink.up(load(OTHER))
    macs = "bridge fdb show dev eth0"
    listed = lan.world.run(macs).stdout
    alone = costs(monkeypatch)
    # A link that goes with its namespace stays in the list until the kernel has cleaned up: a MAC
    # that nobody explains.
    until(lambda: lan.world.run(macs).stdout == listed, "the link is gone")
    add_strangers(lan, 3000 if long_run else 60)
    beside = costs(monkeypatch)
    assert {verb: sent for verb, (sent, _) in beside.items()} == {
        verb: sent for verb, (sent, _) in alone.items()
    }
    assert {name for _, entered in beside.values() for name in entered} <= {"", "one", "two"}


def endpoints(names: Iterable[str], more: str = "") -> vlanlink.Topology:
    head, _, endpoint = TEXT.partition("[namespaces")
    spaces = "".join("[namespaces" + endpoint.replace(".one.", f".{name}.") for name in names)
    return load(head.replace('"172.16.86.0/24"', '"172.16.80.0/20"') + more + spaces)


def test_one_endpoint_more_costs_one(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no operation can touch is not read back: it was read a moment ago."""
    names = [f"n{number}" for number in range(8)]
    vlanlink.up(endpoints(names))
    with counted(monkeypatch) as (nothing, _):
        vlanlink.up(endpoints(names))
    assert nothing["dumps"] > 4 * len(names)
    with counted(monkeypatch) as (one_more, _):
        vlanlink.up(endpoints([*names, "new"]))
    assert one_more["dumps"] - nothing["dumps"] == 4 + 4 + 1, "the host and its Wi-Fi, the new one"
    # What the parent does, all its children may feel.
    lan.world.ip("link set eth0 down")
    with counted(monkeypatch) as (parent, _):
        vlanlink.up(endpoints([*names, "new"]))
    assert parent["dumps"] > 2 * 4 * len(names)


def looks_everywhere(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> bool:
    with counted(monkeypatch) as (_, entered):
        act()
    return "s1" in entered


def test_all_are_looked_at_where_something_there_could_matter(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is lost; a MAC on the parent that nobody explains; a parent of ours that goes."""
    lan.world.batch("netns add s0\nnetns add s1")
    assert not looks_everywhere(monkeypatch, lambda: vlanlink.up(load()))
    assert looks_everywhere(monkeypatch, vlanlink.status), "whose record may be lost"
    lan.world.batch("link add m0 link eth0 type macvlan mode bridge\nlink set m0 netns s0")
    lan.world.batch("link set m0 up\naddr add 172.16.86.2/24 dev m0", "s0")
    assert looks_everywhere(monkeypatch, lambda: vlanlink.status("mine"))
    with pytest.raises(vlanlink.ConflictError, match="namespace s0 has it on m0"):
        vlanlink.up(load(TEXT + 'addresses = ["172.16.86.2"]\n'))


@pytest.mark.needs("dummy")
def test_all_are_looked_at_before_a_parent_of_ours_goes(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    lan.world.batch("netns add s0\nnetns add s1")
    inner = '[networks.in]\nkind = "macvlan"\n[namespaces.one.interfaces.eth1]\nnetwork = "in"\n'
    vlanlink.up(load(TEXT + inner))
    assert looks_everywhere(monkeypatch, lambda: vlanlink.down("mine", dry_run=True))


def test_the_routes_of_a_stranger_are_never_read(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where all namespaces are looked at, only links and few addresses are asked for."""
    lan.world.batch("netns add s0\nnetns add s1")
    vlanlink.up(load())
    asked: list[int] = []

    def dump(self: Socket, message: bytearray) -> Any:
        asked.append(int.from_bytes(message[4:6], "little"))
        return dumped(self, message)

    dumped = Socket.dump
    monkeypatch.setattr(Socket, "dump", dump)
    monkeypatch.setattr(
        "vlanlink.kernel.netns.strangers.strangers", lambda *_: ()
    )  # of other tests
    vlanlink.status("mine")
    few = Counter(asked)
    asked.clear()
    monkeypatch.setattr("vlanlink.reconcile.session.may_hide", lambda *_: True)
    vlanlink.status("mine")
    assert Counter(asked)[26] == 2 * few[26], "RTM_GETROUTE, once more for each of ours"
