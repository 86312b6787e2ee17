"""Removal: routes, addresses, links and namespaces, in this order. Pure."""

from collections.abc import Iterator

from vlanlink.errors import Problem
from vlanlink.model import HOST, Link, LinkName, Namespace, Route, owner_in_words
from vlanlink.planning.changes import policy_write
from vlanlink.planning.creation import add_address
from vlanlink.planning.diff import Diff, Readdressing, depth, route_order
from vlanlink.planning.operations import (
    Operation,
    RemoveAddress,
    RemoveLink,
    RemoveNamespace,
    RemoveRoute,
)

_MAX_NAMED = 8
"""Of what keeps a namespace: a process in it can start and create any number."""
_FALLBACK_DEVICES = {
    "tunl0": "ipip",
    "sit0": "sit",
    "gre0": "gre",
    "gretap0": "gretap",
    "erspan0": "erspan",
    "ip6tnl0": "ip6tnl",
    "ip6gre0": "ip6gre",
    "ip_vti0": "vti",
    "ip6_vti0": "vti6",
}
"""Name and kind of the devices that tunnel modules add to every new namespace (ip-sysctl.rst,
net.core.fb_tunnels_only_for_init_net). Nobody made them; they go with the namespace."""


def drop_routes(diff: Diff) -> Iterator[Operation]:
    """Unwanted routes of ours, and others' in their way; those of a removed link go with it.

    On the host the desired State includes other topologies' routes (``kept_routes``); the lock
    prevents changes meanwhile. In another topology's namespace, which may belong to another host
    that shares /run/netns, nothing is ours.
    """
    for name, namespace in diff.observed.namespaces.items():
        wanted = _wanted_routes(diff, name)
        slots = {route.slot for route in wanted}
        stay = wanted - diff.lost_routes.get(name, set())
        for route in sorted(namespace.routes - stay, key=route_order):
            dev = namespace.links.get(route.dev)
            if dev is None or not diff.lives_on(dev):
                continue
            in_the_way = dev.owner == diff.topology and route.slot in slots and not route.selective
            if not route.ours and (not in_the_way or route in wanted):
                continue
            if name != HOST and dev.owner not in (None, diff.topology):
                continue
            yield RemoveRoute(namespace=name, route=route, index=dev.index, origin=route.origin)


def _wanted_routes(diff: Diff, namespace: str) -> frozenset[Route]:
    want = diff.desired.namespaces.get(namespace)
    return want.routes if want else frozenset()


def drop_addresses(diff: Diff) -> Iterator[Operation]:
    """Unwanted addresses on links that stay, after those that have to be there before."""
    for key, change in diff.readdressing.items():
        link, want = diff.observed.link(key), diff.desired.link(key)
        if link and want:
            yield from (add_address(diff, want, address) for address in change.early)
            yield from _remove_addresses(link, want, change)


def _remove_addresses(link: Link, want: Link, change: Readdressing) -> Iterator[Operation]:
    key, off = "promote_secondaries", 0
    switch = change.promotes and link.settings.get(key) == off
    if switch:
        yield policy_write(want, key, off, 1, quiet=True, switch=True)
    for address in change.removed:
        yield RemoveAddress(
            namespace=link.namespace,
            dev=link.name,
            index=link.index,
            address=address,
            origin=want.origin,
        )
    if switch:
        yield policy_write(want, key, 1, off, quiet=True)


def gone_links(diff: Diff) -> Iterator[Link]:
    """The links to remove, for good or to recreate them."""
    for link in diff.observed.links():
        if not diff.mine(link):
            continue
        if diff.desired.link(link.key) is None or link.key in diff.recreated:
            yield link


def drop_links(diff: Diff, gone: list[Link]) -> Iterator[Operation]:
    """Links, children before parents; those in a removed namespace go with it."""
    _refuse_to_take_from_others(diff, gone)
    removable = set()
    for namespace in _leaving_namespaces(diff):
        keep = _why_it_stays(namespace)
        if keep is None:
            removable.add(namespace.name)
        else:
            diff.warnings.append(
                Problem(namespace.origin, f"namespace {namespace.name} stays: {keep}")
            )
    done: set[LinkName] = set()
    for link in sorted(gone, key=lambda link: (-depth(diff.observed, link), link.key)):
        if link.namespace in removable or link.key in done:
            continue
        peer = diff.observed.link(link.peer)
        if peer:
            done.add(peer.key)
        yield RemoveLink(
            namespace=link.namespace,
            name=link.name,
            kind=link.kind,
            index=link.index,
            peer=peer.key if peer and peer.namespace not in removable else None,
            peer_index=peer.index if peer and peer.namespace == HOST else 0,
            why=diff.recreated.get(link.key, ""),
            origin=link.origin,
        )
    for name in sorted(removable):
        yield RemoveNamespace(namespace=name)


def _leaving_namespaces(diff: Diff) -> Iterator[Namespace]:
    for name, namespace in diff.observed.namespaces.items():
        mine = name != HOST and namespace.owner == diff.topology and not namespace.stranger
        if mine and name not in diff.desired.namespaces:
            yield namespace


def _refuse_to_take_from_others(diff: Diff, gone: list[Link]) -> None:
    on_others: dict[LinkName, list[Link]] = {}
    for child in diff.observed.links() if gone else ():
        if child.parent and not diff.mine(child):
            on_others.setdefault(child.parent, []).append(child)
    for link in gone:
        for child in on_others.get(link.key, ()):
            whose = owner_in_words(child.owner) if child.owner else "something else"
            want = diff.desired.link(link.key)
            diff.conflicts.append(
                Problem(
                    want.origin if want else link.origin,
                    f"{link.key} would have to be removed, but {child.key} of {whose} is on it",
                    f"remove {child.key} first",
                )
            )


def _why_it_stays(namespace: Namespace) -> str | None:
    if namespace.pids:
        pids = ", ".join(str(pid) for pid in namespace.pids[:_MAX_NAMED])
        return f"processes run in it (pid {pids})"
    if namespace.aliases:
        return f"it has another name, {namespace.aliases[0]}"
    foreign = [
        link.name
        for link in namespace.links.values()
        if link.owner is None and _FALLBACK_DEVICES.get(link.name) != link.kind
    ]
    if foreign:
        more = f" and {len(foreign) - _MAX_NAMED} more" if len(foreign) > _MAX_NAMED else ""
        names = ", ".join(foreign[:_MAX_NAMED])
        return f"it contains {names}{more}, which vlanlink did not create"
    return None
