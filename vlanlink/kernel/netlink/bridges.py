"""VLAN-aware bridges: the VLANs that are open to the host itself (linux/if_bridge.h)."""

import struct
from typing import Final

from vlanlink.kernel.netlink import message
from vlanlink.kernel.netlink.attributes import attributes, first
from vlanlink.kernel.netlink.constants import (
    ACK,
    AF_BRIDGE,
    DELLINK,
    DUMP,
    GETLINK,
    REQUEST,
    SETLINK,
)

_IFINFOMSG = struct.Struct("=BxHiII")
_HEADER = 16
_IFLA_BR_VLAN_FILTERING = 7
_IFLA_AF_SPEC, _IFLA_EXT_MASK = 26, 29
_COMPRESSED = 4
"""RTEXT_FILTER_BRVLAN_COMPRESSED: VLANs as ranges."""
_IFLA_BRIDGE_FLAGS, _IFLA_BRIDGE_VLAN_INFO = 0, 2
_SELF = 2
_VLAN_INFO = struct.Struct("=HH")
"""struct bridge_vlan_info: flags, id."""
_RANGE_BEGIN, _RANGE_END = 8, 16

DUMP_BRIDGES: Final = bytes(
    message.request(
        GETLINK,
        REQUEST | DUMP,
        _IFINFOMSG.pack(AF_BRIDGE, 0, 0, 0, 0),
        message.u32(_IFLA_EXT_MASK, _COMPRESSED),
    )
)
"""A request for all bridges and their ports, with their VLANs."""


def is_vlan_aware(options: bytes) -> bool:
    """Whether a bridge filters by VLAN, by its IFLA_INFO_DATA."""
    return first(options, _IFLA_BR_VLAN_FILTERING) not in (None, b"\0")


def open_vlans(data: bytes) -> tuple[int, frozenset[int]]:
    """The ifindex of a bridge or port, and its VLANs, from a message of the dump."""
    _, _, index, _, _ = _IFINFOMSG.unpack_from(data, _HEADER)
    spec = dict(attributes(data, _HEADER + _IFINFOMSG.size)).get(_IFLA_AF_SPEC, b"")
    found: set[int] = set()
    start = 0
    for number, value in attributes(spec):
        if number != _IFLA_BRIDGE_VLAN_INFO:
            continue
        flags, vlan = _VLAN_INFO.unpack_from(value)
        start = vlan if flags & _RANGE_BEGIN or not flags & _RANGE_END else start
        found |= set(range(start, vlan + 1))
    return index, frozenset(found)


def set_vlan(index: int, vlan: int, *, is_open: bool) -> bytearray:
    """The message of `bridge vlan add|del dev BRIDGE vid VLAN self`."""
    return message.request(
        SETLINK if is_open else DELLINK,
        REQUEST | ACK,
        _IFINFOMSG.pack(AF_BRIDGE, 0, index, 0, 0),
        message.nested(
            _IFLA_AF_SPEC,
            message.attribute(_IFLA_BRIDGE_FLAGS, struct.pack("=H", _SELF)),
            message.attribute(_IFLA_BRIDGE_VLAN_INFO, _VLAN_INFO.pack(0, vlan)),
        ),
    )
