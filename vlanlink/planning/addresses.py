"""The addresses of a link that stays: which are kept, and in what order others come and go. Pure.

The first IPv4 address of a subnet is its primary one, the source of packets. The kernel removes the
subnet's others with it, unless promote_secondaries is on, and all IPv4 routes of a link with its
last address.
"""

import ipaddress
from collections.abc import Callable, Iterable
from functools import cache, partial

from vlanlink.model import Address, Link, LinkName, Route, State
from vlanlink.planning.diff import Diff, Readdressing

_HoldersOn = Callable[[LinkName], dict[str, set[LinkName]]]
"""The links on a parent, by the bare addresses that they have."""


def plan_addresses(diff: Diff) -> None:
    """Work out how the addresses of our links that stay change, and which routes that costs."""
    holders = cache(partial(_holders, diff.observed))
    for link in diff.observed.links():
        want = diff.desired.link(link.key)
        if want is None or link.addresses == want.addresses:
            continue
        if diff.mine(link) and link.key not in diff.recreated:
            diff.readdressing[link.key] = change = _readdressing(link, want, holders)
            if change.removed:
                lost = _lost_routes(diff.observed, link, change)
                diff.lost_routes.setdefault(link.namespace, set()).update(lost)


def _readdressing(seen: Link, want: Link, holders: _HoldersOn) -> Readdressing:
    """How to lead from the addresses of ``seen`` to those of ``want``, both in place.

    Kept are those in the desired order; others are removed, and added again if desired. If none
    of a subnet is kept, the first desired one is added early, unless a sibling still has it.
    """
    whole = frozenset(want.addresses)
    wrong = {a.text for a in whole} - {a.text for a in seen.addresses if a in whole}
    foreign = {a for a in seen.addresses if not a.ours and a.text not in wrong}
    kept = foreign | {a for a in seen.addresses if a.family == 6 and a in whole}
    have, asked = _by_subnet(seen.addresses), _by_subnet(want.addresses)
    early: list[Address] = []
    for subnet, wanted in asked.items():
        held = [address for address in have.get(subnet, ()) if address not in foreign]
        kept |= set(_in_order(held, wanted))
        if held and not kept & set(held):
            early.append(wanted[0])
    removed = tuple(address for address in seen.addresses if address not in kept)
    four = [address for address in kept if address.family == 4]
    loses = any(address.family == 4 for address in removed)
    if loses and not four and not early:
        early += [address for wanted in asked.values() for address in wanted[:1]][:1]
    held_texts = {address.text for address in seen.addresses}
    elsewhere = holders(seen.parent) if seen.parent else {}
    early = [
        address
        for address in early
        if address.text not in held_texts and not elsewhere.get(address.bare, set()) - {seen.key}
    ]
    return Readdressing(
        kept=frozenset(kept),
        early=tuple(early),
        removed=removed,
        promotes=_promotes(have, frozenset(removed), early),
        bare=loses and not four and not early,
    )


def _by_subnet(addresses: Iterable[Address]) -> dict[str, list[Address]]:
    found: dict[str, list[Address]] = {}
    for address in addresses:
        if address.family == 4:
            found.setdefault(_subnet(address), []).append(address)
    return found


def _subnet(address: Address) -> str:
    return str(ipaddress.ip_interface(address.text).network)


def _in_order(held: list[Address], wanted: list[Address]) -> list[Address]:
    """The longest beginning of ``wanted`` that is in ``held`` in this order."""
    found: list[Address] = []
    rest = iter(held)
    for address in wanted:
        if address not in rest:  # consumes what is before it
            break
        found.append(address)
    return found


def _promotes(
    have: dict[str, list[Address]], removed: frozenset[Address], early: list[Address]
) -> bool:
    coming = {_subnet(address) for address in early}
    return any(
        addresses[0] in removed
        and (subnet in coming or any(address not in removed for address in addresses))
        for subnet, addresses in have.items()
    )


def _holders(state: State, parent: LinkName) -> dict[str, set[LinkName]]:
    """By bare address, the links on a parent that have it."""
    found: dict[str, set[LinkName]] = {}
    for link in state.children(parent):
        for address in link.addresses:
            found.setdefault(address.bare, set()).add(link.key)
    return found


def _lost_routes(state: State, link: Link, change: Readdressing) -> set[Route]:
    """The IPv4 routes that the kernel removes with the addresses of a link."""
    removed = {address.bare for address in change.removed}
    return {
        route
        for route in state.namespaces[link.namespace].routes
        if route.family == 4 and ((change.bare and route.dev == link.name) or route.src in removed)
    }
