"""The mark on what vlanlink makes, readable from the kernel alone.

A link bears it in two places. Its *group* (IFLA_GROUP) is taken from the very request that makes
it, so there is no instant at which a link of ours exists unmarked: one byte says vlanlink, three
are a checksum of the topology's name and of the host, which is a network namespace: hosts that
share /run/netns see each other's, and none takes another's for its own. Its *alias* (IFLA_IFALIAS),
which the kernel only takes from a second request, spells the name for people. Addresses and routes
bear a protocol number. The mark of a namespace stands on its ``lo``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from vlanlink.host import is_topology_name
from vlanlink.model import NAMELESS

PROTOCOL = 118
"""Our IFA_PROTO and RTA_PROTOCOL: a number that rtnetlink.h and iproute2 leave free."""

_PREFIX = "vlanlink:"
_MAGIC = 0x76 << 24
_UNKNOWN = re.compile(rf"{re.escape(NAMELESS)}([0-9a-f]{{6}}) ?(.*)", re.DOTALL)


@lru_cache(maxsize=256)
def _group(owner: str, host: int) -> int:
    unknown = _UNKNOWN.fullmatch(owner)
    if unknown:
        return _MAGIC | int(unknown[1], 16)
    return _MAGIC | crc32(f"{owner}@{host}".encode()) & 0xFFFFFF


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a host, which is told from others by the number of ``identity.identify``."""

    host: int

    def group(self, owner: str) -> int:
        """The link group that says: made by vlanlink for this topology."""
        return _group(owner, self.host)

    def alias(self, owner: str) -> str:
        """The alias that says it in words."""
        unknown = _UNKNOWN.fullmatch(owner)
        name = unknown[2] if unknown else owner
        return _PREFIX + name if name else ""

    def is_mark(self, group: int) -> bool:
        """Whether a link group is a mark of vlanlink."""
        return group & 0xFF000000 == _MAGIC

    def owner(self, group: int, alias: str, known: Iterable[str]) -> tuple[str | None, bool]:
        """The owner that a link's mark names, and whether the mark is whole.

        Group and alias together are the mark. A link without alias, as a killed run leaves it, has
        an owner if the group is that of a ``known`` one. Whoever gave it an alias of another kind
        has made it theirs. A mark of another host, or one that contradicts itself, belongs to
        ``?``, its checksum, and the name in the alias. This is the only place where a mark becomes
        a name: anyone may have written it, so one that no topology can have counts as none.
        """
        if not self.is_mark(group):
            return None, True
        if not alias:
            found = next((one for one in known if self.group(one) == group), None)
            return found or _nameless(group), found is None
        if not alias.startswith(_PREFIX):
            return None, True
        name = alias.removeprefix(_PREFIX)
        name = name if is_topology_name(name) else ""
        return (name if name and self.group(name) == group else _nameless(group, name)), True


def _nameless(group: int, name: str = "") -> str:
    return f"{NAMELESS}{group & 0xFFFFFF:06x} {name}".rstrip()
