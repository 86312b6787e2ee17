"""Namespaces that are set aside: they stay as they are while the rest is put right. Pure.

``watch`` sets a namespace aside where somebody in it stands in the way of its repair.
"""

from collections.abc import Iterator

from vlanlink.dataclass import replace
from vlanlink.desired.builder import Builder
from vlanlink.model import LinkName
from vlanlink.store.record import Record


def leave_namespaces(builder: Builder) -> None:
    """Desire the namespaces that are set aside as they are, before others are added."""
    for name in builder.context.aside & builder.observed.namespaces.keys():
        space = builder.observed.namespaces[name]
        builder.namespaces[name] = replace(space, links={}, routes=frozenset(), sysctls={})
        builder.aside.add(name)


def leave_links(builder: Builder) -> None:
    """Desire our links and routes there as they are, and the ends of pairs that are elsewhere."""
    for name in builder.aside:
        space = builder.observed.namespaces[name]
        for link in space.links.values():
            if link.owner == builder.name:
                builder.keep(link)
        for route in space.routes:
            if route.ours:
                builder.add_route(name, route)
    for key in _other_ends(builder):
        seen = builder.observed.link(key)
        if seen and seen.owner == builder.name and key not in builder.links:
            builder.keep(seen)


def _other_ends(builder: Builder) -> Iterator[LinkName]:
    for name, entry in builder.topology.links.items():
        if entry.peer and entry.peer.namespace in builder.aside:
            yield LinkName("", name)


def recorded(builder: Builder, record: Record) -> Record:
    """The record with what the record before has of the namespaces that are set aside."""
    own = builder.records.own
    if own is None or not builder.aside:
        return record
    routes = [route for route in own.routes if route[0] in builder.aside]
    return replace(
        record,
        parents={**own.parents, **record.parents},
        routes=tuple(sorted({*record.routes, *routes})),
    )
