"""The options of links as netlink attributes, written and read by the tables of ``kinds``."""

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from vlanlink.kernel.netlink import message
from vlanlink.kernel.netlink.attributes import attributes, text, u32
from vlanlink.kinds import (
    COMMON,
    Choice,
    Flag,
    InterfaceFlag,
    Kind,
    Mac,
    MacList,
    Names,
    Number,
    Option,
    QosMap,
)
from vlanlink.model import Setting

_WIRES = {
    "uint16": struct.Struct("=H"),
    "uint32": struct.Struct("=I"),
    "be16": struct.Struct(">H"),
}
_PAIR = struct.Struct("=II")
"""struct ifla_vlan_qos_mapping, struct ifla_vlan_flags."""
_QOS_MAPPING = 1


# -- written -----------------------------------------------------------------------------------


def encode_options(
    kind: Kind, options: Mapping[str, Setting], old: Mapping[str, Setting] | None = None
) -> list[bytes]:
    """The options of a kind as attributes of IFLA_INFO_DATA.

    ``old`` are the options of an existing link: pairs of a QoS map that are no longer wanted are
    removed by mapping them to 0.
    """
    found: list[bytes] = []
    flags: dict[int, tuple[int, int]] = {}
    for option in kind.options:
        value = options.get(option.key)
        if value is None:
            continue
        match option:
            case Flag():
                on, mask = flags.get(option.attribute, (0, 0))
                flags[option.attribute] = on | (option.bit if value else 0), mask | option.bit
            case QosMap():
                found += _qos_map(option, _pairs(value), _pairs(old.get(option.key)) if old else [])
            case MacList():
                found += _mac_list(option, _words(value), existing=old is not None)
            case _:
                found.append(_encode(option, value))
    return found + [message.attribute(number, _PAIR.pack(*pair)) for number, pair in flags.items()]


def encode_common(settings: Mapping[str, Setting]) -> Iterator[bytes]:
    """The common options that are attributes of the link itself."""
    for option in COMMON:
        value = settings.get(option.key)
        if option.at_creation and value is not None:
            yield _encode(option, value)


def flags_and_mask(settings: Mapping[str, Setting]) -> tuple[int, int]:
    """The link's own flags that ``settings`` ask for, and which of them to change."""
    flags = mask = 0
    for option in COMMON:
        if isinstance(option, InterfaceFlag) and option.key in settings:
            flags |= option.bit if settings[option.key] else 0
            mask |= option.bit
    return flags, mask


def encode_names(option: Names, names: set[str]) -> bytes:
    """Names as one attribute."""
    rows = [message.text(option.entry, name) for name in sorted(names)]
    return message.nested(option.attribute | message.NESTED, *rows)


def _encode(option: Option, value: Setting) -> bytes:
    match option:
        case Number() if isinstance(value, int):
            return message.attribute(option.attribute, _WIRES[option.wire].pack(value))
        case Choice():
            number = option.choices[str(value)]
            return message.attribute(option.attribute, _WIRES[option.wire].pack(number))
        case Mac():
            return message.mac(option.attribute, str(value))
    raise TypeError(f"{option.key} can't be {value!r}")


def _qos_map(option: QosMap, new: list[tuple[int, int]], old: list[tuple[int, int]]) -> list[bytes]:
    kept = {start for start, _ in new}
    removed = [(start, 0) for start, _ in old if start not in kept]
    rows = [message.attribute(_QOS_MAPPING, _PAIR.pack(*pair)) for pair in (*removed, *new)]
    return [message.nested(option.attribute, *rows)] if rows else []


def _mac_list(option: MacList, macs: tuple[str, ...], *, existing: bool) -> list[bytes]:
    if not macs:
        return [message.u32(option.command, option.command_flush)] if existing else []
    rows = [message.mac(option.entry, mac) for mac in macs]
    return [
        message.u32(option.command, option.command_set),
        message.nested(option.attribute, *rows),
    ]


def _words(value: Setting) -> tuple[str, ...]:
    return tuple(w for w in value if isinstance(w, str)) if isinstance(value, tuple) else ()


def _pairs(value: Setting) -> list[tuple[int, int]]:
    return [p for p in value if isinstance(p, tuple)] if isinstance(value, tuple) else []


# -- read --------------------------------------------------------------------------------------


def decode_options(kind: Kind, data: bytes) -> dict[str, Setting]:
    """The options of a kind out of IFLA_INFO_DATA; absent lists are empty, absent flags off."""
    raw = dict(attributes(data))
    found = {option.key: _decode(option, raw.get(option.attribute)) for option in kind.options}
    return {key: value for key, value in found.items() if value is not None}


def decode_common(raw: Mapping[int, bytes], flags: int) -> dict[str, Setting]:
    """The common options out of a link's attributes and flags; None for those it has not."""
    found = {key: read(raw.get(number)) for key, number, read in _READERS}
    for key, bit in _FLAGS:
        found[key] = bool(flags & bit)
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


def _reader(option: Option) -> Callable[[bytes | None], Setting]:
    match option:
        case Names(entry=entry):
            return lambda raw: _read_names(raw, entry)
        case Mac():
            return lambda raw: raw.hex(":") if raw else None
    return lambda raw: u32(raw) if raw else None


def _read_names(raw: bytes | None, entry: int) -> tuple[str, ...]:
    rows = attributes(raw) if raw else ()
    return tuple(sorted(text(value) for number, value in rows if number == entry))


_READERS: Final = tuple((o.key, o.attribute, _reader(o)) for o in COMMON if o.attribute)
_FLAGS: Final = tuple((o.key, o.bit) for o in COMMON if isinstance(o, InterfaceFlag))
