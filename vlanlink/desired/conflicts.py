"""What is there already against what shall come: names taken, parents held. Pure.

The file alone was checked for this when it was read; here it is the living machine. The kernel
answers most of these with a bare EBUSY or EINVAL, or lets a new link change its siblings.
"""

from collections.abc import Iterable, Iterator, Mapping

from vlanlink.desired.builder import Builder
from vlanlink.desired.parent_names import held_by_host
from vlanlink.errors import Path, Problem
from vlanlink.kinds import KINDS, Kind, rx_handler
from vlanlink.model import HOST, LOOPBACK, Address, Link, LinkName, State, owner_in_words, show


def name_conflicts(wanted: Iterable[Link], observed: State, topology: str) -> Iterator[Problem]:
    """Names and altnames that something holds which the topology did not make."""
    holders = {
        (seen.namespace, name): seen
        for seen in observed.links()
        if seen.owner != topology
        for name in _names(seen)
    }
    for link in wanted:
        if link.owner is None or link.name == LOOPBACK:
            continue
        for name in _names(link):
            if (link.namespace, name) in holders:
                yield _name_taken(link, name, holders[link.namespace, name])


def _names(link: Link) -> tuple[str, ...]:
    altnames = link.settings.get("altnames")
    return (link.name, *(altnames if isinstance(altnames, tuple) else ()))


def _name_taken(link: Link, name: str, seen: Link) -> Problem:
    foreign = f"a {seen.kind} that vlanlink did not make"
    whose = f"made by {owner_in_words(seen.owner)}" if seen.owner else foreign
    where = f" in namespace {link.namespace}" if link.namespace else ""
    return Problem(
        link.origin,
        f"the name {name}{where} is taken: {seen.name} is {whose}",
        "choose another name, or take that link away",
        at_key=True,
    )


def parent_conflicts(
    wanted: Mapping[LinkName, Link],
    observed: State,
    topology: str,
    may_take_parent: frozenset[LinkName],
) -> Iterator[Problem]:
    """Why links can't be on their parents on this machine.

    ``may_take_parent`` are the links that may take a parent from the host (``take_parent``).
    """
    strangers = _strangers(observed, topology)
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
            yield from _beside_others(link, kind, parent, strangers.get(parent.key, ()))
        if kind.exclusive(link.settings) and link.key not in may_take_parent:
            yield from _host_is_there(link, parent, observed)


def address_conflicts(draft: Builder) -> Iterator[Problem]:
    """Addresses that the host has on a link's parent, or somebody else's link beside it."""
    observed = draft.observed
    strangers = _strangers(observed, draft.name)
    for link in draft.links.values():
        kind = KINDS.get(link.kind)
        parent = observed.link(link.parent)
        if kind is None or not kind.rx_handler or parent is None or link.owner != draft.name:
            continue
        if kind.exclusive(link.settings):
            continue  # the host has no network there
        have = {address.bare: parent for address in parent.addresses}
        for other in strangers.get(parent.key, ()):
            have |= {address.bare: other for address in other.addresses}
        for address in link.addresses:
            if address.bare in have and not address.link_local:
                place = draft.address_place(link, address.bare)
                yield _address_taken(link, place, address, have[address.bare])


def _address_taken(link: Link, place: Path, address: Address, holder: Link) -> Problem:
    where = "the host" if holder.namespace == HOST else f"namespace {holder.namespace}"
    whose = f" ({owner_in_words(holder.owner)})" if holder.owner else ""
    return Problem(
        place,
        f"{link.key} can't have {address.bare}: {where} has it on {holder.name}{whose}",
        "write another address",
        at_key=place == link.origin,
    )


def _over_wifi(
    link: Link, kind: Kind, wanted: Mapping[LinkName, Link], observed: State
) -> Iterator[Problem]:
    """An access point drops what a station sends under a MAC that did not join."""
    if not kind.has_parent or kind.mac(link.settings) != "derived":
        return
    station = next((b for b in stands_on(link, wanted, observed) if b.station), None)
    if station:
        other = next(k for k in KINDS.values() if k.rx_handler and k.mac({}) == "fixed")
        yield Problem(
            link.origin,
            f"{station.name} is a Wi-Fi station, and its access point drops the frames of "
            f"{link.kind} {link.key}: they have a MAC of their own",
            f'write kind = "{other.name}", mode = "{other.get({}, "mode")}": '
            "such links have the MAC of their parent",
            at_key=True,
        )


def stands_on(link: Link, wanted: Mapping[LinkName, Link], observed: State) -> Iterator[Link]:
    """All that a link stands on, whether it is there or to come."""
    key = link.parent
    while key and (below := observed.link(key) or wanted.get(key)):
        yield below
        key = below.parent


def _port_of_another(link: Link, parent: Link) -> Iterator[Problem]:
    if parent.master:
        yield Problem(
            link.origin,
            f"{parent.name} is a port of {parent.master}, and can't carry {link.kind} besides",
            f"use {parent.master} as the parent",
            at_key=True,
        )


def _strangers(observed: State, topology: str) -> dict[LinkName, list[Link]]:
    """The links on each parent that the topology did not make."""
    found: dict[LinkName, list[Link]] = {}
    for link in observed.links():
        if link.parent and link.owner != topology:
            found.setdefault(link.parent, []).append(link)
    return found


def _beside_others(
    link: Link, kind: Kind, parent: Link, others: Iterable[Link]
) -> Iterator[Problem]:
    for other in others:
        if rx_handler(other.kind) is None:
            continue
        why = _why_not_beside(link, kind, other)
        if why:
            whose = f" of {owner_in_words(other.owner)}" if other.owner else ""
            yield Problem(
                link.origin,
                f"{link.kind} {link.key} can't share {parent.name} with {other.kind} "
                f"{other.key}{whose}: {why}",
                "use another parent (a VLAN of it, say), or take that link away first",
                at_key=True,
            )
            return


def _why_not_beside(link: Link, kind: Kind, other: Link) -> str | None:
    if rx_handler(other.kind) != kind.rx_handler:
        return "a parent carries either macvlan or ipvlan links"
    theirs = KINDS.get(other.kind)
    if theirs is None:
        return None
    if kind.exclusive(link.settings) or theirs.exclusive(other.settings):
        return "one of the two must be alone on its parent"
    for option in kind.options:
        mine, have = kind.get(link.settings, option.key), theirs.get(other.settings, option.key)
        if option.per_parent and mine != have:
            return (
                f"{option.key} belongs to the parent: it is {show(have)}, and {show(mine)} "
                "would change it there too"
            )
    return None


def _host_is_there(link: Link, parent: Link, observed: State) -> Iterator[Problem]:
    """The host's own network on the parent would go dead."""
    if parent.key.namespace != HOST:
        return
    held = held_by_host(parent, observed.host.routes)
    if held:
        yield Problem(
            link.origin,
            f"{link.kind} {link.key} would take {parent.name} from the host, which has "
            f"{held[0]} there",
            "take_parent = true allows it: the host's own network on that parent goes dead",
            at_key=True,
        )
