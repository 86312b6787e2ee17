"""Conflicts of a topology with the live machine: names, parents and addresses in use. Pure.

Validation checks the file alone. The kernel answers most of these conflicts with a bare EBUSY or
EINVAL, or lets a new link change its siblings.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache, partial

from vlanlink.desired.builder import Builder
from vlanlink.desired.defined import defines
from vlanlink.desired.namespaces import ip_in
from vlanlink.desired.parent_names import held_by_host
from vlanlink.errors import Path, Problem, shell_word
from vlanlink.kinds import KINDS, Kind, rx_handler
from vlanlink.model import HOST, LOOPBACK, Address, Link, LinkName, State, owner_in_words, show
from vlanlink.store.leases import Leases


def name_conflicts(builder: Builder) -> Iterator[Problem]:
    """Names and altnames that belong to links which the topology did not make."""
    holders = {
        (seen.namespace, name): seen
        for seen in builder.observed.links()
        if seen.owner != builder.name
        for name in _names(seen)
    }
    for link in builder.links.values():
        if link.owner is None or link.name == LOOPBACK:
            continue
        for name in _names(link):
            holder = holders.get((link.namespace, name))
            if holder is None or _taken_back(builder, link, holder):
                continue
            found = _put_in_place(builder, link, name, holder)
            yield found or _name_taken(link, name, holder)


def _put_in_place(builder: Builder, link: Link, name: str, holder: Link) -> Problem | None:
    """A link that somebody in a namespace of ours gave the name of one that was made there."""
    own = builder.records.own
    space = builder.observed.namespaces[link.namespace]
    place = own.places.get(link.namespace) if own and space.recorded else None
    if place is None or link.name not in place.links or holder.owner is not None:
        return None
    ip = ip_in(space)
    message, command = (
        (f"the {holder.kind} link {name}", f"{ip} link delete dev {shell_word(name)}")
        if holder.name == name
        else (
            f"{name}, an altname of {holder.name},",
            f"{ip} link property del dev {shell_word(holder.name)} altname {shell_word(name)}",
        )
    )
    return Problem(
        link.origin,
        f"{message} in namespace {link.namespace} was put in the place of ours by somebody there",
        f"{command}, then run this again",
        at_key=True,
    )


def _taken_back(builder: Builder, link: Link, holder: Link) -> bool:
    """Whether the holder is the link itself, handed over to a topology that stands on it."""
    if holder.key != link.key or holder.kind != link.kind or holder.owner is None:
        return False
    record = next((r for r in builder.records.others if r.topology == holder.owner), None)
    return record is not None and not defines(record, link.key)


def _names(link: Link) -> tuple[str, ...]:
    altnames = link.settings.get("altnames")
    return (link.name, *(altnames if isinstance(altnames, tuple) else ()))


def _name_taken(link: Link, name: str, seen: Link) -> Problem:
    whose = owner_in_words(seen.owner) if seen.owner else "somebody else"
    where = f" in namespace {link.namespace}" if link.namespace else ""
    altname = f", as an altname of {seen.name}" if seen.name != name else ""
    return Problem(
        link.origin,
        f"link {name}{where} already exists{altname}; it belongs to {whose}",
        "rename this link, or delete the existing one",
        at_key=True,
    )


def parent_conflicts(
    wanted: Mapping[LinkName, Link],
    observed: State,
    topology: str,
    may_take_parent: frozenset[LinkName],
) -> Iterator[Problem]:
    """Why links can't use their parents on this machine.

    ``may_take_parent``: the links that may take their parent from the host (``take_parent``).
    """
    foreign = {
        parent: _one_of_each(links) for parent, links in _foreign_links(observed, topology).items()
    }
    for link in wanted.values():
        kind = KINDS.get(link.kind)
        parent = observed.link(link.parent)
        if kind is None or link.owner != topology:
            continue
        yield from _over_wifi(link, kind, wanted, observed)
        if parent is None:
            continue
        if kind.rx_handler:
            yield from _port_of_another(link, parent)
            yield from _shared_parent(link, kind, parent, foreign.get(parent.key, ()))
        if kind.exclusive(link.settings) and link.key not in may_take_parent:
            yield from _host_is_there(link, parent, observed)


def address_conflicts(builder: Builder) -> Iterator[Problem]:
    """Addresses that the host has on a link's parent, or that a foreign link on it has."""
    observed = builder.observed
    foreign = {
        parent: {address.bare: link for link in links for address in link.addresses}
        for parent, links in _foreign_links(observed, builder.name).items()
    }
    for link in builder.links.values():
        kind = KINDS.get(link.kind)
        parent = observed.link(link.parent)
        if kind is None or not kind.rx_handler or parent is None or link.owner != builder.name:
            continue
        if kind.exclusive(link.settings):
            continue  # the host has no network there
        on_parent = {address.bare: parent for address in _staying(builder, parent)}
        on_siblings = foreign.get(parent.key, {})
        for address in link.addresses:
            holder = on_siblings.get(address.bare) or on_parent.get(address.bare)
            if holder and not address.link_local:
                place = builder.address_place(link, address.bare)
                yield _address_taken(link, place, address, holder)


