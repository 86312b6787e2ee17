"""What lies between two States, found kind of thing by kind of thing. Pure.

``planning`` gives it its form; the order of the operations is decided here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from vlanlink.errors import Problem
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, Namespace, Route, Setting, State
from vlanlink.planning.links import changed_settings, kept_addresses, kind_options, why_new
from vlanlink.planning.operations import (
    LINK_SYSCTLS,
    AddAddress,
    AddRoute,
    MakeLink,
    MakeNamespace,
    Operation,
    RemoveAddress,
    RemoveLink,
    RemoveNamespace,
    RemoveRoute,
    SetLink,
    WriteSysctl,
    dotted,
)
from vlanlink.planning.sysctls import link_of, possible_effects, side_effects, write_order

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

FIRST_INDEX = 10_000
"""Where the numbers of our links begin: above what a kernel's own counter reaches as a rule."""


@dataclass(slots=True)
class Difference:
    """Two States, and what lies between them for what one topology owns."""

    observed: State
    desired: State
    topology: str
    warnings: list[Problem] = field(default_factory=list)
    conflicts: list[Problem] = field(default_factory=list)
    new_index: dict[LinkName, int] = field(default_factory=dict)
    recreated: dict[LinkName, str] = field(default_factory=dict)

    def operations(self) -> tuple[Operation, ...]:
        """All that leads from the one to the other, in order."""
        self.recreated = self._find_recreated()
        gone = list(self._gone_links())
        return (
            *self._drop_routes(),
            *self._drop_addresses({link.key for link in gone}),
            *self._drop_links(gone),
            *self._make_namespaces(),
            *self._write_sysctls(late=False),
            *self._change_links(),
            *self._make_links(),
            *self._fill(),
            *self._write_sysctls(late=True),
        )

    # -- what goes -----------------------------------------------------------------------------

    def _mine(self, link: Link) -> bool:
        return link.owner == self.topology and link.name != LOOPBACK

    def _find_recreated(self) -> dict[LinkName, str]:
        """The links that can't become what is wanted while they live, each with the reason."""
        found: dict[LinkName, str] = {}
        for link in self.observed.links():
            want = self.desired.link(link.key)
            if self._mine(link) and want is not None:
                why = why_new(link, want) or self._why_renumbered(link, want)
                if why:
                    found[link.key] = why
        waiting = list(found)
        while waiting:
            key = waiting.pop()
            fallen = list(self.observed.children(key))
            ending = self.observed.link(key)
            peer = self.observed.link(ending.peer) if ending else None
            fallen += [peer] if peer else []
            for other in fallen:
                if other.key not in found and self._mine(other) and self.desired.link(other.key):
                    found[other.key] = f"goes with {key}, which is made anew"
                    waiting.append(other.key)
        return found

    def _why_renumbered(self, seen: Link, want: Link) -> str | None:
        """Undo knows the number that a link had: what was made in its place meanwhile goes."""
        if want.index in (0, seen.index):
            return None
        spaces = {HOST, seen.namespace}
        staying = [link for link in self.observed.links() if not self._mine(link)]
        for other in (*staying, *self.desired.links()):
            if other.index == want.index and other.key != want.key and other.namespace in spaces:
                return None
        return f"it had the number {want.index}"

    def _gone_links(self) -> Iterator[Link]:
        for link in self.observed.links():
            if not self._mine(link):
                continue
            if self.desired.link(link.key) is None or link.key in self.recreated:
                yield link

    def _leaving_namespaces(self) -> Iterator[Namespace]:
        for name, namespace in self.observed.namespaces.items():
            mine = name != HOST and namespace.owner == self.topology
            if mine and name not in self.desired.namespaces:
                yield namespace

    def _drop_links(self, gone: list[Link]) -> Iterator[Operation]:
        self._refuse_to_take_from_others(gone)
        removable = set()
        for namespace in self._leaving_namespaces():
            keep = self._why_it_stays(namespace)
            if keep is None:
                removable.add(namespace.name)
            else:
                self.warnings.append(
                    Problem(namespace.origin, f"namespace {namespace.name} stays: {keep}")
                )
        done: set[LinkName] = set()
        for link in sorted(gone, key=lambda link: (-self._depth(self.observed, link), link.key)):
            goes_with_namespace = link.namespace in removable and not self._parent_goes_down(link)
            if goes_with_namespace or link.key in done:
                continue
            if link.peer:
                done.add(link.peer)
            yield RemoveLink(
                namespace=link.namespace,
                name=link.name,
                kind=link.kind,
                index=link.index,
                peer=link.peer if link.peer and link.peer.namespace not in removable else None,
                why=self.recreated.get(link.key, ""),
                origin=link.origin,
            )
        for name in sorted(removable):
            yield RemoveNamespace(namespace=name)

    def _parent_goes_down(self, link: Link) -> bool:
        """Whether a device below it is to be set down.

        The kernel deletes a namespace's links in the background, and a parent that is down by
        then keeps the promiscuity that they asked for.
        """
        below = self.observed.link(link.parent)
        while below:
            want = self.desired.link(below.key)
            if want and below.up and want.settings.get("up") is False:
                return True
            below = self.observed.link(below.parent)
        return False

    def _refuse_to_take_from_others(self, gone: list[Link]) -> None:
        on_others = [o for o in self.observed.links() if o.parent and not self._mine(o)]
        for link in gone if on_others else ():
            for child in on_others:
                if child.parent == link.key:
                    whose = f"topology {child.owner}" if child.owner else "something else"
                    want = self.desired.link(link.key)
                    self.conflicts.append(
                        Problem(
                            want.origin if want else link.origin,
                            f"{link.key} would have to go, and {child.key} of {whose} is on it",
                            f"take {child.key} away first",
                        )
                    )

    def _why_it_stays(self, namespace: Namespace) -> str | None:
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

    def _drop_routes(self) -> Iterator[Operation]:
        for name, namespace in self.observed.namespaces.items():
            want = self._wanted_routes(name)
            for route in sorted(namespace.routes - want, key=_route_order):
                dev = namespace.links.get(route.dev)
                if not route.ours or dev is None or dev.owner not in (None, self.topology):
                    continue
                if dev.key in self.recreated or not self._survives(dev):
                    continue
                yield RemoveRoute(namespace=name, route=route, index=dev.index, origin=route.origin)

    def _survives(self, link: Link) -> bool:
        if link.owner != self.topology:
            return True
        return self.desired.link(link.key) is not None and link.key not in self.recreated

    def _wanted_routes(self, namespace: str) -> frozenset[Route]:
        want = self.desired.namespaces.get(namespace)
        return want.routes if want else frozenset()

    def _drop_addresses(self, gone: set[LinkName]) -> Iterator[Operation]:
        for link in self.observed.links():
            want = self.desired.link(link.key)
            if want is None or link.key in gone or not self._mine(link):
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

    # -- what comes ----------------------------------------------------------------------------

    def _make_namespaces(self) -> Iterator[Operation]:
        for name, namespace in self.desired.namespaces.items():
            seen = self.observed.namespaces.get(name)
            if seen is None or not seen.made:
                owner = namespace.owner or self.topology
                yield MakeNamespace(namespace=name, owner=owner, origin=namespace.origin)

    def _make_links(self) -> Iterator[Operation]:
        new = [
            link
            for link in self.desired.links()
            if link.owner is not None
            and link.name != LOOPBACK
            and (self.observed.link(link.key) is None or link.key in self.recreated)
        ]
        self._choose_indexes(new)
        done: set[LinkName] = set()
        for link in sorted(new, key=lambda link: self._depth(self.desired, link)):
            if link.key in done:
                continue
            peer = self.desired.link(link.peer)
            done |= {link.key, *([peer.key] if peer else [])}
            yield MakeLink(
                namespace=link.namespace,
                link=self._numbered(link),
                peer=self._numbered(peer) if peer else None,
                why=self.recreated.get(link.key, ""),
                origin=link.origin,
            )

    def _stays(self, link: Link) -> bool:
        return not self._mine(link) or (
            self.desired.link(link.key) is not None and link.key not in self.recreated
        )

    def _numbered(self, link: Link) -> Link:
        return replace(link, index=self._index(link.key), parent_index=self._index(link.parent))

    def _index(self, key: LinkName | None) -> int:
        if key is None:
            return 0
        if key in self.new_index:
            return self.new_index[key]
        link = self.observed.link(key)
        return link.index if link else 0

    def _choose_indexes(self, new: list[Link]) -> None:
        """A number for each new link that is free where it is made and on the host.

        The host is where the request is made: there the kernel looks first for a link of that
        number. Links in namespaces of their own share numbers, those of a pair do not, nor does
        one on the host: else the other could not be made anew. One that had a number gets it
        again, also from a link that goes; else a new link has a new one.
        """
        used = {
            name: {link.index for link in space.links.values()}
            for name, space in self.observed.namespaces.items()
        }
        on_host = set(used[HOST])
        anywhere = set().union(*used.values())
        kept = {(link.namespace, link.index) for link in self.observed.links() if self._stays(link)}
        for link in sorted(new, key=lambda link: (not link.index, link.namespace != HOST)):
            taken = used.setdefault(link.namespace, set()) if link.namespace != HOST else anywhere
            number = link.index
            if not number or not kept.isdisjoint({(HOST, number), (link.namespace, number)}):
                number = FIRST_INDEX
                while number in taken or number in on_host:
                    number += 1
            self.new_index[link.key] = number
            kept.add((link.namespace, number))
            taken.add(number)
            if link.namespace == HOST or link.peer:
                on_host.add(number)

    def _depth(self, state: State, link: Link) -> int:
        depth, seen = 0, {link.key}
        parent = state.link(link.parent)
        while parent and parent.key not in seen:
            seen.add(parent.key)
            depth, parent = depth + 1, state.link(parent.parent)
        return depth

    def _change_links(self) -> Iterator[Operation]:
        """Changes of links that stay, parents first: their MTU bounds that of their children."""
        pairs = [
            (seen, want)
            for want in self.desired.links()
            if (seen := self.observed.link(want.key)) and want.key not in self.recreated
        ]
        for seen, want in sorted(pairs, key=lambda pair: self._depth(self.observed, pair[0])):
            new = changed_settings(seen, want)
            policy = {key: new.pop(key) for key in LINK_SYSCTLS if key in new}
            writes = [_policy_write(want, k, seen.settings.get(k), v) for k, v in policy.items()]
            # The kernel makes the link-local address when IPv6 goes on, from the MAC of then; and
            # a link whose MTU is too small has no IPv6 to be set before it is raised.
            later = policy.get("disable_ipv6") == 0 or "disable_ipv6" not in seen.settings
            yield from () if later else writes
            marks = want.owner is not None and (want.owner != seen.owner or not seen.labelled)
            if new or marks:
                yield SetLink(
                    namespace=want.namespace,
                    name=want.name,
                    kind=seen.kind,
                    index=seen.index,
                    old={key: seen.settings.get(key) for key in new},
                    new=new,
                    owner=want.owner if marks else None,
                    options=kind_options(want),
                    origin=want.origin,
                )
            yield from writes if later else ()

    def _fill(self) -> Iterator[Operation]:
        """What goes into each namespace once its links are there: up, addresses, routes."""
        for name, namespace in self.desired.namespaces.items():
            for link in sorted(
                namespace.links.values(), key=lambda link: self._depth(self.desired, link)
            ):
                if link.key in self.new_index:
                    yield from self._start(link)
            for link in namespace.links.values():
                yield from self._add_addresses(link)
            yield from self._add_routes(name, namespace)

    def _start(self, link: Link) -> Iterator[Operation]:
        for key in LINK_SYSCTLS:
            if key in link.settings:
                yield _policy_write(link, key, None, link.settings[key], quiet=True)
        new: dict[str, Setting] = {}
        if link.settings.get("altnames"):
            new["altnames"] = link.settings["altnames"]
        if link.settings.get("up", True):
            new["up"] = True
        yield SetLink(
            namespace=link.namespace,
            name=link.name,
            kind=link.kind,
            index=self.new_index[link.key],
            old={},
            new=new,
            owner=link.owner,
            quiet=True,
            origin=link.origin,
        )

    def _add_addresses(self, link: Link) -> Iterator[Operation]:
        seen = None if link.key in self.recreated else self.observed.link(link.key)
        have = set(seen.addresses) if seen else set()
        if seen and self._mine(seen):
            have = set(kept_addresses(seen, link))
        if seen and seen.up and link.settings.get("up") is False:
            have = {address for address in have if address.family == 4}
        for address in link.addresses:
            if address not in have and (address.ours or not address.link_local):
                yield AddAddress(
                    namespace=link.namespace,
                    dev=link.name,
                    index=self._index(link.key),
                    address=address,
                    restored=link.owner is None,
                    origin=link.origin,
                )

    def _add_routes(self, name: str, namespace: Namespace) -> Iterator[Operation]:
        seen = self.observed.namespaces.get(name)
        have = {
            route
            for route in (seen.routes if seen else ())
            if LinkName(name, route.dev) not in self.recreated
        }
        for route in sorted(namespace.routes - have, key=_route_order):
            yield AddRoute(
                namespace=name,
                route=route,
                index=self._index(LinkName(name, route.dev)),
                origin=route.origin,
            )

    def _write_sysctls(self, *, late: bool) -> Iterator[Operation]:
        """Sysctls, with what each write changes besides; ``late``: those of links just made."""
        for name, namespace in self.desired.namespaces.items():
            seen = self.observed.namespaces.get(name)
            now: dict[str, str] = dict(seen.sysctls) if seen else {}
            maybe: set[str] = set()
            for key in write_order(namespace.sysctls, now):
                value = namespace.sysctls[key]
                if self._waits_for_link(name, key) is not late or now.get(key) == value:
                    continue
                if key in maybe:
                    continue  # what the kernel carried along, the look after this round tells
                yield WriteSysctl(
                    namespace=name,
                    key=key,
                    old=now.get(key),
                    new=value,
                    origin=(*namespace.origin, "sysctls", dotted(key)),
                )
                now[key] = value
                now |= side_effects(key, value, seen)
                maybe |= possible_effects(key, value, seen).keys()

    def _waits_for_link(self, namespace: str, key: str) -> bool:
        link = LinkName(namespace, link_of(key) or "")
        wanted = self.desired.link(link)
        return wanted is not None and (self.observed.link(link) is None or link in self.recreated)


def _policy_write(
    link: Link, key: str, old: Setting, new: Setting, *, quiet: bool = False
) -> WriteSysctl:
    return WriteSysctl(
        namespace=link.namespace,
        key=f"net/{LINK_SYSCTLS[key]}/conf/{link.name}/{key}",
        old=None if old is None else str(old),
        new=str(new),
        origin=link.origin,
        quiet=quiet,
    )


def _route_order(route: Route) -> tuple[bool, bool, str, str]:
    """On-link routes come before those through a gateway, which they may carry."""
    return (route.via is not None, route.to in ("0.0.0.0/0", "::/0"), route.to, route.dev)
