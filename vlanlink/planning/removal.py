"""What goes: routes, addresses, links and namespaces, in this order. Pure."""

from collections.abc import Iterator

from vlanlink.errors import Problem
from vlanlink.model import HOST, Link, LinkName, Namespace, Route, owner_in_words
from vlanlink.planning.diff import Diff, depth, route_order
from vlanlink.planning.links import kept_addresses
from vlanlink.planning.operations import (
    Operation,
    RemoveAddress,
    RemoveLink,
    RemoveNamespace,
    RemoveRoute,
)

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
"""Name and kind of what tunnel modules put into every new namespace (ip-sysctl.rst,
net.core.fb_tunnels_only_for_init_net): nobody made it, and it goes with the namespace."""


def drop_routes(between: Diff) -> Iterator[Operation]:
    """Routes that vlanlink made and are not wanted; those of a link that goes, go with it.

    On the host the desired State names those of other topologies (``kept_routes``), which the lock
    keeps from changing meanwhile. In a namespace of another topology, which may be one of another
    host that shares /run/netns, nothing is ours.
    """
    for name, namespace in between.observed.namespaces.items():
        want = _wanted_routes(between, name)
        for route in sorted(namespace.routes - want, key=route_order):
            dev = namespace.links.get(route.dev)
            if not route.ours or dev is None or not between.lives_on(dev):
                continue
            if name != HOST and dev.owner not in (None, between.topology):
                continue
            yield RemoveRoute(namespace=name, route=route, index=dev.index, origin=route.origin)


def _wanted_routes(between: Diff, namespace: str) -> frozenset[Route]:
    want = between.desired.namespaces.get(namespace)
    return want.routes if want else frozenset()


def drop_addresses(between: Diff, gone: set[LinkName]) -> Iterator[Operation]:
    """Addresses that are not wanted, on links that stay."""
    for link in between.observed.links():
        want = between.desired.link(link.key)
        if want is None or link.key in gone or not between.mine(link):
            continue
        kept = kept_addresses(link, want)
        for address in link.addresses:
            if address not in kept:
                yield RemoveAddress(
                    namespace=link.namespace,
                    dev=link.name,
                    index=link.index,
                    address=address,
                    origin=want.origin,
                )


def gone_links(between: Diff) -> Iterator[Link]:
    """The links that go, for good or to be made anew."""
    for link in between.observed.links():
        if not between.mine(link):
            continue
        if between.desired.link(link.key) is None or link.key in between.recreated:
            yield link


def drop_links(between: Diff, gone: list[Link]) -> Iterator[Operation]:
    """Children before parents; what is in a namespace that goes, goes with it."""
    _refuse_to_take_from_others(between, gone)
    removable = set()
    for namespace in _leaving_namespaces(between):
        keep = _why_it_stays(namespace)
        if keep is None:
            removable.add(namespace.name)
        else:
            between.warnings.append(
                Problem(namespace.origin, f"namespace {namespace.name} stays: {keep}")
            )
    done: set[LinkName] = set()
    for link in sorted(gone, key=lambda link: (-depth(between.observed, link), link.key)):
        if link.namespace in removable or link.key in done:
            continue
        peer = between.observed.link(link.peer)
        if peer:
            done.add(peer.key)
        yield RemoveLink(
            namespace=link.namespace,
            name=link.name,
            kind=link.kind,
            index=link.index,
            peer=peer.key if peer and peer.namespace not in removable else None,
            peer_index=peer.index if peer and peer.namespace == HOST else 0,
            why=between.recreated.get(link.key, ""),
            origin=link.origin,
        )
    for name in sorted(removable):
        yield RemoveNamespace(namespace=name)


def _leaving_namespaces(between: Diff) -> Iterator[Namespace]:
    for name, namespace in between.observed.namespaces.items():
        mine = name != HOST and namespace.owner == between.topology
        if mine and name not in between.desired.namespaces:
            yield namespace


def _refuse_to_take_from_others(between: Diff, gone: list[Link]) -> None:
    on_others = [o for o in between.observed.links() if o.parent and not between.mine(o)]
    for link in gone if on_others else ():
        for child in on_others:
            if child.parent == link.key:
                whose = owner_in_words(child.owner) if child.owner else "something else"
                want = between.desired.link(link.key)
                between.conflicts.append(
                    Problem(
                        want.origin if want else link.origin,
                        f"{link.key} would have to go, and {child.key} of {whose} is on it",
                        f"take {child.key} away first",
                    )
                )


def _why_it_stays(namespace: Namespace) -> str | None:
    if namespace.pids:
        pids = ", ".join(str(pid) for pid in namespace.pids[:8])
        return f"a process runs in it (pid {pids})"
    if namespace.aliases:
        return f"it has another name, {namespace.aliases[0]}"
    foreign = [
        link.name
        for link in namespace.links.values()
        if link.owner is None and _FALLBACK_DEVICES.get(link.name) != link.kind
    ]
    if foreign:
        return f"it holds {', '.join(foreign)}, which vlanlink did not make"
    return None
