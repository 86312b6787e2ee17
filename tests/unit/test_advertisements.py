"""What routers advertise of DNS (RFC 8106): its options read, remembered, and told of."""

import errno
import json
import socket
import struct
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.dhcp.advertisements import Option, learn, read_options
from vlanlink.dhcp.routers import ASK_SECONDS, MOST_ASKED, TELL_SECONDS, Routers
from vlanlink.host import is_domain
from vlanlink.kernel.packet.solicit import open_asking
from vlanlink.model import LinkName
from vlanlink.store.advertised import MOST, Advertised, advertised_from, advertised_row
from vlanlink.store.dhcp_leases import DhcpLeases
from vlanlink.store.documents import UnreadableError

WEB = LinkName("web", "eth0")
FOREVER = 0xFFFFFFFF
GOOD = ("2001:db8::53", "fe80::1", "fd00::1")
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


def option(kind: int, seconds: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 8)
    return struct.pack("!BBHI", kind, 1 + len(body) // 8, 0, seconds) + body


def rdnss(seconds: int, *servers: str) -> bytes:
    return option(25, seconds, b"".join(IPv6Address(one).packed for one in servers))


def dnssl(seconds: int, *names: str) -> bytes:
    labels = (b"".join(bytes((len(p),)) + p.encode() for p in n.split(".")) for n in names)
    return option(31, seconds, b"".join(one + b"\0" for one in labels))


@given(st.lists(DOMAIN, min_size=1, max_size=MOST, unique=True), st.integers(0, FOREVER))
def test_options_are_read_as_they_were_written(names: list[str], seconds: int) -> None:
    data = rdnss(seconds, *GOOD) + option(1, 0, b"\2\0\0\0\0\1") + dnssl(seconds, *names)
    first, second = read_options(data)
    assert first == Option(seconds, servers=GOOD)
    assert second == Option(seconds, search=tuple(names))


@given(
    st.binary(max_size=200)
    | st.tuples(st.sampled_from((25, 31)), st.binary(max_size=80)).map(
        lambda pair: option(pair[0], 60, pair[1])
    )
    | st.lists(st.integers(0, 200), max_size=6).map(
        lambda cuts: b"".join((rdnss(60, *GOOD) + dnssl(60, "a.example"))[cut:] for cut in cuts)
    )
)
def test_whatever_is_sent_only_addresses_and_names_are_read(data: bytes) -> None:
    known = Advertised()
    for found in read_options(data):
        assert len(found.servers) <= MOST
        assert len(found.search) <= MOST
        assert all(map(is_domain, found.search))
        for text in found.servers:
            one = IPv6Address(text)
            assert not one.is_multicast
            assert int(one) > 1, "the unspecified address or loopback"
        known = learn(known, found, 1.0)
    assert max(map(len, known.names)) <= MOST
    assert advertised_from(json.loads(json.dumps(advertised_row(known))), "it") == known


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(rdnss(60, "ff02::1", "::1", "::", "::ffff:192.0.2.1"), id="no unicast"),
        pytest.param(rdnss(60, *GOOD)[:-1], id="cut off"),
        pytest.param(b"\x19\0\0\0\0\0\0\x3c" * 4, id="length 0"),
        pytest.param(dnssl(60, "a b.example"), id="a space"),
        pytest.param(dnssl(60, "x\nnameserver 6.example"), id="a line"),
        pytest.param(option(31, 60, b"\1a\xc0\x00"), id="compressed"),
        pytest.param(option(31, 60, b"\7exam"), id="a label cut off"),
        pytest.param(option(31, 60, b"\1a" * 140 + b"\0"), id="too long"),
    ],
)
def test_what_is_malformed_says_nothing(data: bytes) -> None:
    assert all(not one.servers and not one.search for one in read_options(data))


def test_a_lifetime_counts_from_when_it_was_heard_and_zero_ends_it() -> None:
    known = learn(Advertised(), Option(10, servers=GOOD, search=("a.example",)), 100.0)
    assert known.at(109.0) == known
    assert known.at(110.0) == Advertised()
    known = learn(known, Option(0, servers=GOOD[:1]), 101.0)
    known = learn(known, Option(60, servers=GOOD[1:2]), 102.0)
    assert known.servers == {GOOD[1]: 162.0, GOOD[2]: 110.0}
    assert known.at(120.0).names == ((GOOD[1],), ())


