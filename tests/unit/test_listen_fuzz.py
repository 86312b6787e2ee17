"""Whatever bytes come to those who listen, a value or an OSError comes out.

They hear links that come, changes of which only the sender is read, and the answers of generic
netlink about Wi-Fi.
"""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.nl80211 import nl80211cmd

from tests.unit.test_decode_fuzz import REAL, mutated
from tests.unit.test_wifi import NL80211, family_message, generic_message, wifi_link
from vlanlink.kernel import monitor as events_module
from vlanlink.kernel.monitor import Arrivals, Events
from vlanlink.kernel.netlink.nl80211 import wifi_clients

LINKS = REAL["link"]
IFLA_IFNAME, IFLA_WIRELESS = 3, 11


FAMILIES = [family_message("nlctrl", 16), family_message("nl80211", NL80211)]
INTERFACES = [
    generic_message(nl80211cmd, row)
    for row in (
        wifi_link(3, 2),
        wifi_link(4, 3),
        wifi_link(5, 8, ("NL80211_ATTR_4ADDR", b"\1")),
    )
]


# -- links that come -------------------------------------------------------------------------------


class Told:
    """A socket on which each of some messages comes, and then none."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self.chunks = list(chunks)

    def settimeout(self, seconds: float) -> None:
        del seconds

    def recv(self, size: int) -> bytes:
        if not self.chunks:
            raise TimeoutError
        return self.chunks.pop(0)[:size]


def arrived(chunks: Sequence[bytes]) -> frozenset[str]:
    """What the links are called, as far as was heard."""
    arrivals = Arrivals.__new__(Arrivals)
    arrivals._words = {}
    arrivals._events = Told(chunks)  # type: ignore[assignment]
    more = True
    while more:
        try:
            more = arrivals.wait(0)
        except OSError as error:
            assert error.errno == errno.EBADMSG  # noqa: PT017 - it may be none, or this one
    return arrivals.names()


def test_links_that_come_are_heard() -> None:
    assert {"lo", "m0"} <= arrived(LINKS)


def test_what_wifi_drivers_tell_of_scans_takes_no_name_from_a_link() -> None:
    """It has the link's number and name, and neither altname nor MAC."""
    heard = arrived(LINKS)
    tails = [
        struct.pack("=HH", 4 + 8, IFLA_IFNAME) + b"wlan0\0\0\0",
        struct.pack("=HH", 4 + 4, IFLA_WIRELESS) + bytes(4),
    ]
    for link in LINKS:
        body = link[16:32] + b"".join(tails)  # the header, and ifinfomsg
        assert arrived([*LINKS, struct.pack("=I", 16 + len(body)) + link[4:16] + body]) == heard


@given(chunks=st.lists(mutated(LINKS) | st.binary(max_size=200), max_size=4))
def test_changed_messages_of_links_that_come(chunks: list[bytes]) -> None:
    names = arrived(chunks)
    assert sum(map(len, names)) <= sum(map(len, chunks))


def test_a_message_of_links_that_is_shorter_than_its_own_header() -> None:
    """This was found."""
    arrived([struct.pack("=IHHII", 20, 16, 0, 0, 0) + bytes(40)])


# -- changes, and who made them --------------------------------------------------------------------


def senders(chunks: Sequence[bytes]) -> tuple[str, ...]:
    """Who is told to have caused the changes."""
    events = Events()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    events._sockets[ours.fileno()] = ours
    events._poll.register(ours, 1)
    try:
        for chunk in chunks:
            theirs.send(chunk)
            events.wait(0)
        return events.senders()
    finally:
        events.close()
        ours.close()
        theirs.close()


@given(chunks=st.lists(mutated(LINKS) | st.binary(max_size=200), max_size=40))
def test_changed_messages_of_changes(chunks: list[bytes]) -> None:
    assert len(senders(chunks)) <= 16


@given(comm=st.binary(max_size=15))
def test_processes_may_have_any_name(comm: bytes) -> None:
    """Fifteen bytes that prctl(2) takes as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events_module, "Path", lambda _: Command(comm))
        patch.setattr(os, "getpid", lambda: 1)
        (sender,) = senders([struct.pack("=IHHII", 16, 16, 0, 0, 4711)])
    assert sender.endswith(" (process 4711)")
    assert sender.isprintable()


class Command:
    """/proc/PID/comm."""

    def __init__(self, comm: bytes) -> None:
        self.comm = comm

    def read_text(self, **options: Any) -> str:
        return self.comm.decode("utf-8", options.get("errors", "strict"))


# -- Wi-Fi -----------------------------------------------------------------------------------------


class Answers:
    """A socket of generic netlink that answers each dump with some messages."""

    def __init__(self, families: list[bytes], links: list[bytes]) -> None:
        self.families, self.links = families, links

    def dump(self, message: bytearray) -> list[bytes]:
        asked = int.from_bytes(message[4:6], "little")
        return self.families if asked == 16 else self.links


def found(families: list[bytes], links: list[bytes]) -> frozenset[int]:
    try:
        return wifi_clients(Answers(families, links))  # type: ignore[arg-type]
    except OSError as error:
        assert error.errno == errno.EBADMSG  # noqa: PT017 - it may be none, or this one
        return frozenset()


def test_stations_are_found_among_them() -> None:
    assert found(FAMILIES, INTERFACES) == {3}


@given(data=st.data())
def test_changed_answers_about_wifi(data: st.DataObject) -> None:
    families, links = (
        data.draw(st.lists(mutated(real) | st.binary(max_size=60), max_size=4))
        for real in (FAMILIES, INTERFACES)
    )
    assert len(found([*families, *FAMILIES], links)) <= len(links)


@pytest.mark.parametrize("wrong", [b"", struct.pack("=HHI", 8, 1, 70_000)])
def test_a_family_whose_number_makes_no_sense(wrong: bytes) -> None:
    """This was found."""
    number = struct.pack("=HHHxx", 6, 1, NL80211)
    assert number in FAMILIES[1]
    assert found([FAMILIES[1].replace(number, wrong)], INTERFACES) == frozenset()
