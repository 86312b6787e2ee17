"""What the transport makes of the bytes that a kernel sends; a socket that is none sends them."""

import errno
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.kernel.netlink.socket import DUMP_ATTEMPTS, Refusal, Socket

ERROR, DONE, NEWLINK = 2, 3, 16
MULTI, DUMP_INTR, CAPPED, ACK_TLVS = 0x2, 0x10, 0x100, 0x200
MESSAGE, OFFSET = 1, 2

Answer = Callable[[bytes], list[bytes]]


class Kernel:
    """A socket whose other end answers each send with some chunks of bytes, then is silent."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []
        self.chunks: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.chunks += answer(bytes(data))
        return len(data)

    def recv(self, size: int) -> bytes:
        if not self.chunks:
            raise BlockingIOError(errno.EAGAIN, "again")  # what SO_RCVTIMEO comes to
        return self.chunks.pop(0)[:size]

    def close(self) -> None:
        pass


def talk(*answers: Answer, sequence: int = 0) -> tuple[Socket, Kernel]:
    socket, kernel = Socket.__new__(Socket), Kernel(*answers)
    socket._socket = kernel  # type: ignore[assignment]
    socket._sequence = sequence
    return socket, kernel


def message(kind: int, sequence: int, payload: bytes = b"", flags: int = 0) -> bytes:
    data = struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload
    return data + bytes(-len(data) % 4)


def request() -> bytearray:
    return bytearray(message(NEWLINK, 0, b"body", 5))


def sequences(sent: bytes) -> list[int]:
    found, offset = [], 0
    while offset < len(sent):
        length, _, _, sequence, _ = struct.unpack_from("=IHHII", sent, offset)
        found.append(sequence)
        offset += length + -length % 4
    return found


def ack(sequence: int, code: int = 0, text: str = "", *, capped: bool = True) -> bytes:
    """NLMSG_ERROR: code, the request's header (all of it unless capped), and what is said."""
    echo = message(NEWLINK, sequence, b"" if capped else b"body", 5)
    payload, flags = struct.pack("=i", -code) + echo, CAPPED if capped else 0
    if text:
        flags |= ACK_TLVS
        for number, value in ((OFFSET, struct.pack("=I", 20)), (MESSAGE, text.encode() + b"\0")):
            payload += struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)
    return message(ERROR, sequence, payload, flags)


# -- requests ------------------------------------------------------------------------------------


def test_many_requests_are_one_send() -> None:
    socket, kernel = talk(lambda sent: [ack(s) for s in sequences(sent)])
    assert socket.request([request() for _ in range(64)]) == [None] * 64
    assert len(kernel.sent) == 1
    assert sequences(kernel.sent[0]) == list(range(1, 65))


@given(
    codes=st.lists(st.sampled_from([0, errno.EBUSY, errno.EINVAL]), min_size=1, max_size=9),
    cuts=st.integers(1, 4),
)
def test_answers_stand_in_the_order_of_requests(codes: list[int], cuts: int) -> None:
    """However many come in a chunk."""

    def answer(sent: bytes) -> list[bytes]:
        acks = [ack(s, code) for s, code in zip(sequences(sent), codes, strict=True)]
        return [b"".join(acks[i : i + cuts]) for i in range(0, len(acks), cuts)]

    socket, _ = talk(answer)
    found = socket.request([request() for _ in codes])
    assert found == [Refusal(code) if code else None for code in codes]


def test_answers_are_matched_by_number() -> None:
    def backwards(sent: bytes) -> list[bytes]:
        first, second = sequences(sent)
        return [ack(second, errno.EPERM, "second"), ack(first)]

    socket, _ = talk(backwards)
    assert socket.request([request(), request()]) == [None, Refusal(errno.EPERM, "second")]


def test_late_answers_to_earlier_requests_are_passed_over() -> None:
    socket, _ = talk(
        lambda sent: [ack(3, errno.EBUSY), *(ack(s) for s in sequences(sent))], sequence=7
    )
    assert socket.request([request()]) == [None]


def test_numbers_go_on() -> None:
    socket, kernel = talk(lambda sent: [ack(s) for s in sequences(sent)])
    for _ in range(3):
        socket.request([request(), request()])
    assert [sequences(sent) for sent in kernel.sent] == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("capped", [True, False])
@pytest.mark.parametrize("text", ["", "macvlan: x", "Gerät ist belegt", "x" * 300])
def test_the_kernels_own_text(text: str, capped: bool) -> None:
    socket, _ = talk(
        lambda sent: [ack(s, errno.EBUSY, text, capped=capped) for s in sequences(sent)]
    )
    assert socket.request([request()]) == [Refusal(errno.EBUSY, text)]


def test_a_text_that_is_no_utf8() -> None:
    said = ack(1, errno.EBUSY, "abc").replace(b"abc", b"a\xffc")
    socket, _ = talk(lambda _: [said])
    assert socket.request([request()]) == [Refusal(errno.EBUSY, "a\N{REPLACEMENT CHARACTER}c")]


