"""The options of a link out of its IFLA_INFO_DATA, by the tables of the kinds."""

import struct

from vlanlink.kernel.netlink.attributes import attributes
from vlanlink.kinds import Choice, Flag, Kind, MacList, Number, Option, QosMap
from vlanlink.model import Setting

_WIRES = {
    "uint16": struct.Struct("=H"),
    "uint32": struct.Struct("=I"),
    "be16": struct.Struct(">H"),
}
_PAIR = struct.Struct("=II")
"""struct ifla_vlan_qos_mapping."""


def decode_options(kind: Kind, data: bytes) -> dict[str, Setting]:
    """The options of a link of ``kind``; absent lists are empty, flags that are absent off."""
    if not kind.options:
        return {}
    raw = dict(attributes(data))
    found: dict[str, Setting] = {}
    for option in kind.options:
        value = _decode(option, raw.get(option.attribute))
        if value is not None:
            found[option.key] = value
    return found


def _decode(option: Option, raw: bytes | None) -> Setting:
    match option:
        case QosMap():
            rows = attributes(raw or b"")
            return tuple(sorted(_PAIR.unpack_from(row) for _, row in rows))
        case MacList():
            return tuple(sorted(mac.hex(":") for _, mac in attributes(raw or b"")))
        case Flag():  # flags that are all off are not sent at all
            return bool(raw and struct.unpack_from("=I", raw)[0] & option.bit)
        case Number() | Choice() if raw:
            number: int = _WIRES[option.wire].unpack_from(raw)[0]
            return _word(option, number) if isinstance(option, Choice) else number
    return None


def _word(option: Choice, number: int) -> str:
    return next((w for w, n in option.choices.items() if n == number), str(number))
