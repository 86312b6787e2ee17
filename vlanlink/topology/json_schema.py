"""The JSON schema of a topology file, made from the key tables. Pure.

Draft 7, because editors know it best. It describes one value at a time; what several values must
be to each other is for ``validate``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from vlanlink.kinds import KINDS, Kind
from vlanlink.topology import forms, parts, values
from vlanlink.topology.forms import Form
from vlanlink.topology.model import InterfaceConfig, LinkConfig, NetworkConfig, Topology
from vlanlink.topology.tables import Entry, Row, keys_of, option_rows

Schema = dict[str, Any]

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
FILE_NAME: Final = "vlanlink.schema.json"
DIRECTIVE: Final = f"#:schema ./{FILE_NAME}"
"""First line of a topology: editors find the schema beside the file."""


def schema() -> Schema:
    """JSON schema of the topology file, for editors and linters."""
    return {
        "$schema": DRAFT,
        "title": "vlanlink topology",
        "description": "VLAN, macvlan and ipvlan networks of one host",
        **_object(Topology.rows({}).values()),
        "definitions": dict(sorted(_definitions().items())),
    }


def _definitions() -> dict[str, Schema]:
    """The schema of every table that another one names."""
    found: dict[str, Schema] = {}
    waiting: list[type[Entry]] = [*_tables(Topology.rows({}).values())]
    while waiting:
        table = waiting.pop()
        if _name(table) not in found:
            found[_name(table)] = _table(table)
            waiting += _tables(keys_of(table).values())
    return found


def _tables(rows: Iterable[Row]) -> Iterator[type[Entry]]:
    for row in rows:
        form: Any = row.form
        while isinstance(form, forms.Array | forms.ByName):
            form = form.item
        if isinstance(form, forms.Table | forms.Switch | parts.Parent):
            yield cast("type[Entry]", form.entry)


def _name(table: type[Entry]) -> str:
    return table.__name__.removesuffix("Config").lower()


def _table(table: type[Entry]) -> Schema:
    about = {"description": (table.__doc__ or "").partition("\n")[0].rstrip(".")}
    if table is NetworkConfig:
        return {**about, "oneOf": [_network(KINDS[name]) for name in values.NETWORK_KINDS]}
    if table is LinkConfig:
        return {**about, "oneOf": [_link(table, kind) for kind in KINDS.values()]}
    if table is InterfaceConfig:
        standalone = [_link(table, kind) for kind in KINDS.values()]
        return {**about, "oneOf": [_endpoint(), *standalone]}
    return {**about, **_object(keys_of(table).values())}


def _network(kind: Kind) -> Schema:
    return _of_kind(kind, keys_of(NetworkConfig))


def _link(table: type[Entry], kind: Kind) -> Schema:
    absent = {"network"}
    absent |= set() if kind.has_parent else {"parent", "take_parent"}
    absent |= set() if kind.has_peer else {"peer"}
    rows = {key: row for key, row in keys_of(table).items() if key not in absent}
    named = [key for key in ("parent", "peer") if key in rows]
    return _of_kind(kind, rows, required=named)


def _endpoint() -> Schema:
    absent = ("kind", "parent", "peer", "probe", "take_parent")
    rows = [row for key, row in keys_of(InterfaceConfig).items() if key not in absent]
    return {"title": "endpoint of a network", **_object(rows, required=["network"])}


def _of_kind(kind: Kind, rows: Mapping[str, Row], *, required: Iterable[str] = ()) -> Schema:
    both = {**rows, **option_rows(kind.name)}
    found = _object(both.values(), required=["kind", *required])
    found["properties"]["kind"] = {"const": kind.name, "description": rows["kind"].help}
    return {"title": kind.name, **found}


def _object(rows: Iterable[Row], *, required: Iterable[str] = ()) -> Schema:
    known = list(rows)
    needed = sorted({row.name for row in known if row.required} | set(required))
    return {
        "type": "object",
        "properties": {row.name: _property(row) for row in known},
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }


def _property(row: Row) -> Schema:
    found = _value(row.form)
    if "$ref" in found:  # draft 7 ignores what stands beside a reference
        found = {"allOf": [found]}
    found = {"description": row.help, **found}
    if row.default is not None and isinstance(row.default, bool | int | float | str):
        found["default"] = row.default
    if row.name in _EXAMPLES:
        found["examples"] = list(_EXAMPLES[row.name])
    return found


_EXAMPLES: Final[Mapping[str, tuple[Any, ...]]] = {
    "parent": ("eth0", "eth0.50", {"mac": "52:54:00:12:34:56", "vlan": 50}),
    "network": ("pub",),
    "name": ("office",),
    "mtu": (1500, 9000),
    "sysctls": ({"net.ipv4.ip_forward": 1},),
    "aux_addresses": ({"printer": "192.0.2.200"},),
    "hosts": ({"printer": "192.0.2.200"},),
    "dev": ("eth0",),
    "path": ("/proc/1234/ns/net",),
    "altnames": (["uplink"],),
    "egress_qos": ({"0": 1},),
    "ingress_qos": ({"1": 0},),
    "subnets": ([{"subnet": "192.0.2.0/24", "gateway": "192.0.2.1"}],),
    "routes": ([{"to": "10.0.0.0/8", "via": "192.0.2.2"}],),
}
"""Examples by key; other values have those of their form."""


def _value(form: Form) -> Schema:
    """The schema of a value of ``form``."""
    match form:
        case forms.Text(parse=parse):
            return {"type": "string", **_TEXTS.get(parse, {})}
        case forms.Integer() | forms.Number():
            word = "integer" if isinstance(form, forms.Integer) else "number"
            return {"type": word, "minimum": form.minimum, "maximum": form.maximum}
        case forms.Choice(words=words) | forms.KindName(words=words):
            return {"enum": list(words)}
        case forms.Array(item=item):
            return {"type": "array", "items": _value(item)}
        case forms.ByName(item=item):
            return {"type": "object", "additionalProperties": _value(item)}
        case forms.SwitchByName(item=item):
            return {"anyOf": [{"type": "boolean"}, _value(forms.ByName(item))]}
        case forms.QosPairs(maximum_to=maximum):
            priority = {"type": "integer", "minimum": 0, "maximum": maximum}
            return {
                "type": "object",
                "patternProperties": {"^[0-9]+$": priority},
                "additionalProperties": False,
            }
        case forms.Table(entry=entry):
            return _reference(entry)
        case parts.Parent(entry=entry):
            return {"anyOf": [{"type": "string"}, _reference(entry)]}
        case forms.Switch(entry=entry):
            return {"anyOf": [{"type": "boolean"}, _reference(entry)]}
    return dict(_PLAIN[type(form)])


def _reference(entry: Any) -> Schema:
    return {"$ref": f"#/definitions/{_name(entry)}"}


_IPV4: Final = r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}"
_IPV6: Final = r"[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}(\.[0-9]+){0,3}"
_ADDRESS: Final = rf"({_IPV4}|{_IPV6})"
_LENGTH: Final = r"/[0-9]{1,3}"
_MAC: Final = {
    "pattern": "^[0-9A-Fa-f][02468ACEace]([:-]?[0-9A-Fa-f]{2}){5}$",
    "examples": ["02:42:ac:10:03:0f"],
}
_IP: Final = {"pattern": f"^{_ADDRESS}$", "examples": ["192.0.2.1", "2001:db8::1"]}

_TEXTS: Final[Mapping[Callable[[str], Any], Schema]] = {
    values.address: _IP,
    values.unicast_address: _IP,
    values.name_server: _IP,
    values.host_part: {"pattern": f"^{_IPV6}$", "examples": ["::42"]},
    values.unit_name: {
        "pattern": r"^[A-Za-z0-9:_.@\\-]+\.(service|socket)$",
        "examples": ["nginx.service"],
    },
    values.domain: {
        "pattern": r"^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$",
        "examples": ["example.org"],
    },
    values.mac: _MAC,
    values.prefix: {
        "pattern": f"^{_ADDRESS}{_LENGTH}$",
        "examples": ["192.0.2.0/24", "2001:db8::/64"],
    },
    values.destination: {
        "pattern": f"^(default|{_ADDRESS}({_LENGTH})?)$",
        "examples": ["10.0.0.0/8", "default"],
    },
    values.entry: {
        "pattern": f"^(auto|dhcp|{_ADDRESS}({_LENGTH})?)$",
        "examples": ["192.0.2.5", "192.0.2.5/24", "auto"],
    },
    values.topology_name: {
        "pattern": r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$",
        "examples": ["office"],
    },
}
"""Pattern and examples by the parser of a string."""

_PLAIN: Final[Mapping[type, Schema]] = {
    forms.Boolean: {"type": "boolean"},
    forms.Macs: {"type": "array", "items": {"type": "string", **_MAC}},
    parts.SysctlValue: {"type": ["integer", "string", "boolean"]},
}
