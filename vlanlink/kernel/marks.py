"""The mark on what vlanlink makes, readable from the kernel alone.

A link bears it in two places. Its *group* (IFLA_GROUP) is taken from the very request that makes
it, so there is no instant at which a link of ours exists unmarked: one byte says vlanlink, three
are a checksum of the topology's name. Its *alias* (IFLA_IFALIAS), which the kernel only takes from
a second request, spells the name for people. Addresses and routes bear a protocol number. The mark
of a namespace stands on its ``lo``.
"""

from collections.abc import Iterable
from zlib import crc32

PROTOCOL = 118
"""Our IFA_PROTO and RTA_PROTOCOL: a number that rtnetlink.h and iproute2 leave free."""

NAMELESS = "?"
"""What the name of an owner begins with whose topology nothing here knows."""

_PREFIX = "vlanlink:"
_MAGIC = 0x76 << 24


def group_of(topology: str) -> int:
    """The link group that says: made by vlanlink for this topology."""
    return _MAGIC | crc32(topology.encode()) & 0xFFFFFF


def alias_of(topology: str) -> str:
    """The alias that says it in words."""
    return _PREFIX + topology


def owner_of(group: int, alias: str, known: Iterable[str]) -> tuple[str | None, bool]:
    """Whose a link is by its mark, and whether the mark is whole.

    Where the alias is missing the name is looked for among ``known`` ones; a mark of a topology
    that nothing here knows belongs to ``?`` and its checksum.
    """
    if group & 0xFF000000 != _MAGIC:
        return None, True
    name = alias.removeprefix(_PREFIX)
    if alias.startswith(_PREFIX) and group_of(name) == group:
        return name, True
    for name in known:
        if group_of(name) == group:
            return name, False
    return f"{NAMELESS}{group & 0xFFFFFF:06x}", False
