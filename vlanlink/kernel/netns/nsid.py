"""Namespace ids: which namespace a link's parent or peer is in (ip-netns(8), IFLA_LINK_NETNSID).

An ifindex alone does not tell: containers number their links alike, so most have a link 2.
"""

import struct
from collections.abc import Iterable

from vlanlink.kernel.netlink.attributes import first
from vlanlink.kernel.netlink.constants import ACK, REQUEST
from vlanlink.kernel.netlink.message import request, u32
from vlanlink.kernel.netns.namespaces import Namespaces

_GETNSID, _NETNSA_NSID, _NETNSA_FD = 90, 1, 3
_NO_ID = -1  # NETNSA_NSID_NOT_ASSIGNED
_RTGENMSG = bytes(4)
_NETLINK_HEADER = 16


class NamespaceIds:
    """The ids that open namespaces have for each other, asked for once each."""

    def __init__(self, namespaces: Namespaces) -> None:
        """Ask nothing yet."""
        self._namespaces = namespaces
        self._known: dict[tuple[str, str], int] = {}

    def find(self, here: str, nsid: int, candidates: Iterable[str]) -> str | None:
        """The candidate that namespace ``here`` knows by ``nsid``. Raises OSError."""
        return next((there for there in candidates if self._id(here, there) == nsid), None)

    def _id(self, here: str, there: str) -> int:
        """The id that ``here`` has for ``there``; -1 if it has none, or one of them has gone."""
        if (here, there) not in self._known:
            try:
                self._known[here, there] = self._ask(here, there)
            except (FileNotFoundError, ProcessLookupError):
                self._known[here, there] = _NO_ID
        return self._known[here, there]

    def _ask(self, here: str, there: str) -> int:
        descriptor = self._namespaces.descriptor(there)
        message = request(_GETNSID, REQUEST | ACK, _RTGENMSG, u32(_NETNSA_FD, descriptor))
        answer = self._namespaces.socket(here).dump(message)[0]
        value = first(answer[_NETLINK_HEADER + len(_RTGENMSG) :], _NETNSA_NSID)
        return int(struct.unpack("=i", value)[0]) if value else _NO_ID
