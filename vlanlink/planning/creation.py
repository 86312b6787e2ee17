"""What comes: namespaces, links, and what is in them. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from vlanlink.kinds import COMMON
from vlanlink.model import LOOPBACK, Link, LinkName, Namespace
from vlanlink.planning.changes import policy_write
from vlanlink.planning.diff import Diff, depth, route_order
from vlanlink.planning.ifindex import allocate
from vlanlink.planning.links import kept_addresses
from vlanlink.planning.operations import (
    LINK_SYSCTLS,
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    SetLink,
)


def make_namespaces(between: Diff) -> Iterator[Operation]:
    """Those that are not there; one with a name and no namespace behind it counts as such."""
    for name, namespace in between.desired.namespaces.items():
        seen = between.observed.namespaces.get(name)
        if seen is None or not seen.made:
            owner = namespace.owner or between.topology
            yield MakeNamespace(namespace=name, owner=owner, origin=namespace.origin)


def make_links(between: Diff) -> Iterator[Operation]:
    """Parents first; a pair is made by one request."""
    new = [
        link
        for link in between.desired.links()
        if link.owner is not None
        and link.name != LOOPBACK
        and (between.observed.link(link.key) is None or link.key in between.recreated)
    ]
    allocate(between, new)
    done: set[LinkName] = set()
    for link in sorted(new, key=lambda link: depth(between.desired, link)):
        if link.key in done:
            continue
        peer = between.desired.link(link.peer)
        done |= {link.key, *([peer.key] if peer else [])}
        yield MakeLink(
            namespace=link.namespace,
            link=_numbered(between, link),
            peer=_numbered(between, peer) if peer else None,
            why=between.recreated.get(link.key, ""),
            origin=link.origin,
        )


def _numbered(between: Diff, link: Link) -> Link:
    return replace(link, index=between.index(link.key), parent_index=between.index(link.parent))


def fill(between: Diff) -> Iterator[Operation]:
    """What goes into each namespace once its links are there: up, addresses, routes."""
    for name, namespace in between.desired.namespaces.items():
        for link in sorted(namespace.links.values(), key=lambda link: depth(between.desired, link)):
            if link.key in between.new_index:
                yield from _start(between, link)
        for link in namespace.links.values():
            yield from _add_addresses(between, link)
        yield from _add_routes(between, name, namespace)


def _start(between: Diff, link: Link) -> Iterator[Operation]:
    for key in LINK_SYSCTLS:
        if key in link.settings:
            yield policy_write(link, key, None, link.settings[key], quiet=True)
    later = (option for option in COMMON if not option.at_creation)
    new = {o.key: value for o in later if (value := link.settings.get(o.key, o.default))}
    yield SetLink(
        namespace=link.namespace,
        name=link.name,
        kind=link.kind,
        index=between.new_index[link.key],
        old={},
        new=new,
        owner=link.owner,
        quiet=True,
        origin=link.origin,
    )


def _add_addresses(between: Diff, link: Link) -> Iterator[Operation]:
    if not link.addresses:
        return
    seen = None if link.key in between.recreated else between.observed.link(link.key)
    have = set(seen.addresses) if seen else set()
    if seen and between.mine(seen):
        have = set(kept_addresses(seen, link))
    if seen and seen.up and link.settings.get("up") is False:
        have = {address for address in have if address.family == 4}
    for address in link.addresses:
        if address not in have and (address.ours or not address.link_local):
            yield AddAddress(
                namespace=link.namespace,
                dev=link.name,
                index=between.index(link.key),
                address=address,
                restored=link.owner is None,
                origin=link.origin,
            )


def _add_routes(between: Diff, name: str, namespace: Namespace) -> Iterator[Operation]:
    seen = between.observed.namespaces.get(name)
    have = {
        route
        for route in (seen.routes if seen else ())
        if LinkName(name, route.dev) not in between.recreated
    }
    for route in sorted(namespace.routes - have, key=route_order):
        yield AddRoute(
            namespace=name,
            route=route,
            index=between.index(LinkName(name, route.dev)),
            origin=route.origin,
        )
