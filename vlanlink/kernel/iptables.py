"""Read the policies of iptables-legacy (linux/netfilter_ipv4/ip_tables.h, netfilter/x_tables.h).

Its rules are in no nftables table. They are read where the table is in use: asking for another
would create it.
"""

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from vlanlink.dataclass import dataclass
from vlanlink.kernel.netlink.nftables import FilterChain
from vlanlink.kernel.syscalls import getsockopt

_TABLE = b"filter"
_GET_INFO, _GET_ENTRIES = 64, 65
_INFO = struct.Struct("=32sI5I5III")
"""Name, valid hooks, each hook's first entry and policy, number and size of entries."""
_ENTRIES = struct.Struct("=32sI4x")
_HOOKS: Final = {1: ("input", "INPUT"), 2: ("forward", "FORWARD")}
_TARGET = struct.Struct("=H29sBi")
"""Size, name, revision, and the verdict of one without a name."""
_DROP, _ACCEPT = -1, -2
_NOT_BY_LINK = 1
_LINK = re.compile(rb"[!-.0-~]{1,15}")


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    program: str
    family: socket.AddressFamily
    level: int
    in_use: str
    link: int
    """Offset of the incoming link's name in an entry."""
    inverted: int
    """Offset of the flags that turn its selectors round."""
    offsets: int
    """Offset of those of its target and of the next entry."""


_FAMILIES: Final = (
    _Family("ip", "iptables-legacy", socket.AF_INET, 0, "ip_tables_names", 16, 83, 88),
    _Family("ip6", "ip6tables-legacy", socket.AF_INET6, 41, "ip6_tables_names", 64, 132, 140),
)


def read_legacy_filters() -> Iterator[FilterChain]:
    """The chains of the calling thread's namespace that drop packets. Raises OSError."""
    for family in _FAMILIES:
        with suppress(FileNotFoundError):
            in_use = Path("/proc/thread-self/net", family.in_use).read_bytes().split()
            if _TABLE in in_use:
                yield from (c for c in _chains(family) if c.policy_drops or c.rules_drop)


def _chains(family: _Family) -> Iterator[FilterChain]:
    with socket.socket(family.family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 255) as raw:
        info = bytearray(_INFO.pack(_TABLE, *[0] * 13))
        getsockopt(raw.fileno(), family.level, _GET_INFO, info)
        _, _, *hooks, _, size = _INFO.unpack(info)
        data = bytearray(_ENTRIES.size + size)
        _ENTRIES.pack_into(data, 0, _TABLE, size)
        getsockopt(raw.fileno(), family.level, _GET_ENTRIES, data)
    entries = data[_ENTRIES.size :]
    policies = hooks[len(hooks) // 2 :]
    every = _walk(family, entries, 0, size)
    drops = any(verdict == _DROP for start, _, verdict in every if start not in policies)
    for number, (hook, name) in _HOOKS.items():
        first, policy = hooks[number], hooks[5 + number]
        chain = list(_walk(family, entries, first, policy + 1))
        yield FilterChain(
            hook,
            family.name,
            "filter",
            name,
            policy_drops=bool(chain) and chain[-1][2] == _DROP,
            rules_drop=drops,
            accepts=frozenset(
                link.decode() for _, link, verdict in chain if link and verdict == _ACCEPT
            ),
            program=family.program,
        )


def _walk(
    family: _Family, entries: bytearray, start: int, end: int
) -> Iterator[tuple[int, bytes, int | None]]:
    """Offset, incoming link and verdict of each entry in a part of the table."""
    while start < end and start + family.offsets + 4 <= len(entries):
        target, after = struct.unpack_from("=HH", entries, start + family.offsets)
        link = bytes(entries[start + family.link :][:16]).rstrip(b"\0")
        known = _LINK.fullmatch(link) and not entries[start + family.inverted] & _NOT_BY_LINK
        yield start, link if known else b"", _verdict(entries, start + target)
        if after == 0:
            return
        start += after


def _verdict(entries: bytearray, start: int) -> int | None:
    if start + _TARGET.size > len(entries):
        return None
    _, name, _, verdict = _TARGET.unpack_from(entries, start)
    word = name.rstrip(b"\0")
    if word == b"REJECT":
        return _DROP
    return int(verdict) if not word else None
