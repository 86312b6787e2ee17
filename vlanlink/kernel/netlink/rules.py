"""Read routing policy rules (ip-rule(8), linux/fib_rules.h)."""

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
_DST, _SRC, _IIF, _PRIORITY, _FWMARK, _TABLE, _OIF, _L3MDEV, _UIDS = 1, 2, 3, 6, 10, 15, 17, 19, 20
_INVERT = 2
_LOOKUP = 1
_ACTIONS: Final = {
    _LOOKUP: "lookup",
    2: "goto",
    3: "nop",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
}
_TABLES: Final = {TABLE_LOCAL: "local", TABLE_MAIN: "main", 253: "default"}
_MAIN_PRIORITY = 32766
_FAMILIES: Final = {AF_INET: 4, AF_INET6: 6}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the routing policy database."""

    family: int
    priority: int
    text: str
    """As `ip rule` prints it, without the priority."""
    is_local: bool = False
    """It is for table local, and every packet."""
    of_vrf: bool = False

    def __str__(self) -> str:
        """Priority and text."""
        return f"{self.priority}: {self.text}"


def before_main(rules: Iterable[Rule], family: int) -> tuple[Rule, ...]:
    """The rules of a family that are asked before the one for every packet's table main."""
    found = sorted((r for r in rules if r.family == family), key=lambda rule: rule.priority)
    main = next((r.priority for r in found if r.text == "from all lookup main"), _MAIN_PRIORITY)
    return tuple(r for r in found if r.priority < main and not (r.is_local or r.of_vrf))


def read_rules(socket: Socket) -> tuple[Rule, ...]:
    """The rules of the socket's namespace. Raises OSError."""
    found: list[Rule] = []
    for family in _FAMILIES:
        body = _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        for message in socket.dump(request(_GETRULE, _REQUEST_DUMP, body)):
            if len(message) >= 16 + _HEADER.size:
                found.append(_decode(message))
    return tuple(found)


def _decode(message: bytes) -> Rule:
    family, to, source, _, table, _, _, action, flags = _HEADER.unpack_from(message, 16)
    values = dict(attributes(message, 16 + _HEADER.size))
    priority = _number(values, _PRIORITY)
    table = _number(values, _TABLE) or table
    vrf = bool(_number(values, _L3MDEV) & 0xFF)
    words = [
        *(["not"] if flags & _INVERT else []),
        f"from {_prefix(values.get(_SRC), source)}",
        *_selectors(values, to),
        _ACTIONS.get(action, f"action {action}"),
        *([_TABLES.get(table, str(table))] if action == _LOOKUP else []),
    ]
    text = " ".join(words)
    local = text == "from all lookup local"
    return Rule(_FAMILIES.get(family, 4), priority, text, is_local=local, of_vrf=vrf)


def _selectors(values: Mapping[int, bytes], length: int) -> Iterator[str]:
    if _DST in values:
        yield f"to {_prefix(values[_DST], length)}"
    if _FWMARK in values:
        yield f"fwmark {_number(values, _FWMARK):#x}"
    for number, word in ((_IIF, "iif"), (_OIF, "oif")):
        if number in values:
            yield f"{word} {values[number].rstrip(bytes(1)).decode(errors='replace')}"
    if _UIDS in values:
        yield "uidrange"


def _prefix(address: bytes | None, length: int) -> str:
    if address is None or len(address) not in (4, 16):
        return "all"
    return f"{inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)}/{length}"


def _number(values: Mapping[int, bytes], key: int) -> int:
    return int.from_bytes(values.get(key, b""), sys.byteorder)