def _staying(builder: Builder, parent: Link) -> Iterator[Address]:
    """The addresses that an existing parent will have: those of ours as desired."""
    if parent.owner != builder.name:
        yield from parent.addresses
        return
    wanted = builder.links.get(parent.key)
    yield from wanted.addresses if wanted else ()
    yield from (address for address in parent.addresses if not address.ours)


def mac_conflicts(builder: Builder) -> Iterator[Problem]:
    """MACs that a link on the same parent or the parent itself has: the kernel allows one."""
    foreign: dict[tuple[object, ...], list[Link]] = {}
    for key, links in _foreign_links(builder.observed, builder.name).items():
        for one in links:
            what = key, rx_handler(one.kind), one.settings.get("mac")
            foreign.setdefault(what, []).append(one)
    for link in builder.links.values():
        kind, parent = KINDS.get(link.kind), builder.observed.link(link.parent)
        if kind is None or parent is None or link.owner != builder.name or not link.up:
            continue
        if not kind.rx_handler or kind.mac(link.settings) != "derived":
            continue
        mac = link.settings.get("mac")
        above = (parent,) if parent.settings.get("mac") == mac else ()
        for other in (*above, *foreign.get((parent.key, kind.rx_handler, mac), ())):
            if other.up:
                yield _mac_taken(link, other)


def _mac_taken(link: Link, holder: Link) -> Problem:
    return Problem(
        (*link.origin, "mac"),
        f"{link.key} can't have MAC {holder.settings['mac']}: {_who_has_it(holder)}",
        "use another MAC: a parent and the links on it can't share one",
    )


def lease_conflicts(builder: Builder) -> Iterator[Problem]:
    """Addresses in the file that are leased to another topology's endpoint."""
    leased = cache(partial(_leases_on, builder.context.other_leases))
    for link in builder.links.values():
        kind, parent = KINDS.get(link.kind), link.parent
        if kind is None or not kind.rx_handler or parent is None or link.owner != builder.name:
            continue
        seen = builder.observed.link(link.key)
        held = {a.bare for a in seen.addresses} if seen and seen.owner == link.owner else set()
        chosen = builder.addressing.chosen.get(link.key, frozenset())
        for address in link.addresses:
            if address.text not in chosen and address.bare not in held:
                for topology, lessee in leased(parent.name).get(address.bare, ()):
                    if not _is_up(builder.observed, topology, lessee, address.bare):
                        yield _address_leased(builder, link, address.bare, (topology, lessee))


def _leases_on(every: Mapping[str, Leases], parent: str) -> dict[str, list[tuple[str, LinkName]]]:
    """The leases on a parent by bare address: topology and lessee."""
    found: dict[str, list[tuple[str, LinkName]]] = {}
    for topology, leases in every.items():
        for address, (_, *lessee) in leases.on(parent).items():
            found.setdefault(address, []).append((topology, LinkName(*lessee)))
    return found


def _address_leased(
    builder: Builder, link: Link, address: str, lease: tuple[str, LinkName]
) -> Problem:
    topology, lessee = lease
    place = builder.address_place(link, address)
    return Problem(
        place,
        f"{link.key} can't have {address}: topology {topology} leases it for {lessee}",
        f"vlanlink leases {topology} --release {address} frees it; or use another address",
        at_key=place == link.origin,
    )


def _is_up(observed: State, topology: str, key: LinkName, address: str) -> bool:
    """Whether the lessee has the address now, which ``address_conflicts`` reports."""
    link = observed.link(key)
    return bool(link and link.owner == topology and address in {a.bare for a in link.addresses})


def _address_taken(link: Link, place: Path, address: Address, holder: Link) -> Problem:
    return Problem(
        place,
        f"{link.key} can't have {address.bare}: {_who_has_it(holder)}",
        "use another address",
        at_key=place == link.origin,
    )


