"""What outlives its topology: things that others use, and parents as they were before. Pure."""

from collections.abc import Iterator

from vlanlink.dataclass import replace
from vlanlink.desired.builder import Builder
from vlanlink.desired.lost_record import uncertain_parent
from vlanlink.desired.parent_names import used_by_host, vlan_problem
from vlanlink.desired.parents import implied_link
from vlanlink.errors import Problem
from vlanlink.kinds.vlan import implied_vlan
from vlanlink.model import HOST, Link, LinkName, Namespace, Route
from vlanlink.store.record import OriginalLink


def hand_over(builder: Builder) -> None:
    """Pass what another topology's links need, and namespaces that its file names, to it."""
    for record in builder.records.others:
        for name in record.uses:
            builder.keep_namespace(name, record.topology)
    waiting = list(builder.observed.links())
    for record in builder.records.others:
        for name in record.stands_on:
            waiting += _hand_over_link(builder, LinkName(HOST, name), record.topology)
    while waiting:
        link = waiting.pop()
        wanted = builder.links.get(link.key)
        new_owner = wanted.owner if wanted else link.owner
        if new_owner is None or new_owner == builder.name:
            continue
        if link.parent:
            waiting += _hand_over_link(builder, link.parent, new_owner)
        builder.keep_namespace(link.namespace, new_owner)
    for name, namespace in builder.observed.namespaces.items():
        if name in builder.namespaces or name == HOST or not namespace.made:
            continue
        if namespace.stranger:
            continue
        if namespace.owner != builder.name:
            builder.namespaces[name] = replace(namespace, links={}, routes=frozenset(), sysctls={})


def stay_under_strangers(builder: Builder) -> None:
    """Leave links in place that other programs' links are on: those would be deleted, too."""
    riders: dict[LinkName, list[str]] = {}
    for link in builder.observed.links():
        if link.parent and link.owner is None:
            riders.setdefault(link.parent, []).append(str(link.key))
    for key, found in riders.items():
        below = builder.observed.link(key)
        if below and below.owner == builder.name and key not in builder.links:
            what = f"{', '.join(found[:3])}{' …' if len(found) > 3 else ''}"
            message = f"{key} stays: {what} {'is' if len(found) == 1 else 'are'} on it"
            builder.warnings.append(Problem((), message))
            _stay(builder, below)


def _stay(builder: Builder, link: Link) -> None:
    """Keep a link, its peer, and what of ours they are on."""
    if link.owner == builder.name and link.key not in builder.links:
        builder.links[link.key] = link
        builder.keep_namespace(link.namespace, builder.name)
        for below in (link.parent, link.peer):
            if found := builder.observed.link(below):
                _stay(builder, found)


def _hand_over_link(builder: Builder, key: LinkName, new_owner: str) -> Iterator[Link]:
    seen = builder.observed.link(key)
    if seen and seen.owner == builder.name and key not in builder.links:
        kept = _handed_over(builder, seen, new_owner)
        builder.links[key] = kept
        yield kept
        if seen.peer:  # deleting one end of a pair deletes the other
            yield from _hand_over_link(builder, seen.peer, new_owner)


def _handed_over(builder: Builder, seen: Link, new_owner: str) -> Link:
    """The link as its new owner wants it: without the addresses that the former one asked for.

    A VLAN that the new owner's parent name implies is as one that it made.
    """
    implied = implied_vlan(seen.name)
    if implied and seen.settings.get("protocol") == "802.1q" and not vlan_problem(seen, implied):
        below = builder.observed.link(seen.parent)
        if below:
            return implied_link(builder, seen.name, implied[1], below, new_owner)
    return replace(seen, owner=new_owner, addresses=tuple(a for a in seen.addresses if not a.ours))


def restore_parents(builder: Builder) -> None:
    """Set a parent down that was down before the first ``up`` and that nobody uses now.

    A parent that another topology's record names stays up; that topology restores it.
    """
    own = builder.records.own
    for name in sorted({name for record in builder.records.others for name in record.parents}):
        seen = builder.observed.host.links.get(name)
        if seen is not None and seen.up and seen.key not in builder.links:
            builder.links[seen.key] = Link(name, seen.kind, settings={"up": True}, owner=None)
    for name, before in own.parents.items() if own else ():
        seen = builder.observed.host.links.get(name)
        if seen is not None and seen.up and not before.up and seen.key not in builder.links:
            _restore_parent(builder, seen, before)


def _restore_parent(builder: Builder, seen: Link, before: OriginalLink) -> None:
    if before.up is None:
        builder.warnings.append(uncertain_parent(seen.name))
        return
    kept = kept_routes(builder, HOST)
    routes = (route for route in builder.observed.host.routes if not route.ours or route in kept)
    users = [*_foreign_children(builder, seen), *used_by_host(seen, routes)]
    if users:
        message = f"{seen.name} was down before and stays up: it is in use ({', '.join(users)})"
        builder.warnings.append(Problem((), message))
        return
    builder.links[seen.key] = Link(seen.name, seen.kind, settings={"up": False}, owner=None)


def _foreign_children(builder: Builder, parent: Link) -> list[str]:
    """The links on a parent that stay."""
    stay = {link.key for link in builder.links.values() if link.parent == parent.key}
    return [
        str(child.key)
        for child in builder.observed.children(parent.key)
        if child.owner != builder.name or child.key in stay
    ]


def kept_routes(builder: Builder, space: str) -> set[Route]:
    """Other topologies' routes, which stay unless their source address goes.

    A route bears no owner's name: the records say whose it is. Where none does, it belongs to the
    owner of its link.
    """
    seen = builder.observed.namespaces.get(space)
    own = set(builder.records.own.routes) if builder.records.own else set()
    asked = {(space, str(route)) for route in builder.routes.get(space, ())}
    others = builder.records.others
    kept = set()
    for route in seen.routes if seen else ():
        dev = seen.links.get(route.dev) if seen else None
        if not route.ours or dev is None:
            continue
        row = (space, str(route))
        claimed = any(row in record.routes for record in others)
        if dev.owner == builder.name:
            stays = claimed and dev.key in builder.links
        elif dev.owner is None:
            stays = claimed or (bool(others) and row not in own and row not in asked)
        else:
            stays = claimed or row not in own
        if stays:
            kept.add(route)
    if seen and any(route.src for route in kept):
        leaving = _leaving(builder, seen)
        kept = {route for route in kept if route.src not in leaving}
    return kept


def _leaving(builder: Builder, seen: Namespace) -> set[str]:
    """The bare addresses that a namespace loses: the kernel removes the routes from them."""
    before: set[str] = set()
    stay: set[str] = set()
    for link in seen.links.values():
        wanted = builder.links.get(link.key)
        ours = link.owner == builder.name
        stay |= {one.bare for one in link.addresses if not (ours and one.ours)}
        stay |= {one.bare for one in wanted.addresses} if wanted else set()
        before |= {one.bare for one in link.addresses}
    return before - stay
