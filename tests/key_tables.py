"""Every key of the topology file, table by table, as docs/topology.md shows them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from vlanlink.kinds import KINDS
from vlanlink.topology import forms, model, parts, toml
from vlanlink.topology.forms import Form
from vlanlink.topology.problems import one_of
from vlanlink.topology.tables import Entry, Row, keys_of, option_rows


class TableRows(NamedTuple):
    """A table of the file and its keys."""

    header: str
    rows: tuple[Row, ...]


def reference() -> Iterator[TableRows]:
    """All tables with their keys, and the options of each kind."""
    for header, entry, shared in _TABLES:
        rows = keys_of(entry).items()
        known = keys_of(shared) if shared else {}
        yield TableRows(header, tuple(row for name, row in rows if name not in known))
    for kind in KINDS:
        options = tuple(option_rows(kind).values())
        if options:
            yield TableRows(f'Links and networks with kind = "{kind}"', options)


_TABLES: Final[tuple[tuple[str, type[Entry], type[Entry] | None], ...]] = (
    ("[topology]", model.HeadingConfig, None),
    ("[networks.NAME]", model.NetworkConfig, None),
    ("parent, as a table", parts.ParentConfig, None),
    ("Each of a network's subnets", parts.SubnetConfig, None),
    ("A network's shim, as a table", parts.ShimConfig, None),
    ("[namespaces.NAME]", model.NamespaceConfig, None),
    ("Every link, interface and peer", model.EndpointConfig, None),
    ("[links.LINK] and [namespaces.NAME.interfaces.LINK]", model.LinkConfig, model.EndpointConfig),
    ("[namespaces.NAME.interfaces.LINK] only", model.InterfaceConfig, model.LinkConfig),
    ("A veth's peer", model.PeerConfig, model.EndpointConfig),
    ("Each of the routes", parts.RouteConfig, None),
    ("default_route, as a table", parts.DefaultRouteConfig, None),
    ("probe, as a table", parts.ProbeConfig, None),
    ("dhcp, as a table", parts.DhcpConfig, None),
    ("dhcp of an interface, as a table, too", parts.InterfaceDhcpConfig, parts.DhcpConfig),
    ("[host]", model.HostConfig, None),
    ("Each of the host's routes, too", parts.HostRouteConfig, parts.RouteConfig),
)
"""Header, entry, and the entry whose keys stand above."""


def noun(form: Form) -> str:
    """What a value is called."""
    match form:
        case forms.Text(name=name):
            return name
        case forms.Integer() | forms.Number():
            return f"a number from {form.minimum} to {form.maximum}"
        case forms.Choice(words=words) | forms.KindName(words=words):
            return one_of([toml.value(word) for word in words])
        case forms.Array(item=item):
            return f"a list, each {noun(item)}"
        case forms.ByName(item=item):
            return f"a table, name = {noun(item)}"
        case forms.SwitchByName(item=item):
            return f"true, false or a table, name = {noun(item)}"
        case forms.QosPairs():
            return f"a table, from = to (0 to {form.maximum_from} = 0 to {form.maximum_to})"
    return _NOUNS[type(form)]


_NOUNS: Final[Mapping[type, str]] = {
    forms.Boolean: "true or false",
    forms.Macs: "a list, each a MAC address",
    forms.Table: "a table",
    parts.Parent: "a string or a table",
    forms.Switch: "true, false or a table",
    parts.SysctlValue: "a number, a string or a boolean",
}


def as_markdown() -> str:
    """The reference as the documentation shows it."""
    return "\n".join(line for table in reference() for line in _section(table))


def _section(table: TableRows) -> Iterator[str]:
    yield from (
        f"### {table.header}",
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    )
    for row in table.rows:
        cells = (f"`{row.name}`", noun(row.form), _default(row), row.help)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _default(row: Row) -> str:
    if row.required:
        return "required"
    if row.default is None or not isinstance(row.default, bool | int | float | str):
        return ""
    shown: Any = row.default
    return f"`{toml.value(shown)}`"
