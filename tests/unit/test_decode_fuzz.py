"""Whatever bytes come, a value or an OSError comes out: messages of kernels, changed at random."""

import errno
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_decode import CAPTURES, NAMES, messages
from tests.unit.test_transport import NEWLINK, message, sequences, talk
from vlanlink.kernel import netlink

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "link": netlink.decode_link,
    "address": lambda data: netlink.decode_address(data, protocols=True),
    "route": lambda data: netlink.decode_route(data, NAMES),
}
REAL = {kind: [m for capture in CAPTURES for m in messages(capture, kind)] for kind in DECODERS}

FOUND = {
    "a hardware type and nothing else": ("link", b"\0" * 32),
    "shorter than its own header": ("address", b"\0" * 17),
    "an address of three bytes": (
        "address",
        b"\0" * 16 + struct.pack("=BBBBI", 2, 24, 0, 0, 1) + b"\x07\0\x02\0abc\0",
    ),
    "a route of a family that nobody has": ("route", b"\0" * 16 + b"\x63" + b"\0" * 6 + b"\1" * 5),
}
"""What was found stays as a case."""


@st.composite
def mutated(draw: st.DrawFn, real: list[bytes]) -> bytes:
    """A real message: bytes changed, cut off, put in, or taken from another."""
    data = bytearray(draw(st.sampled_from(real)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "cut", "put in", "splice"])):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=2))
            case "cut":
                del data[at:]
            case "put in":
                data[at:at] = draw(st.binary(max_size=40))
            case _:
                data[at:] = draw(st.sampled_from(real))[at:]
    return bytes(data)


def decoded(kind: str, data: bytes) -> None:
    try:
        with netlink.readable():
            DECODERS[kind](data)
    except OSError as error:
        assert error.errno == errno.EBADMSG  # noqa: PT017 - it may be none, or this one


@pytest.mark.parametrize("kind", DECODERS)
@given(data=st.data())
def test_changed_messages(kind: str, data: st.DataObject) -> None:
    decoded(kind, data.draw(mutated(REAL[kind])))


@pytest.mark.parametrize("kind", DECODERS)
@given(data=st.binary(max_size=200))
def test_noise(kind: str, data: bytes) -> None:
    decoded(kind, data)


@pytest.mark.parametrize("case", FOUND)
def test_what_was_found(case: str) -> None:
    decoded(*FOUND[case])


@given(data=st.data())
def test_changed_answers_to_a_dump(data: st.DataObject) -> None:
    """The stream of messages itself, between which nothing tells but their lengths."""
    noise = data.draw(mutated(REAL["link"]))
    cut = data.draw(st.integers(0, len(noise)))

    def answer(sent: bytes) -> list[bytes]:
        whole = b"".join(message(NEWLINK, number, noise) for number in sequences(sent))
        return [whole[:cut], whole[cut:], noise]

    socket, _ = talk(answer)
    with suppress(OSError):
        socket.dump(bytearray(message(NEWLINK, 0, b"body", 5)))
