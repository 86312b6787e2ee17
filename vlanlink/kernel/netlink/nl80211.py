"""Which links are Wi-Fi wifi_clients, asked by nl80211 (linux/nl80211.h).

sysfs would tell as well, but of the namespace that it was mounted in, not of the one asked about.
"""

import struct
import sys
from collections.abc import Iterator, Mapping

from vlanlink.kernel.netlink.attributes import attributes
from vlanlink.kernel.netlink.message import request
from vlanlink.kernel.netlink.socket import Socket

NETLINK_GENERIC = 16
"""The protocol number (linux/netlink.h), which Python's socket module lacks."""

_GENERIC = struct.Struct("=BBxx")
_BODY = 16 + _GENERIC.size

_GENL_ID_CTRL = 16
_CTRL_CMD_GETFAMILY, _CTRL_ATTR_FAMILY_ID, _CTRL_ATTR_FAMILY_NAME = 3, 1, 2
_NL80211_CMD_GET_INTERFACE = 5
_ATTR_IFINDEX, _ATTR_IFTYPE, _ATTR_4ADDR = 3, 5, 83
_STATION, _P2P_CLIENT = 2, 8
_U16, _U32 = 2, 4
_REQUEST_DUMP = 0x301


def wifi_clients(generic: Socket) -> frozenset[int]:
    """The numbers of the links that can send under their own MAC alone.

    That is a station that talks to an access point (IEEE 802.11), unless it uses frames of four
    addresses (WDS). ``generic`` is a socket of generic netlink in the namespace asked about.
    Raises OSError.
    """
    family = _family(generic, b"nl80211")
    if family is None:
        return frozenset()
    found = set()
    for values in _dump(generic, family, _NL80211_CMD_GET_INTERFACE):
        index, kind = (_number(values, key, _U32) for key in (_ATTR_IFINDEX, _ATTR_IFTYPE))
        four_addresses = any(values.get(_ATTR_4ADDR, b""))
        if index is not None and kind in (_STATION, _P2P_CLIENT) and not four_addresses:
            found.add(index)
    return frozenset(found)


def _family(generic: Socket, name: bytes) -> int | None:
    """The number of a family that is there. Asking for one by name would load its module."""
    for values in _dump(generic, _GENL_ID_CTRL, _CTRL_CMD_GETFAMILY):
        if values.get(_CTRL_ATTR_FAMILY_NAME, b"").rstrip(b"\0") == name:
            return _number(values, _CTRL_ATTR_FAMILY_ID, _U16)
    return None


def _dump(generic: Socket, family: int, command: int) -> Iterator[dict[int, bytes]]:
    for message in generic.dump(request(family, _REQUEST_DUMP, _GENERIC.pack(command, 1))):
        yield dict(attributes(message, _BODY))


def _number(values: Mapping[int, bytes], key: int, size: int) -> int | None:
    """The number of an attribute; None where it is missing, or of another size."""
    value = values.get(key, b"")
    return int.from_bytes(value, sys.byteorder) if len(value) == size else None