def test_the_first_ones_count_until_they_end() -> None:
    many = tuple(f"2001:db8::{one:x}" for one in range(1, MOST + 3))
    known = learn(Advertised(), Option(10, servers=many[:MOST]), 0.0)
    assert learn(known, Option(FOREVER, servers=many[MOST:]), 5.0) == known
    assert learn(known, Option(60, servers=many[MOST:]), 10.0).names == (many[MOST:], ())


def told(routers: Routers, now: float) -> list[tuple[tuple[str, ...], bool]]:
    return [(tuple(news.known.servers), news.changed) for news in routers.to_tell(now)]


def test_routers_are_asked_three_times_or_until_one_answers() -> None:
    silent = Routers({WEB: Advertised()}, 0.0)
    times = [0.0]
    while (due := silent.due(times[-1])) < float("inf"):
        assert silent.to_ask(due) == [WEB]
        times.append(due)
    assert times[1:] == [ASK_SECONDS * n for n in range(MOST_ASKED)]
    answered = Routers({WEB: Advertised()}, 0.0)
    assert answered.to_ask(0.0) == [WEB]
    answered.hear(WEB, rdnss(60, *GOOD), 1.0)
    assert answered.to_ask(ASK_SECONDS) == []


def test_other_names_are_told_at_once_and_then_seldom() -> None:
    routers = Routers({WEB: Advertised()}, 0.0)
    routers.hear(WEB, rdnss(FOREVER, *GOOD), 1.0)
    routers.hear(LinkName("db", "eth0"), rdnss(60, *GOOD), 1.0)
    assert told(routers, 1.0) == [(GOOD, True)]
    routers.hear(WEB, rdnss(0, GOOD[0]), 2.0)
    assert told(routers, 2.0) == []
    assert routers.due(2.0) <= 1.0 + TELL_SECONDS
    assert told(routers, 1.0 + TELL_SECONDS) == [(GOOD[1:], True)]
    routers.drop(WEB)
    assert told(routers, 100.0) == []


def test_an_end_is_told_when_it_comes() -> None:
    routers = Routers({WEB: Advertised({GOOD[0]: 50.0})}, 0.0)
    for now in range(MOST_ASKED):
        routers.to_ask(now * ASK_SECONDS)
    assert told(routers, 49.0) == []
    assert told(routers, routers.due(49.0)) == [((), True)]


def test_a_name_that_goes_on_is_told_before_the_end_that_was_told() -> None:
    routers = Routers({WEB: Advertised()}, 0.0)
    routers.hear(WEB, rdnss(60, GOOD[0]), 0.0)
    assert told(routers, 0.0) == [((GOOD[0],), True)]
    ends, seldom = 60.0, 0
    for now in range(10, 200, 10):
        routers.hear(WEB, rdnss(60, GOOD[0]), float(now))
        for news in routers.to_tell(float(now)):
            assert not news.changed
            ends, seldom = news.known.servers[GOOD[0]], seldom + 1
        assert ends > now
    assert 3 <= seldom <= 10
    routers.hear(WEB, rdnss(5, GOOD[0]), 200.0)  # shorter than what was told
    assert told(routers, routers.due(204.0)) == [((), True)]


def test_the_store_keeps_what_was_heard_of_this_boot() -> None:
    heard = Advertised({GOOD[0]: 60.0, GOOD[1]: 10.0}, {"a.example": 60.0})
    kept = DhcpLeases("boot", advertised={("web", "eth0"): heard})
    read = DhcpLeases.from_dict(json.loads(json.dumps(kept.to_dict())))
    assert read == kept
    assert read.heard("boot", 20.0)["web", "eth0"].names == ((GOOD[0],), ("a.example",))
    assert read.heard("another", 20.0) == {}
    assert "advertised" not in DhcpLeases("boot").to_dict()  # an older version reads it, too


@pytest.mark.parametrize(
    "row",
    [
        [],
        [[["192.0.2.1", 1.0]], []],
        [[["fe80::1%eth0", 1.0]], []],
        [[], [["a b", 1.0]]],
        [[["fe80::1", "soon"]], []],
    ],
)
def test_other_rows_are_refused(row: object) -> None:
    with pytest.raises(UnreadableError):
        advertised_from(row, "it")


@pytest.mark.parametrize(("number", "refused"), [(errno.EAFNOSUPPORT, False), (errno.EPERM, True)])
def test_without_ipv6_nobody_is_asked(
    number: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(socket, "socket", fail)
    if refused:
        with pytest.raises(OSError, match="refused"):
            open_asking()
    else:
        assert open_asking() is None
