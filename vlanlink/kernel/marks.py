"""The mark on everything that vlanlink creates, stored in the kernel.

A link carries it twice. Its *group* (IFLA_GROUP) is set by the request that creates the link, so no
link of ours is ever unmarked: one byte identifies vlanlink, three bytes are a checksum of the
topology's name and the host's network namespace. Hosts that share /run/netns see each other's links
but don't mistake them for their own. Its *alias* (IFLA_IFALIAS), which takes a second request,
shows the topology's name to people. Addresses and routes carry a protocol number. A namespace's
mark is on its ``lo``.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

from vlanlink.dataclass import dataclass
from vlanlink.host import is_topology_name
from vlanlink.model import NAMELESS

PROTOCOL = 118
"""Our IFA_PROTO and RTA_PROTOCOL, unused in rtnetlink.h and iproute2."""

_PREFIX = "vlanlink:"
_MAGIC = 0x76 << 24
_UNKNOWN = rf"(?s){re.escape(NAMELESS)}([0-9a-f]{{6}}) ?(.*)"


def _unknown(owner: str) -> re.Match[str] | None:
    return re.fullmatch(_UNKNOWN, owner) if owner.startswith(NAMELESS) else None


@lru_cache(maxsize=256)
def _group(owner: str, host: int) -> int:
    unknown = _unknown(owner)
    if unknown:
        return _MAGIC | int(unknown[1], 16)
    return _MAGIC | crc32(f"{owner}@{host}".encode()) & 0xFFFFFF


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks of one host, keyed by its ``identity.identify`` number."""

    host: int

    def group(self, owner: str) -> int:
        """The link group for a topology."""
        return _group(owner, self.host)

    def alias(self, owner: str) -> str:
        """The link alias for a topology."""
        unknown = _unknown(owner)
        name = unknown[2] if unknown else owner
        return _PREFIX + name if name else ""

    def is_mark(self, group: int) -> bool:
        """True if a link group is one of vlanlink's."""
        return group & 0xFF000000 == _MAGIC

    def owner(self, group: int, alias: str, known: Iterable[str]) -> tuple[str | None, bool]:
        """The owner that a link's mark names, and whether the mark is complete.

        Group and alias together are the mark. A link without alias (a killed run leaves such links)
        has an owner if its group matches a ``known`` one. A foreign alias means that someone else
        adopted the link. A mark of another host, or a contradictory one, gets the owner ``?``, its
        checksum, and the name in the alias. Only here does a mark become a name: anyone may have
        written it, so an invalid topology name counts as none.
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
