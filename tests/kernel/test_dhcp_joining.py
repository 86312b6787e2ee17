"""Attachments join the keeper that runs, and leave it; nobody else's lease is disturbed."""

import errno
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.attaching import end, inside, start_container
from tests.kernel.command_line import VLANLINK
from tests.kernel.dhcp_lan import Dnsmasq, Liar, end_keepers
from tests.kernel.lan import Lan
from tests.kernel.wire import ready
from tests.kernel.world import World, until
from vlanlink.dhcp import guests, joining
from vlanlink.store import keeper_file

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture(autouse=True)
def nothing_left(world: World) -> Iterator[None]:  # noqa: ARG001 - before its namespaces go
    """Keepers end with their test, whether it takes its topology down or not."""
    yield
    end_keepers()


def office() -> vlanlink.Topology:
    text = """
[topology]
name = "office"
[networks.pub]
kind = "macvlan"
parent = "eth0"
dhcp = true
probe = false
[namespaces.web.interfaces.eth0]
network = "pub"
"""
    return vlanlink.load("/run/office.toml", text=text)


def keeper() -> int:
    """The pid of the one that runs."""
    (file,) = Path("/run/vlanlink").glob("*.keeper")
    found = keeper_file.find(file)
    assert found
    return found.pid


def test_an_attachment_joins_the_keeper_and_leaves_it(lan: Lan) -> None:
    ready(lan)
    server = Dnsmasq(lan, "--dhcp-option-force=58,3")  # T1 after three seconds, its least
    vlanlink.up(office())
    before = keeper()
    found = vlanlink.attach("office/pub", pid=start_container(lan.world), id="c1")
    other = vlanlink.attach("office/pub", pid=start_container(lan.world), id="c2")
    assert keeper() == before
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.up(office()).changes
    assert keeper() == before
    found.detach()
    assert keeper() == before
    assert {one.endpoint for one in vlanlink.leases()} == {"web/eth0", "c2/eth0"}
    acknowledged = f"DHCPACK(eth0) {other.addresses[0].partition('/')[0]}"
    asked = server.count(acknowledged)
    until(lambda: server.count(acknowledged) > asked, "the other's is renewed")
    assert {one.endpoint for one in vlanlink.leases()} == {"web/eth0", "c2/eth0"}
    other.detach()
    assert vlanlink.status("office").state == "up"
    assert (keeper(), server.count("DHCPNAK(")) == (before, 0)


def test_an_id_joins_again_from_another_namespace(lan: Lan) -> None:
    """Its link there may have the same number as before."""
    ready(lan)
    server = Dnsmasq(lan, "--dhcp-option-force=58,3")
    vlanlink.up(office())
    before = keeper()
    first = start_container(lan.world)
    found = vlanlink.attach("office/pub", pid=first, id="c1")
    end(lan.world, first)
    second = start_container(lan.world)
    again = vlanlink.attach("office/pub", pid=second, id="c1")
    assert (again.addresses, keeper()) == (found.addresses, before)
    acknowledged = f"DHCPACK(eth0) {found.addresses[0].partition('/')[0]}"
    asked = server.count(acknowledged)
    until(lambda: server.count(acknowledged) > asked, "its lease is renewed")
    assert found.addresses[0] in inside(lan.world, second, "ip -4 -br addr show eth0")
    assert vlanlink.status("office").state == "up"


def test_a_keeper_that_nobody_can_ask_makes_room_for_another(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of an earlier release."""
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(office())
    before = keeper()
    monkeypatch.setattr(guests, "_place", lambda _: nullcontext("/run/nobody"))
    found = vlanlink.attach("office/pub", pid=start_container(lan.world), id="c1")
    assert keeper() != before
    assert vlanlink.status("office").state == "up"
    before = keeper()
    found.detach()
    assert keeper() != before
    assert vlanlink.status("office").state == "up"


def test_many_attach_at_once(lan: Lan, *, long_run: bool) -> None:
    ready(lan)
    server = Dnsmasq(lan)
    vlanlink.up(office())
    before = keeper()
    count = 30 if long_run else 4
    pids = [start_container(lan.world) for _ in range(count)]
    words = [VLANLINK, "attach", "office/pub", "--lock-timeout=300"]
    running = [lan.world.start([*words, f"--pid={pid}", f"--id=c{pid}"]) for pid in pids]
    assert [each.wait() for each in running] == [0] * count
    given = server.given()
    for one in vlanlink.attachments():
        assert one.addresses == (f"{given[str(one.mac)]}/24",)
    assert len(set(given.values())) == count + 1
    assert keeper() == before
    assert vlanlink.status("office").state == "up"


def test_a_failed_attach_leaves_the_keeper_as_it_was(lan: Lan) -> None:
    ready(lan)
    server = Liar(lan, 600)
    vlanlink.up(office())
    before = keeper()
    server.says("offers")
    pid = start_container(lan.world)
    running = lan.world.start([VLANLINK, "attach", "office/pub", f"--pid={pid}", "--id=c1"])
    until(lambda: "eth0" in inside(lan.world, pid, "ip -br link"), "it asks")
    os.kill(running.pid, signal.SIGINT)
    assert running.wait() == 130
    assert "eth0" not in inside(lan.world, pid, "ip -br link")
    assert keeper() == before
    assert vlanlink.status("office").state == "up"
    assert vlanlink.attachments() == ()


def test_a_keeper_that_dies_while_an_attachment_joins(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(office())
    before = keeper()

    def ask(file: Path, request: bytes, files: Sequence[int]) -> str:
        os.kill(before, signal.SIGKILL)
        until(lambda: keeper_file.find(file) is None, "the keeper has ended")
        return guests.ask(file, request, files)

    monkeypatch.setattr(joining, "ask", ask)
    vlanlink.attach("office/pub", pid=start_container(lan.world), id="c1")
    assert keeper() != before
    assert vlanlink.status("office").state == "up"


def test_an_attach_that_ends_before_it_says_who_is_served(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(lan)
    Dnsmasq(lan)
    vlanlink.up(office())

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keeper_file, "rewrite", fail)
    vlanlink.attach("office/pub", pid=start_container(lan.world), id="c1")
    assert "keeps other leases" in str(vlanlink.status("office").plan)
    vlanlink.up(office())
    assert vlanlink.status("office").state == "up"
