"""Creation: namespaces, links, addresses, routes. Pure."""

from collections.abc import Iterator

from vlanlink.dataclass import replace
from vlanlink.kinds import COMMON
from vlanlink.kinds.common import LINK_SYSCTLS, NO_TOKEN, TOKEN
from vlanlink.model import LOOPBACK, Address, Link, LinkName, Namespace, Setting
from vlanlink.planning.changes import policy_write
from vlanlink.planning.dhcp_operations import AcquireLease
from vlanlink.planning.diff import Diff, depth, route_order
from vlanlink.planning.ifindex import allocate
from vlanlink.planning.operations import (
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    SetLink,
)


def make_namespaces(diff: Diff) -> Iterator[Operation]:
    """Missing namespaces; a name without a namespace behind it counts as missing.

    One that others made, and that has gone since, stays gone.
    """
    for name, namespace in diff.desired.namespaces.items():
        seen = diff.observed.namespaces.get(name)
        mine = namespace.owner == diff.topology and not namespace.stranger
        if mine and (seen is None or not seen.made):
            yield MakeNamespace(namespace=name, owner=diff.topology, origin=namespace.origin)


def make_links(diff: Diff) -> Iterator[Operation]:
    """New links, parents first; one request makes both ends of a pair."""
    new = [
        link
        for link in diff.desired.links()
        if link.owner is not None
        and link.name != LOOPBACK
        and (diff.observed.link(link.key) is None or link.key in diff.recreated)
    ]
    allocate(diff, new)
    done: set[LinkName] = set()
    for link in sorted(new, key=lambda link: depth(diff.desired, link)):
        if link.key in done:
            continue
        peer = diff.desired.link(link.peer)
        done |= {link.key, *([peer.key] if peer else [])}
        yield MakeLink(
            namespace=link.namespace,
            link=_numbered(diff, link),
            peer=_numbered(diff, peer) if peer else None,
            why=diff.recreated.get(link.key, ""),
            origin=link.origin,
        )


def _numbered(diff: Diff, link: Link) -> Link:
    return replace(link, index=diff.index(link.key), parent_index=diff.index(link.parent))


def fill(diff: Diff) -> Iterator[Operation]:
    """What new links and their namespaces get then: flags, addresses, routes."""
    for name, namespace in diff.desired.namespaces.items():
        for link in sorted(namespace.links.values(), key=lambda link: depth(diff.desired, link)):
            if link.key in diff.new_index:
                yield from _start(diff, link)
        for link in namespace.links.values():
            yield from _add_addresses(diff, link)
        yield from _add_routes(diff, name, namespace)


def _start(diff: Diff, link: Link) -> Iterator[Operation]:
    for key in LINK_SYSCTLS:
        if key in link.settings:
            yield policy_write(link, key, None, link.settings[key], quiet=True)
    new: dict[str, Setting] = {}
    for option in COMMON:
        value = link.settings.get(option.key, option.default)
        initial = link.defaults.get(option.key, False)
        if not option.at_creation and value is not None and bool(value) != initial:
            new[option.key] = value
    if link.settings.get(TOKEN, NO_TOKEN) != NO_TOKEN:
        new[TOKEN] = link.settings[TOKEN]
    yield SetLink(
        namespace=link.namespace,
        name=link.name,
        kind=link.kind,
        index=diff.new_index[link.key],
        old={},
        new=new,
        owner=link.owner,
        quiet=True,
        origin=link.origin,
    )


def _add_addresses(diff: Diff, link: Link) -> Iterator[Operation]:
    if not link.addresses:
        return
    seen = None if link.key in diff.recreated else diff.observed.link(link.key)
    have = set(seen.addresses) if seen else set()
    if change := diff.readdressing.get(link.key):
        have = {*change.kept, *change.early}
    if seen and seen.up and link.settings.get("up") is False:
        have = {address for address in have if address.family == 4}
    if link.owner is None:
        texts = {address.text for address in have}
        have = {address for address in link.addresses if address.text in texts}
    for address in link.addresses:
        if address not in have and (address.ours or not address.link_local):
            yield add_address(diff, link, address)


def add_address(diff: Diff, link: Link, address: Address) -> AddAddress:
    """The operation that adds an address to a link."""
    return AddAddress(
        namespace=link.namespace,
        dev=link.name,
        index=diff.index(link.key),
        address=address,
        restored=link.owner is None,
        origin=link.origin,
    )


def acquire_leases(diff: Diff) -> Iterator[AcquireLease]:
    """The leases that endpoints are still to get."""
    for link in diff.desired.links():
        if link.awaits_lease:
            yield AcquireLease(namespace=link.namespace, dev=link.name, origin=link.origin)


def _add_routes(diff: Diff, name: str, namespace: Namespace) -> Iterator[Operation]:
    seen = diff.observed.namespaces.get(name)
    have = {
        route
        for route in (seen.routes if seen else ())
        if LinkName(name, route.dev) not in diff.recreated
    } - diff.lost_routes.get(name, set())
    for route in sorted(namespace.routes - have, key=route_order):
        yield AddRoute(
            namespace=name,
            route=route,
            index=diff.index(LinkName(name, route.dev)),
            origin=route.origin,
        )
