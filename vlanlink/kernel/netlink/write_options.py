"""The options of link kinds as attributes of IFLA_INFO_DATA, by the kinds' own tables.

From each table a message class is built and registered with pyroute2, whose own tables lack some
attributes.
"""

from collections.abc import Mapping
from typing import Any

from vlanlink.kernel.netlink.message import Attributes
from vlanlink.kernel.netlink.pyroute2_classes import ifinfmsg, nla
from vlanlink.kinds import KINDS, Choice, Flag, Kind, MacList, Number, Option, QosMap
from vlanlink.model import Setting


def _nested_pairs(number: int, name: str) -> type[Any]:
    """Nested attributes, each of two numbers (struct ifla_vlan_qos_mapping)."""
    pair = type("pair", (nla,), {"fields": (("from", "I"), ("to", "I"))})
    return type(name, (nla,), {"nla_map": ((number, "PAIR", "pair"),), "pair": pair})


def _kind_class(kind: Kind) -> type[Any]:
    """A pyroute2 message class for a kind's IFLA_INFO_DATA, built from its table."""
    rows: dict[int, tuple[int, str, str]] = {}
    body: dict[str, Any] = {"prefix": ""}
    for option in kind.options:
        name = attribute_name(option)
        match option:
            case Number() | Choice():
                rows[option.attribute] = (option.attribute, name, option.wire)
            case Flag():
                body["flags_and_mask"] = type(
                    "flags_and_mask", (nla,), {"fields": (("flags", "I"), ("mask", "I"))}
                )
                rows[option.attribute] = (option.attribute, name, "flags_and_mask")
            case QosMap():
                body[option.key] = _nested_pairs(1, option.key)
                rows[option.attribute] = (option.attribute, name, option.key)
            case MacList():
                entries = ((option.entry, "ENTRY", "l2addr"),)
                body[option.key] = type(option.key, (nla,), {"nla_map": entries})
                rows[option.attribute] = (option.attribute, name, option.key)
                rows[option.command] = (option.command, f"{name}_COMMAND", "uint32")
    body["nla_map"] = tuple(rows.values())
    return type(kind.name, (nla,), body)


def attribute_name(option: Option) -> str:
    """What the message class calls an option."""
    return f"OPTION_{option.attribute}"


ifinfmsg.ifinfo.register_link_kind(
    module={kind.name: _kind_class(kind) for kind in KINDS.values() if kind.options}
)


def encode_options(
    kind: Kind, options: Mapping[str, Setting], old: Mapping[str, Setting] | None = None
) -> Attributes:
    """A set of options as attributes of IFLA_INFO_DATA.

    ``old`` are the options of a living link: pairs of a QoS map that are not wanted any more are
    taken away by mapping them to 0.
    """
    attributes: Attributes = []
    flags = mask = 0
    flag_row = ""
    for option in kind.options:
        value = options.get(option.key)
        if value is None:
            continue
        name = attribute_name(option)
        match option:
            case Flag():
                flags |= option.bit if value else 0
                mask |= option.bit
                flag_row = name
            case Number():
                attributes.append((name, value))
            case Choice():
                attributes.append((name, option.choices[str(value)]))
            case QosMap():
                before = (old or {}).get(option.key) or ()
                pairs = _removed_pairs(before, value) + list(_pairs(value))
                if pairs:
                    rows = [("PAIR", {"from": a, "to": b}) for a, b in pairs]
                    attributes.append((name, {"attrs": rows}))
            case MacList():
                attributes += _encode_macs(option, name, value, living=old is not None)
    if mask:
        attributes.append((flag_row, {"flags": flags, "mask": mask}))
    return attributes


def _encode_macs(option: MacList, name: str, value: Setting, *, living: bool) -> Attributes:
    macs = value if isinstance(value, tuple) else ()
    if not macs:
        return [(f"{name}_COMMAND", option.command_flush)] if living else []
    return [
        (f"{name}_COMMAND", option.command_set),
        (name, {"attrs": [("ENTRY", mac) for mac in macs]}),
    ]


def _pairs(value: Setting) -> list[tuple[int, int]]:
    return [p for p in value if isinstance(p, tuple)] if isinstance(value, tuple) else []


def _removed_pairs(old: Setting, new: Setting) -> list[tuple[int, int]]:
    kept = {a for a, _ in _pairs(new)}
    return [(a, 0) for a, _ in _pairs(old) if a not in kept]
