"""What outlives its maker: things that others use, and parents as they were before. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from vlanlink.desired.builder import Builder
from vlanlink.desired.lost_record import doubt
from vlanlink.errors import Problem
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, Route
from vlanlink.store.record import OriginalLink


def hand_over(draft: Builder) -> None:
    """Links and namespaces of ours that another topology's links are in or on pass to it."""
    waiting = list(draft.observed.links())
    while waiting:
        link = waiting.pop()
        heir = link.owner if link.key not in draft.links else draft.links[link.key].owner
        if heir is None or heir == draft.name:
            continue
        if link.parent:
            waiting += _keep_link(draft, link.parent, heir)
        _keep_namespace(draft, link.namespace, heir)
    for name, namespace in draft.observed.namespaces.items():
        if name in draft.namespaces or name == HOST or not namespace.made:
            continue
        if namespace.owner != draft.name:
            draft.namespaces[name] = replace(namespace, links={}, routes=frozenset(), sysctls={})


def _keep_link(draft: Builder, key: LinkName, heir: str) -> Iterator[Link]:
    seen = draft.observed.link(key)
    if seen and seen.owner == draft.name and key not in draft.links:
        kept = replace(seen, owner=heir)
        draft.links[key] = kept
        yield kept
        if seen.peer:  # a pair is gone when one end is
            yield from _keep_link(draft, seen.peer, heir)


def _keep_namespace(draft: Builder, name: str, heir: str) -> None:
    seen = draft.observed.namespaces.get(name)
    if name == HOST or seen is None or seen.owner != draft.name or name in draft.namespaces:
        return
    draft.namespaces[name] = replace(seen, owner=heir, links={}, routes=frozenset(), sysctls={})
    loopback = seen.links[LOOPBACK]
    draft.links[loopback.key] = replace(loopback, owner=heir)


def restore_parents(draft: Builder) -> None:
    """A parent that we set up goes down again when nothing more than before is on it.

    One that another topology counts on stays up; that one sees to it.
    """
    own = draft.records.own
    for name in sorted({name for record in draft.records.others for name in record.raised}):
        seen = draft.observed.host.links.get(name)
        if seen is not None and seen.up and seen.key not in draft.links:
            draft.links[seen.key] = Link(name, seen.kind, settings={"up": True}, owner=None)
    for name, before in own.raised.items() if own else ():
        seen = draft.observed.host.links.get(name)
        if seen is None or not seen.up or seen.key in draft.links:
            continue
        if not before.known:
            draft.warnings.append(doubt(name))
            continue
        more = _more_than_before(draft, seen, before)
        if more:
            draft.warnings.append(
                Problem((), f"{name} stays up: {', '.join(more)} came while it was up")
            )
            continue
        addresses = tuple(
            replace(address, nodad=address.text in before.nodad)
            for address in seen.addresses
            if address.text in before.addresses
        )
        draft.links[seen.key] = Link(
            name, seen.kind, settings={"up": False}, addresses=addresses, owner=None
        )


def _more_than_before(draft: Builder, seen: Link, before: OriginalLink) -> list[str]:
    stay = {link.key for link in draft.links.values() if link.parent == seen.key}
    children = [
        str(child.key)
        for child in draft.observed.children(seen.key)
        if (child.owner != draft.name or child.key in stay)
        and str(child.key) not in before.children
    ]
    addresses = [
        a.text
        for a in seen.addresses
        if a.permanent and not a.link_local and a.text not in before.addresses
    ]
    return children + addresses


def kept_routes(draft: Builder, space: str) -> set[Route]:
    """Routes of other topologies, which stay. A route bears no name: records tell whose it is.

    Where they do not, it is of the topology that its link is of.
    """
    seen = draft.observed.namespaces.get(space)
    own = set(draft.records.own.routes) if draft.records.own else set()
    asked = {(space, str(route)) for route in draft.routes.get(space, ())}
    others = draft.records.others
    kept = set()
    for route in seen.routes if seen else ():
        dev = seen.links.get(route.dev) if seen else None
        if not route.ours or dev is None:
            continue
        row = (space, str(route))
        claimed = any(row in record.routes for record in others)
        if dev.owner == draft.name:
            stays = claimed and dev.key in draft.links
        elif dev.owner is None:
            stays = claimed or (bool(others) and row not in own and row not in asked)
        else:
            stays = claimed or row not in own
        if stays:
            kept.add(route)
    return kept