def test_a_warning_with_success_is_success() -> None:
    socket, _ = talk(lambda sent: [ack(s, 0, "deprecated") for s in sequences(sent)])
    assert socket.request([request()]) == [None]


def test_a_kernel_that_says_nothing_is_an_error_in_time() -> None:
    socket, _ = talk(lambda _: [])
    with pytest.raises(OSError, match="did not answer"):
        socket.request([request()])


# -- dumps ---------------------------------------------------------------------------------------


def rows(sequence: int, count: int = 3, flags: int = MULTI) -> list[bytes]:
    return [message(NEWLINK, sequence, bytes([i]) * 4, flags) for i in range(count)]


def done(sequence: int, code: int = 0, flags: int = MULTI, text: str = "") -> bytes:
    payload = struct.pack("=i", -code)
    if text:
        value = text.encode() + b"\0"
        payload += struct.pack("=HH", 4 + len(value), MESSAGE) + value + bytes(-len(value) % 4)
        flags |= ACK_TLVS
    return message(DONE, sequence, payload, flags)


def dumped(sent: bytes) -> list[bytes]:
    (sequence,) = sequences(sent)
    return [b"".join(rows(sequence)), done(sequence)]


def test_a_dump_is_all_messages_with_their_headers() -> None:
    socket, _ = talk(dumped)
    assert socket.dump(request()) == rows(1)


def test_the_end_may_come_with_the_rest() -> None:
    socket, _ = talk(lambda sent: [b"".join([*rows(sequences(sent)[0]), done(sequences(sent)[0])])])
    assert len(socket.dump(request())) == 3


def interrupted_between(sent: bytes) -> list[bytes]:
    (sequence,) = sequences(sent)
    one, two, three = rows(sequence, flags=MULTI | DUMP_INTR)
    return [one, two + three, done(sequence)]


def interrupted_at_the_end(sent: bytes) -> list[bytes]:
    (sequence,) = sequences(sent)
    return [*rows(sequence), done(sequence, flags=MULTI | DUMP_INTR)]


def interrupted_by_number(sent: bytes) -> list[bytes]:
    (sequence,) = sequences(sent)
    return [*rows(sequence), done(sequence, errno.EINTR)]


INTERRUPTED = [interrupted_between, interrupted_at_the_end, interrupted_by_number]


@pytest.mark.parametrize("interrupted", INTERRUPTED)
def test_an_interrupted_dump_is_asked_for_again(interrupted: Answer) -> None:
    socket, kernel = talk(interrupted, interrupted, dumped)
    assert socket.dump(request()) == rows(3)
    assert [sequences(sent) for sent in kernel.sent] == [[1], [2], [3]]


@pytest.mark.parametrize("interrupted", INTERRUPTED)
def test_but_not_for_ever(interrupted: Answer) -> None:
    socket, kernel = talk(interrupted)
    with pytest.raises(OSError, match="changed during each attempt") as caught:
        socket.dump(request())
    assert caught.value.errno == errno.EINTR
    assert len(kernel.sent) == DUMP_ATTEMPTS


def test_messages_of_an_earlier_dump_are_passed_over() -> None:
    socket, _ = talk(lambda sent: [*rows(4), done(4), *dumped(sent)], sequence=5)
    assert socket.dump(request()) == rows(6)


def test_a_dump_that_is_refused() -> None:
    socket, _ = talk(lambda sent: [ack(sequences(sent)[0], errno.EPERM)])
    with pytest.raises(PermissionError):
        socket.dump(request())


def test_a_dump_that_fails_at_its_end() -> None:
    socket, _ = talk(lambda sent: [*rows(1), done(sequences(sent)[0], errno.ENOMEM, text="why")])
    with pytest.raises(OSError, match="why") as caught:
        socket.dump(request())
    assert caught.value.errno == errno.ENOMEM


# -- bytes that no kernel sends ------------------------------------------------------------------

chunks = st.lists(
    st.binary(max_size=80)
    | st.builds(
        message, st.sampled_from([ERROR, DONE, NEWLINK]), st.just(1), st.binary(max_size=40)
    )
    | st.builds(lambda whole, cut: whole[:cut], st.just(ack(1, 5, "text")), st.integers(0, 60)),
    max_size=5,
)


@given(garbage=chunks)
def test_garbage_ends_a_request(garbage: list[bytes]) -> None:
    socket, _ = talk(lambda _: garbage)
    with suppress(OSError):
        assert len(socket.request([request()])) == 1


@given(garbage=chunks)
def test_garbage_ends_a_dump(garbage: list[bytes]) -> None:
    socket, _ = talk(lambda _: garbage)
    with suppress(OSError):
        socket.dump(request())


@pytest.mark.parametrize("cut", range(0, len(ack(1, errno.EBUSY, "text")), 3))
def test_a_truncated_answer_ends_a_request(cut: int) -> None:
    socket, _ = talk(lambda _: [ack(1, errno.EBUSY, "text")[:cut]])
    with suppress(OSError):
        (found,) = socket.request([request()])
        assert found is None or found.errno == errno.EBUSY
