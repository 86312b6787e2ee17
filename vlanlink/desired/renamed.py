"""Links of the host that are called otherwise than in what is kept on disk. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from vlanlink.desired.bound import altnames
from vlanlink.desired.context import Context
from vlanlink.model import State
from vlanlink.store.leases import Leases
from vlanlink.store.record import OriginalLink, Record, Records

_Value = TypeVar("_Value")


def with_names_of_now(context: Context, observed: State) -> Context:
    """The context, its records and leases by the names that parents have now."""
    names = _renamed(context.records, observed)
    if not names:
        return context
    others = {name: _leases(one, names) for name, one in context.other_leases.items()}
    own = context.records.own
    records = replace(
        context.records,
        own=own and _record(own, names),
        others=tuple(_record(one, names) for one in context.records.others),
    )
    return replace(
        context, records=records, leases=_leases(context.leases, names), other_leases=others
    )


def _renamed(records: Records, observed: State) -> dict[str, str]:
    """What links are called now, by their names in the records, or by their altnames."""
    links = observed.host.links
    by_index = {link.index: link.name for link in links.values() if link.index}
    found = {
        name: by_index[parent.index]
        for record in records.every()
        for name, parent in record.parents.items()
        if name not in links and parent.index in by_index
    }
    return {name: link.name for link in links.values() for name in altnames(link)} | found


def _record(record: Record, names: Mapping[str, str]) -> Record:
    parents = {
        names.get(name, name): replace(parent, formerly=name) if name in names else parent
        for name, parent in record.parents.items()
    }
    return replace(record, parents=parents, reserved=_keyed(record.reserved, names))


def _keyed(found: Mapping[str, _Value], names: Mapping[str, str]) -> dict[str, _Value]:
    return {names.get(name, name): value for name, value in found.items()}


def _leases(leases: Leases, names: Mapping[str, str]) -> Leases:
    parents = {network: names.get(parent, parent) for network, parent in leases.parents.items()}
    return replace(leases, parents=parents)


def name_of_now(former: str, parents: Mapping[str, OriginalLink]) -> str | None:
    """What a parent is called that had another name when it was recorded."""
    return next((name for name, one in parents.items() if one.formerly == former), None)
