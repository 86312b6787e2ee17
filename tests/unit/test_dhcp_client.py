"""The DHCP client, event by event: no sockets, no kernel, and the time is a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.dhcp_server import SERVER, SERVER_MAC, Server
from vlanlink.dhcp import client as machine
from vlanlink.dhcp.message import BROADCAST, REPLY, Kind, Message, Option
from vlanlink.dhcp.state import (
    NEVER,
    XID_MASK,
    Action,
    Client,
    Configure,
    Phase,
    Probe,
    Send,
    Withdraw,
    packed,
    raw,
)
from vlanlink.model import DhcpClient

if TYPE_CHECKING:
    from vlanlink.store.dhcp_leases import DhcpLease

MAC, OTHER_MAC = "02:42:ac:10:03:0f", "02:42:ac:10:03:99"
ADDRESS = "192.0.2.50"


@dataclass
class Run:
    """A client, its time, and all that it did."""

    client: Client
    now: float = 1000.0
    done: list[Action] = field(default_factory=list)

    def take(self, step: tuple[Client, tuple[Action, ...]]) -> tuple[Action, ...]:
        self.client, actions = step
        self.done += actions
        return actions

    def start(self, wanted: str | None = None) -> tuple[Action, ...]:
        return self.take(machine.start(self.client, self.now, wanted))

    def tick(self) -> tuple[Action, ...]:
        """Let the time pass until something is due."""
        due = self.client.due
        if self.client.lease:
            due = min(due, self.client.lease.expires)
        assert due < NEVER
        self.now = max(self.now, due)
        return self.take(machine.tick(self.client, self.now))

    def hear(self, message: Message | None, mac: str = SERVER_MAC) -> tuple[Action, ...]:
        assert message is not None
        return self.take(machine.receive(self.client, self.now, message, mac))

    def ask(self, server: Server) -> tuple[Action, ...]:
        """Have the last message answered."""
        return self.hear(server.answer(self.sent))

    def until(self, phase: Phase, most: int = 20) -> None:
        for _ in range(most):
            if self.client.phase is phase:
                return
            self.tick()
        raise AssertionError(f"{self.client.phase} after {most} steps, not {phase}")

    @property
    def sent(self) -> Message:
        """The last message."""
        return next(one.message for one in reversed(self.done) if isinstance(one, Send))


def run(**config: object) -> Run:
    values = {"probes": 2, "probe_seconds": 1.0, **config}
    return Run(Client(DhcpClient(**values), MAC, b"seed"))  # type: ignore[arg-type]


def bound(server: Server | None = None, **config: object) -> Run:
    """A client with a lease."""
    found = run(**config)
    found.start()
    server = server or Server()
    found.ask(server)
    found.ask(server)
    found.until(Phase.BOUND)
    return found


def kinds(actions: Sequence[Action]) -> list[str]:
    return [
        Kind(one.message.kind or 0).name if isinstance(one, Send) else type(one).__name__
        for one in actions
    ]


# -- getting a lease -------------------------------------------------------------------------------


def test_four_messages_and_two_probes_make_a_lease() -> None:
    found = bound()
    assert kinds(found.done) == ["DISCOVER", "REQUEST", "Probe", "Probe", "Configure"]
    assert found.client.lease is not None
    assert found.client.lease.address == f"{ADDRESS}/24"
    request = found.sent
    assert request.options[Option.REQUESTED_ADDRESS] == packed(ADDRESS)
    assert request.options[Option.SERVER] == packed(SERVER)
    assert request.client == "0.0.0.0"


def test_without_probes_the_address_is_there_with_the_ack() -> None:
    found = run(probes=0)
    found.start()
    found.ask(Server())
    assert kinds(found.ask(Server())) == ["Configure"]
    assert found.client.phase is Phase.BOUND


def test_the_client_id_is_the_mac_and_the_name_is_sent() -> None:
    found = run(hostname="web", vendor_class="vlanlink")
    found.start()
    options = found.sent.options
    assert options[Option.CLIENT_ID] == b"\1" + raw(MAC)
    assert (options[Option.HOSTNAME], options[Option.VENDOR_CLASS]) == (b"web", b"vlanlink")
    assert list(options[Option.PARAMETERS]).index(121) < list(options[Option.PARAMETERS]).index(3)


def test_links_with_one_mac_want_broadcasts_and_are_told_apart() -> None:
    one, other = (run(shares_mac=True, client_id=bytes([255, at])) for at in (1, 2))
    for each in (one, other):
        each.start()
    assert one.sent.flags == BROADCAST
    assert (one.client.xid ^ other.client.xid) & XID_MASK
    mixed = replace(Server().reply(Kind.OFFER, other.sent), xid=one.client.xid)
    mixed = replace(mixed, options={**mixed.options, Option.CLIENT_ID: b"\xff\2"})
    assert one.hear(mixed) == ()
    assert kinds(one.ask(Server())) == ["REQUEST"]


def test_silence_is_asked_again_with_pauses_that_double() -> None:
    found = run()
    found.start()
    at = [found.now]
    for _ in range(8):
        assert kinds(found.tick()) == ["DISCOVER"]
        at.append(found.now)
    pauses = [later - earlier for earlier, later in pairwise(at)]
    for pause, wanted in zip(pauses, (1, 2, 4, 8, 16, 32, 64, 64), strict=True):
        assert 0.9 * wanted <= pause <= 1.1 * wanted


def test_silence_is_borne_for_days() -> None:
    found = run()
    found.start()
    for _ in range(3000):  # some 53 hours
        found.tick()
    assert found.client.phase is Phase.SELECTING
    assert 0.9 * 64 <= found.client.due - found.now <= 1.1 * 64


def test_a_lease_counts_from_its_request_not_from_the_answer() -> None:
    found = run()
    found.start()
    server = Server()
    found.ask(server)
    asked = found.now
    found.now += 0.4  # less than until it asks again
    found.ask(server)
    found.until(Phase.BOUND)
    assert found.client.lease is not None
    assert found.client.lease.obtained == asked
    found.until(Phase.RENEWING)
    asked = found.now
    found.now += 0.4
    found.ask(server)
    assert found.client.lease.obtained == asked


def test_a_server_that_goes_silent_after_its_offer_is_left() -> None:
    found = run()
    found.start()
    found.ask(Server())
    assert [kinds(found.tick())[0] for _ in range(4)] == ["REQUEST"] * 3 + ["DISCOVER"]


def test_a_refused_request_begins_again_after_a_pause() -> None:
    found = run()
    found.start()
    found.ask(Server())
    assert found.ask(Server(refuses=True)) == ()
    assert (found.client.phase, found.client.tally.naks) == (Phase.INIT, 1)
    before = found.now
    assert kinds(found.tick()) == ["DISCOVER"]
    assert found.now > before


def test_an_unusable_offer_is_counted_and_another_taken() -> None:
    found = run()
    found.start()
    assert found.ask(Server(options={Option.MASK: bytes(4)})) == ()
    assert str(found.client.tally) == "1 offer (1 unusable): its netmask is 00000000"
    assert kinds(found.ask(Server())) == ["REQUEST"]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: replace(m, xid=m.xid ^ 0x100),
        lambda m: replace(m, mac=raw(OTHER_MAC)),
        lambda m: replace(m, op=1),
        lambda m: replace(m, options={**m.options, Option.CLIENT_ID: b"\1other"}),
        lambda m: replace(m, options={**m.options, Option.KIND: b"\x63"}),
        lambda m: replace(m, options={}),
    ],
)
def test_what_is_for_others_changes_nothing(change: Callable[[Message], Message]) -> None:
    found = run()
    found.start()
    before = found.client
    assert found.hear(change(Server().reply(Kind.OFFER, found.sent))) == ()
    assert found.client == before


@pytest.mark.parametrize(
    "lie",
    [Server(address="192.0.2.51"), Server(options={Option.SERVER: packed("192.0.2.66")})],
)
def test_an_ack_for_another_address_or_of_another_server_is_ignored(lie: Server) -> None:
    found = run()
    found.start()
    found.ask(Server())
    assert found.hear(lie.reply(Kind.ACK, found.sent)) == ()
    assert found.client.phase is Phase.REQUESTING


# -- the duplicate check ---------------------------------------------------------------------------


def test_an_address_in_use_is_declined_and_ten_seconds_pass() -> None:
    found = run()
    found.start()
    found.ask(Server())
    assert kinds(found.ask(Server())) == ["Probe"]
    told = found.take(machine.conflict(found.client, found.now, ADDRESS, OTHER_MAC))
    assert kinds(told) == ["DECLINE"]
    assert found.sent.options[Option.REQUESTED_ADDRESS] == packed(ADDRESS)
    before = found.now
    assert kinds(found.tick()) == ["DISCOVER"]
    assert found.now - before == machine.DECLINE_SECONDS
    assert Option.REQUESTED_ADDRESS not in found.sent.options
    assert "1 declined" in str(found.client.tally)


def test_talk_about_other_addresses_is_no_conflict() -> None:
    found = run()
    found.start()
    found.ask(Server())
    found.ask(Server())
    assert found.take(machine.conflict(found.client, found.now, "192.0.2.7", OTHER_MAC)) == ()
    assert found.client.phase is Phase.PROBING


# -- keeping it ------------------------------------------------------------------------------------


def test_the_server_renews_and_the_lifetime_begins_again() -> None:
    found = bound()
    begun = found.now
    assert kinds(found.tick()) == ["REQUEST"]
    assert 0.9 * 1800 <= found.now - begun <= 1800
    send = found.done[-1]
    assert isinstance(send, Send)
    assert (send.to, send.to_mac, send.source) == (SERVER, SERVER_MAC, ADDRESS)
    assert send.message.client == ADDRESS
    assert Option.SERVER not in send.message.options
    assert Option.REQUESTED_ADDRESS not in send.message.options
    assert kinds(found.ask(Server())) == ["Configure"]
    assert found.client.lease is not None
    assert found.client.lease.obtained == found.now


def test_a_server_that_is_gone_is_looked_for_by_broadcast_and_then_the_lease_ends() -> None:
    found = bound()
    lease = found.client.lease
    assert lease is not None
    found.until(Phase.REBINDING)
    assert found.now >= lease.obtained + lease.rebind
    send = found.done[-1]
    assert isinstance(send, Send)
    assert send.to is None
    while not any(isinstance(one, Withdraw) for one in found.done):
        found.tick()
    assert found.now == lease.expires
    assert found.client.phase is Phase.SELECTING
    assert found.sent.options[Option.REQUESTED_ADDRESS] == packed(ADDRESS)
    found.ask(Server())  # it is back
    found.ask(Server())
    found.until(Phase.BOUND)


def test_any_server_may_extend_it_after_t2() -> None:
    found = bound()
    found.until(Phase.REBINDING)
    other = Server(options={Option.SERVER: packed("192.0.2.2")})
    assert kinds(found.ask(other)) == ["Configure"]
    assert found.client.lease is not None
    assert found.client.lease.server == "192.0.2.2"


def test_a_nak_takes_the_address_away() -> None:
    found = bound()
    found.tick()
    assert kinds(found.ask(Server(refuses=True))) == ["Withdraw", "DISCOVER"]
    assert Option.REQUESTED_ADDRESS not in found.sent.options


def test_a_nak_of_a_stranger_does_not() -> None:
    found = bound()
    found.tick()
    stranger = Server(options={Option.SERVER: packed("192.0.2.66")}, refuses=True)
    assert found.ask(stranger) == ()
    assert found.client.lease is not None


def test_a_short_lease_is_asked_for_more_than_once_before_t2() -> None:
    found = bound(Server(seconds=8))
    sent = 0
    while found.client.phase is not Phase.REBINDING:
        sent += kinds(found.tick()).count("REQUEST")
    assert sent >= 2


def test_a_lease_for_ever_is_never_renewed() -> None:
    found = bound(Server(options={Option.LEASE_SECONDS: b"\xff" * 4}))
    assert found.client.due == NEVER


def test_after_a_loss_of_carrier_the_server_is_asked_whether_the_address_holds() -> None:
    found = bound()
    asked = found.take(machine.carrier_back(found.client, found.now))
    assert kinds(asked) == ["REQUEST"]
    assert found.sent.options[Option.REQUESTED_ADDRESS] == packed(ADDRESS)
    assert Option.SERVER not in found.sent.options
    assert kinds(found.ask(Server())) == ["Configure"]
    assert found.client.phase is Phase.BOUND


def test_a_lease_that_nobody_confirms_is_used_to_its_end() -> None:
    found = bound()
    lease = found.client.lease
    found.take(machine.carrier_back(found.client, found.now))
    found.until(Phase.BOUND)
    assert found.client.lease == lease


def test_on_another_network_the_lease_is_given_up() -> None:
    found = bound()
    found.take(machine.carrier_back(found.client, found.now))
    assert kinds(found.ask(Server(refuses=True))) == ["Withdraw", "DISCOVER"]


# -- after a restart -------------------------------------------------------------------------------


def test_a_known_address_is_asked_for_again() -> None:
    found = run()
    assert kinds(found.start(ADDRESS)) == ["REQUEST"]
    assert Option.SERVER not in found.sent.options
    assert kinds(found.ask(Server())) == ["Probe"]
    found.until(Phase.BOUND)


def test_a_known_address_that_nobody_answers_for_becomes_a_wish() -> None:
    found = run()
    found.start(ADDRESS)
    found.until(Phase.SELECTING)
    assert found.sent.kind == Kind.DISCOVER
    assert found.sent.options[Option.REQUESTED_ADDRESS] == packed(ADDRESS)


def test_a_lease_in_use_goes_on_where_it_was() -> None:
    lease = bound().client.lease
    assert lease is not None
    found = run()
    found.now = lease.obtained + 60
    assert found.take(machine.resume(found.client, found.now, lease)) == ()
    assert found.client.phase is Phase.BOUND
    found.tick()
    assert found.now <= lease.obtained + lease.renew
    late = run()
    late.now = lease.expires + 1
    assert kinds(late.take(machine.resume(late.client, late.now, lease))) == [
        "Withdraw",
        "DISCOVER",
    ]


def test_giving_it_back_names_the_server() -> None:
    found = bound()
    told = found.take(machine.release(found.client, found.now))
    assert kinds(told) == ["RELEASE"]
    assert isinstance(told[0], Send)
    assert (told[0].to, told[0].source, told[0].message.client) == (SERVER, ADDRESS, ADDRESS)
    assert found.client.phase is Phase.STOPPED


# -- whatever happens ------------------------------------------------------------------------------

EVENTS = st.lists(
    st.one_of(
        st.just("tick"),
        st.just("offer"),
        st.just("ack"),
        st.just("nak"),
        st.just("conflict"),
        st.just("carrier"),
        st.just("foreign"),
        st.tuples(
            st.sampled_from(list(Kind)),
            st.dictionaries(st.sampled_from(list(Option)), st.binary(max_size=40)),
            st.integers(0, 0xFFFFFFFF),
        ),
        st.floats(0.0, 5000.0),
    ),
    max_size=60,
)


@given(EVENTS, st.booleans(), st.sampled_from([8, 60, 3600, 0xFFFFFFFF]))
def test_whatever_comes_the_rules_hold(events: list[object], known: bool, seconds: int) -> None:
    found, server = run(), Server(seconds=seconds)
    found.start(ADDRESS if known else None)
    held: DhcpLease | None = None
    for event in events:
        before = len(found.done)
        happen(found, server, event)
        for action in found.done[before:]:
            if isinstance(action, Configure):
                assert held is None or held.address == action.lease.address
                held = action.lease
            elif isinstance(action, Withdraw):
                assert held is not None
                held = None
            elif isinstance(action, Probe):
                assert action.address.count(".") == 3
        assert found.client.lease == held or found.client.phase is Phase.BOUND
        assert (held is None) == (found.client.lease is None)
        assert held is None or found.now < held.expires or found.client.due <= found.now
        assert found.client.due < NEVER or (held and seconds == 0xFFFFFFFF)
        assert len(found.done) - before <= 3


def happen(found: Run, server: Server, event: object) -> None:
    match event:
        case "tick":
            found.tick() if found.client.due < NEVER else None
        case "offer":
            found.hear(server.reply(Kind.OFFER, found.sent))
        case "ack":
            found.hear(server.reply(Kind.ACK, found.sent))
        case "nak":
            found.hear(server.reply(Kind.NAK, found.sent))
        case "foreign":
            found.hear(Server(address="192.0.2.77").reply(Kind.ACK, found.sent))
        case "conflict":
            found.take(machine.conflict(found.client, found.now, ADDRESS, OTHER_MAC))
        case "carrier":
            found.take(machine.carrier_back(found.client, found.now))
        case float(passed):
            found.now += passed
            found.take(machine.tick(found.client, found.now))
        case (int(kind), dict(options), int(yours)):
            address = ".".join(map(str, yours.to_bytes(4, "big")))
            options = {**options, Option.KIND: bytes([kind])}
            mac, xid = raw(MAC), found.client.xid
            found.hear(Message(REPLY, xid, mac, options, yours=address))
