"""Read routing policy rules (ip-rule(8), linux/fib_rules.h)."""

import errno
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.kernel.netlink.attributes import attributes
from vlanlink.kernel.netlink.message import request
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.model import TABLE_LOCAL, TABLE_MAIN

_HEADER = struct.Struct("=8BI")
"""Family, lengths of destination and source, TOS, table, two reserved bytes, action, flags."""
_GETRULE, _REQUEST_DUMP = 34, 0x301
_DST, _SRC, _IIF, _GOTO, _PRIORITY, _FWMARK, _TUN_ID, _IFGROUP, _PREFIX_LENGTH = (
    *(1, 2, 3, 4, 6, 10),
    *(12, 13, 14),
)
_TABLE, _FWMASK, _OIF, _L3MDEV, _UIDS, _PROTOCOL, _SOURCE_PORT, _PORT = (
    15,
    16,
    17,
    19,
    20,
    22,
    23,
    24,
)
_INVERT = 2
_NOTHING = 0xFFFFFFFF
"""Of a mask: all bits count. Of what is suppressed: nothing is."""
_LOOKUP, _TO_RULE = 1, 2
_ACTIONS: Final = {
    3: "nop",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
}
_TABLES: Final = {TABLE_LOCAL: "local", TABLE_MAIN: "main", 253: "default"}
_MAIN_PRIORITY = 32766
_PROTOCOLS: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp"}
_FAMILIES: Final = {AF_INET: 4, AF_INET6: 6}
_RANGE: Final = struct.Struct("=HH")
_UID_RANGE: Final = struct.Struct("=II")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the routing policy database."""

    family: int
    priority: int
    text: str
    """As `ip rule` prints it, without the priority."""
    is_local: bool = False
    """It is for table local, and every packet."""
    is_main: bool = False
    """It is for table main, and every packet; for all of its routes or only for specific ones."""
    of_vrf: bool = False

    def __str__(self) -> str:
        """Priority and text."""
        return f"{self.priority}: {self.text}"


def before_main(rules: Iterable[Rule], family: int) -> tuple[Rule, ...]:
    """The rules of a family that are asked before the one for every packet's table main."""
    found = sorted((r for r in rules if r.family == family), key=lambda rule: rule.priority)
    main = next((r.priority for r in found if r.is_main), _MAIN_PRIORITY)
    return tuple(r for r in found if r.priority < main and not (r.is_local or r.of_vrf))


def read_rules(socket: Socket) -> tuple[Rule, ...]:
    """The rules of the socket's namespace. Raises OSError."""
    return tuple(rule for family in _FAMILIES for rule in _of_family(socket, family))


def _of_family(socket: Socket, family: int) -> Iterator[Rule]:
    body = _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
    try:
        messages = socket.dump(request(_GETRULE, _REQUEST_DUMP, body))
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:  # a kernel without IPv6, or without rules
            return
        raise
    for message in messages:
        if len(message) >= 16 + _HEADER.size:
            yield _decode(message)


def _decode(message: bytes) -> Rule:
    family, to, source, tos, table, _, _, action, flags = _HEADER.unpack_from(message, 16)
    values = dict(attributes(message, 16 + _HEADER.size))
    selectors = [
        *(["not"] if flags & _INVERT else []),
        f"from {_prefix(values.get(_SRC), source)}",
        *_selectors(values, to, tos),
    ]
    table = _number(values, _TABLE) or table
    vrf = bool(_number(values, _L3MDEV) & 0xFF)
    everything = selectors == ["from all"] and action == _LOOKUP and not vrf
    return Rule(
        _FAMILIES.get(family, 4),
        _number(values, _PRIORITY),
        " ".join([*selectors, *_action(values, action, table, vrf=vrf)]),
        is_local=everything and table == TABLE_LOCAL,
        is_main=everything and table == TABLE_MAIN,
        of_vrf=vrf,
    )


def _selectors(values: Mapping[int, bytes], length: int, tos: int) -> Iterator[str]:
    if _DST in values:
        yield f"to {_prefix(values[_DST], length)}"
    if tos:
        yield f"tos {tos:#04x}"
    if _FWMARK in values:
        mask = _number(values, _FWMASK) if _FWMASK in values else _NOTHING
        yield f"fwmark {_number(values, _FWMARK):#x}" + (f"/{mask:#x}" if mask != _NOTHING else "")
    for number, word in ((_IIF, "iif"), (_OIF, "oif")):
        if number in values:
            yield f"{word} {values[number].rstrip(bytes(1)).decode(errors='replace')}"
    if _UIDS in values:
        yield f"uidrange {_range(values[_UIDS], _UID_RANGE, always=True)}"
    if _PROTOCOL in values:
        protocol = values[_PROTOCOL][:1].hex() or "0"
        yield f"ipproto {_PROTOCOLS.get(int(protocol, 16), f'ipproto-{int(protocol, 16)}')}"
    for number, word in ((_SOURCE_PORT, "sport"), (_PORT, "dport")):
        if number in values:
            yield f"{word} {_range(values[number], _RANGE)}"
    if _TUN_ID in values:
        yield f"tun_id {int.from_bytes(values[_TUN_ID], 'big')}"


def _range(value: bytes, form: struct.Struct, *, always: bool = False) -> str:
    if len(value) < form.size:
        return "?"
    first, last = form.unpack_from(value)
    return f"{first}-{last}" if always or first != last else str(first)


def _action(values: Mapping[int, bytes], action: int, table: int, *, vrf: bool) -> Iterator[str]:
    if action == _TO_RULE:
        yield f"goto {_number(values, _GOTO)}"
    elif action != _LOOKUP:
        yield _ACTIONS.get(action, f"action {action}")
    else:
        yield f"lookup {'[l3mdev-table]' if vrf else _TABLES.get(table, table)}"
        for number, word in ((_PREFIX_LENGTH, "prefixlength"), (_IFGROUP, "ifgroup")):
            if (value := _number(values, number)) != _NOTHING and number in values:
                yield f"suppress_{word} {value}"


def _prefix(address: bytes | None, length: int) -> str:
    if address is None or len(address) not in (4, 16):
        return "all"
    text = inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)
    return text if length == 8 * len(address) else f"{text}/{length}"


def _number(values: Mapping[int, bytes], key: int) -> int:
    return int.from_bytes(values.get(key, b""), sys.byteorder)