def _who_has_it(holder: Link) -> str:
    key = holder.key
    where = "the host" if key.namespace == HOST else f"namespace {key.namespace}"
    if str(key) == f"{key.name} of {key.namespace}":
        where = key.namespace
    whose = f" ({owner_in_words(holder.owner)})" if holder.owner else ""
    return f"{where} has it on {holder.name}{whose}"


def _over_wifi(
    link: Link, kind: Kind, wanted: Mapping[LinkName, Link], observed: State
) -> Iterator[Problem]:
    """An access point drops a client's frames from a MAC that did not associate."""
    if not kind.has_parent or kind.mac(link.settings) != "derived":
        return
    client = next((b for b in ancestors(link, wanted, observed) if b.wifi_client), None)
    if client:
        other = next(k for k in KINDS.values() if k.rx_handler and k.mac({}) == "fixed")
        yield Problem(
            link.origin,
            f"{client.name} is a Wi-Fi client; its access point drops the frames of {link.kind} "
            f"{link.key}, which has its own MAC",
            f'use kind = "{other.name}", mode = "{other.get({}, "mode")}": '
            "these links share their parent's MAC",
            at_key=True,
        )


def ancestors(link: Link, wanted: Mapping[LinkName, Link], observed: State) -> Iterator[Link]:
    """A link's parent, the parent's parent and so on: observed, or still to be created."""
    key = link.parent
    while key and (below := observed.link(key) or wanted.get(key)):
        yield below
        key = below.parent


def _port_of_another(link: Link, parent: Link) -> Iterator[Problem]:
    if parent.master:
        yield Problem(
            link.origin,
            f"{parent.name} is a port of {parent.master}, so it can't carry {link.kind} links",
            f"use {parent.master} as the parent",
            at_key=True,
        )


def _foreign_links(observed: State, topology: str) -> dict[LinkName, list[Link]]:
    """By parent, the links that the topology did not make."""
    found: dict[LinkName, list[Link]] = {}
    for link in observed.links():
        if link.parent and link.owner != topology:
            found.setdefault(link.parent, []).append(link)
    return found


def _one_of_each(links: Iterable[Link]) -> list[Link]:
    """The first of those that ask the same of a parent."""
    found: dict[Hashable, Link] = {}
    for link in links:
        kind = KINDS.get(link.kind)
        asks: tuple[Hashable, ...] = ()
        if kind:
            options = (option.key for option in kind.options if option.per_parent)
            asks = kind.exclusive(link.settings), *(kind.get(link.settings, o) for o in options)
        found.setdefault((link.kind, *asks), link)
    return list(found.values())


def _shared_parent(
    link: Link, kind: Kind, parent: Link, others: Iterable[Link]
) -> Iterator[Problem]:
    for other in others:
        if rx_handler(other.kind) is None:
            continue
        why = _incompatibility(link, kind, other)
        if why:
            whose = f" of {owner_in_words(other.owner)}" if other.owner else ""
            yield Problem(
                link.origin,
                f"{link.kind} {link.key} can't share {parent.name} with {other.kind} "
                f"{other.key}{whose}: {why}",
                "use another parent (a VLAN of it, for example), or delete that link first",
                at_key=True,
            )
            return


def _incompatibility(link: Link, kind: Kind, other: Link) -> str | None:
    if rx_handler(other.kind) != kind.rx_handler:
        return "a parent carries either macvlan or ipvlan links"
    theirs = KINDS.get(other.kind)
    if theirs is None:
        return None
    if kind.exclusive(link.settings) or theirs.exclusive(other.settings):
        return "one of the two must be the only link on its parent"
    for option in kind.options:
        mine, have = kind.get(link.settings, option.key), theirs.get(other.settings, option.key)
        if option.per_parent and mine != have:
            return (
                f"{option.key} applies to the whole parent: it is {show(have)}, and {show(mine)} "
                "would change that link too"
            )
    return None


def _host_is_there(link: Link, parent: Link, observed: State) -> Iterator[Problem]:
    """The host would lose its own network on the parent."""
    if parent.key.namespace != HOST:
        return
    held = held_by_host(parent, observed.host.routes)
    if held:
        yield Problem(
            link.origin,
            f"{link.kind} {link.key} would cut the host off from {parent.name}, "
            f"where it has {held[0]}",
            "take_parent = true accepts that: the host loses its network on that parent",
            at_key=True,
        )
