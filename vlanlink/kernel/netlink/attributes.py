"""Read netlink attributes (struct nlattr) and their values.

A machine with thousands of namespaces is dumped more than once in a run, so messages are read by
struct and the kinds' tables; pyroute2, which takes 0.2 ms a link, is the oracle in the tests.
"""

import errno
import struct
from socket import AF_INET, AF_INET6, inet_ntop

_HEADER = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_NESTED = 0x8000
_NUMBER_BITS = 0x3FFF
"""Bits of an attribute's type below NLA_F_NESTED and NLA_F_NET_BYTEORDER."""
_MOST_LAYOUTS = 256


def _cut_short() -> OSError:
    return OSError(errno.EBADMSG, "the kernel's answer is cut short")


def attributes(data: bytes, offset: int = 0) -> list[tuple[int, bytes]]:
    """Number and value of each attribute from ``offset`` on.

    Raises OSError (EBADMSG) if one is cut short.
    """
    return [(number & _NUMBER_BITS, value) for number, value in _raw(data, offset)]


def _raw(data: bytes, offset: int) -> list[tuple[int, bytes]]:
    """As ``attributes``, the numbers with their flags."""
    found = []
    end = len(data)
    header = _HEADER.unpack_from
    while offset + 4 <= end:
        length, number = header(data, offset)
        if length < 4 or offset + length > end:
            raise _cut_short()
        found.append((number, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found


def either_way(*numbers: int) -> frozenset[int]:
    """Attribute numbers for ``selected``: bare, and flagged as nested."""
    return frozenset(numbers) | {number | _NESTED for number in numbers}


def selected(data: bytes, wanted: frozenset[int], offset: int = 0) -> dict[int, bytes]:
    """The values of some attributes by number: ten of the forty that a link has.

    Raises OSError (EBADMSG) if the message is cut short.
    """
    found = {}
    end = len(data)
    last = end - 4
    header = _HEADER.unpack_from
    while offset <= last:
        length, number = header(data, offset)
        if length < 4:
            raise _cut_short()
        if number in wanted:
            if offset + length > end:
                raise _cut_short()
            found[number & _NUMBER_BITS] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    if offset > end + 3:
        raise _cut_short()
    return found


class Selection:
    """``selected`` for messages that look alike: those of a dump do, in lengths and order.

    The first of a length is walked, and the second. Later ones are cut by a struct that was made
    for the second, if all their headers equal its own: a quarter of the time.
    """

    def __init__(self, *numbers: int, offset: int = 0) -> None:
        """The attributes to read; in each message they begin at ``offset``."""
        self._wanted = either_way(*numbers)
        self._offset = offset
        self._layouts: dict[tuple[int, bytes], _Layout | None] = {}

    def __call__(self, data: bytes) -> dict[int, bytes]:
        """The values by number. Raises OSError (EBADMSG) if the message is cut short."""
        start = self._offset
        alike = len(data), data[start : start + _HEADER.size]
        layout = self._layouts.get(alike)
        if layout and layout.headers(data, start) == layout.expected:
            return dict(zip(layout.numbers, layout.values(data, start), strict=True))
        found = selected(data, self._wanted, start)
        if layout is None:
            self._learn(alike, data)
        return found

    def _learn(self, alike: tuple[int, bytes], data: bytes) -> None:
        if len(self._layouts) > _MOST_LAYOUTS:  # names and aliases have many lengths
            self._layouts.clear()
        seen = alike in self._layouts
        self._layouts[alike] = _Layout(data, self._wanted, self._offset) if seen else None


class _Layout:
    """Where the attributes of a message are, which is not cut short."""

    __slots__ = ("expected", "headers", "numbers", "values")

    def __init__(self, data: bytes, wanted: frozenset[int], offset: int) -> None:
        rows = [(4 + len(value), number) for number, value in _raw(data, offset)]
        sizes = [(length + 3) & ~3 for length, _ in rows]
        if rows:  # the last one may lack its padding
            sizes[-1] = rows[-1][0]
        placed = list(zip(rows, sizes, strict=True))
        self.expected = tuple(word for row in rows for word in row)
        self.headers = struct.Struct("=" + "".join(f"HH{size - 4}x" for size in sizes)).unpack_from
        self.values = struct.Struct(
            "="
            + "".join(
                f"4x{length - 4}s{size - length}x" if number in wanted else f"{size}x"
                for (length, number), size in placed
            )
        ).unpack_from
        self.numbers = tuple(n & _NUMBER_BITS for _, n in rows if n in wanted)


def first(data: bytes, wanted: int) -> bytes | None:
    """The value of the first attribute of that number; later ones aren't read."""
    offset, end = 0, len(data)
    while offset + 4 <= end:
        length, number = _HEADER.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            raise _cut_short()
        if number & _NUMBER_BITS == wanted:
            return data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return None


def u32(value: bytes | None) -> int:
    """A 32-bit number; 0 if absent."""
    return _U32.unpack_from(value)[0] if value else 0


def text(value: bytes | None) -> str:
    """A null-terminated string; empty if absent."""
    return value.partition(b"\0")[0].decode(errors="replace") if value else ""


def subnet_broadcast(address: bytes, prefix: int) -> bytes | None:
    """The broadcast address of an IPv4 address's subnet; /31 and /32 have none (RFC 3021)."""
    if len(address) != 4 or prefix > 30:
        return None
    return (int.from_bytes(address) | 0xFFFFFFFF >> prefix).to_bytes(4)


def ip(value: bytes | None) -> str | None:
    """An address, written as `ipaddress` does."""
    if value is None:
        return None
    if len(value) == 4:
        return inet_ntop(AF_INET, value)
    written = inet_ntop(AF_INET6, value)
    if "." not in written:
        return written
    import ipaddress  # inet_ntop(3) has dots in some IPv6 addresses

    return str(ipaddress.IPv6Address(value))
