"""Messages that kernels sent: what our decoder makes of them is what pyroute2's does."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import by_pyroute2
from vlanlink.kernel import netlink
from vlanlink.kernel.netlink.attributes import Selection, attributes, either_way, first, selected

CAPTURES = sorted((Path(__file__).parents[1] / "cases" / "messages").glob("*.txt"))
"""A line a message: what it is about, and its bytes in hex."""
NAMES = {number: f"link{number}" for number in range(100)}

captures = pytest.mark.parametrize("capture", CAPTURES, ids=[path.stem for path in CAPTURES])


def messages(capture: Path, kind: str) -> Iterator[bytes]:
    for line in capture.read_text().splitlines():
        what, _, digits = line.partition(" ")
        if what == kind:
            yield bytes.fromhex(digits)


def fields(value: Any) -> Any:
    """Every field, also those that do not count for equality."""
    return asdict(value) if value is not None else None


@captures
def test_links(capture: Path) -> None:
    seen = [netlink.decode_link(message) for message in messages(capture, "link")]
    assert list(map(fields, seen)) == [
        fields(by_pyroute2.link(message)) for message in messages(capture, "link")
    ]
    assert {"macvlan", "veth", "loopback"} <= {link.kind for link in seen}


@captures
@pytest.mark.parametrize("protocols", [True, False])
def test_addresses(capture: Path, protocols: bool) -> None:
    for message in messages(capture, "address"):
        index, seen = netlink.decode_address(message, protocols=protocols)
        there, judged = by_pyroute2.address(message, protocols=protocols)
        assert (index, fields(seen)) == (there, fields(judged))


@captures
def test_routes(capture: Path) -> None:
    seen = [netlink.decode_route(message, NAMES) for message in messages(capture, "route")]
    judged = [by_pyroute2.route(message, NAMES) for message in messages(capture, "route")]
    assert list(map(fields, seen)) == list(map(fields, judged))
    assert sum(route is not None for route in seen) > 5
    assert None in seen


@given(value=st.binary(min_size=1, max_size=16), cut=st.integers(0, 7))
def test_an_attribute_that_is_cut_short_is_an_error(value: bytes, cut: int) -> None:
    whole = (4 + len(value)).to_bytes(2, "little") + b"\x05\x80" + value
    wanted = either_way(5)
    assert attributes(whole) == [(5, value)]
    assert selected(whole, wanted) == {5: value}
    pick = Selection(5)
    assert [pick(whole) for _ in range(3)] == [{5: value}] * 3
    assert first(whole, 5) == value
    short = whole[: max(4, len(whole) - cut)]
    if len(short) < len(whole):
        with pytest.raises(OSError, match="cut short"):
            attributes(short)
        with pytest.raises(OSError, match="cut short"):
            selected(short, wanted)
        with pytest.raises(OSError, match="cut short"):
            pick(short)
        with pytest.raises(OSError, match="cut short"):
            first(short, 5)


_ATTRIBUTES = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.binary(max_size=9)), min_size=1, max_size=5
)


@given(rows=st.lists(_ATTRIBUTES, min_size=1, max_size=6), wanted=st.sets(st.integers(0, 4)))
def test_a_selection_reads_what_a_walk_reads(
    rows: list[list[tuple[int, bool, bytes]]], wanted: set[int]
) -> None:
    """Of messages that begin alike and go on differently, too, and of each one again."""
    written = [
        bytes(8)
        + b"".join(
            (4 + len(value)).to_bytes(2, "little")
            + (number | nested << 15).to_bytes(2, "little")
            + value.ljust((len(value) + 3) & ~3, b"\0")
            for number, nested, value in row
        )
        for row in rows
    ]
    pick = Selection(*wanted, offset=8)
    for message in (*written, *written, *written):
        assert pick(message) == selected(message, either_way(*wanted), 8)


def test_what_is_not_wanted_is_passed_over() -> None:
    message = b"\x05\x00\x01\x00a\0\0\0" + b"\x06\x00\x02\x80bc\0\0" + b"\x05\x00\x01\x00d"
    assert selected(message, either_way(2)) == {2: b"bc"}
    assert selected(message, either_way(1, 2)) == {1: b"d", 2: b"bc"}
    assert first(message, 1) == b"a"
    assert first(message, 3) is None
    beyond = b"\x40\x00\x07\x00" + bytes(8)
    with pytest.raises(OSError, match="cut short"):
        selected(beyond, either_way(1))
    endless = b"\x00\x00\x07\x00" + bytes(8)
    with pytest.raises(OSError, match="cut short"):
        selected(endless, either_way(1))
