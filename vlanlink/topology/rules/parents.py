"""Links on one parent: what they can share, and what the parent allows."""

from collections.abc import Iterator
from itertools import pairwise

from vlanlink.errors import Path, Problem
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU, OptionValue
from vlanlink.topology.problems import quote
from vlanlink.topology.rules.index import Claim, Place, RuleIndex


def parent_cycle(index: RuleIndex) -> Iterator[Problem]:
    """No link is its own parent, directly or through others."""
    reported: set[str] = set()
    for path, name in index.parents():
        if path[0] != "links" or name in reported:
            continue
        chain = _chain(index, str(path[1]))
        if chain is not None and chain[0] == chain[-1]:
            reported.update(chain)
            yield Problem(path, _loop(chain), "give one of them another parent")


def _chain(index: RuleIndex, name: str) -> list[str] | None:
    """The names from a link down, up to the first that repeats; None if none does."""
    chain = [name]
    while (below := index.below(chain[-1])) is not None:
        chain.append(below)
        if below in chain[:-1]:
            return chain
    return None


def _loop(chain: list[str]) -> str:
    if len(chain) == 2:
        return f"{quote(chain[0])} is its own parent"
    steps = ", ".join(f"{above} is on {below}" for above, below in pairwise(chain))
    return f"these links form a loop: {steps}"


def kinds_on_parent(index: RuleIndex) -> Iterator[Problem]:
    """A parent has room for one receive handler."""
    first: dict[str, Claim] = {}
    for claim in index.claims:
        if not claim.kind.rx_handler:
            continue
        before = first.setdefault(claim.parent, claim)
        if before.kind.rx_handler != claim.kind.rx_handler:
            yield Problem(
                (*claim.path, "kind"),
                f"{claim.label} ({claim.kind.name}) and {before.label} ({before.kind.name}) share "
                f"parent {claim.parent}, which can carry only one of the two kinds",
                f'write kind = "{before.kind.name}", or give it another parent',
                related=(*before.path, "kind"),
            )


def shared_option(index: RuleIndex) -> Iterator[Problem]:
    """Some options belong to the parent: all links on it have the same value."""
    first: dict[tuple[str, str, str], Claim] = {}
    for claim in index.claims:
        for option in claim.kind.options:
            if not option.per_parent or index.touched(*claim.path, option.key):
                continue
            before = first.setdefault((claim.parent, claim.kind.name, option.key), claim)
            mine, other = claim.get(option.key), before.get(option.key)
            if mine != other:
                yield _differing(claim, before, option.key, mine, other)


def _differing(
    claim: Claim, before: Claim, key: str, mine: OptionValue | None, other: OptionValue | None
) -> Problem:
    return Problem(
        (*claim.path, key),
        f"{claim.label} has {key} {mine}, but {before.label} has {other}; all {claim.kind.name} "
        f"links on {claim.parent} must have the same",
        f'write {key} = "{other}", or give it another parent',
        related=(*before.path, key),
    )


def alone_on_parent(index: RuleIndex) -> Iterator[Problem]:
    """An exclusive link is the only one of its kind on its parent."""
    first: dict[tuple[str, str], Claim] = {}
    first_alone: dict[tuple[str, str], Claim] = {}
    for claim in index.claims:
        if not index.chosen(claim.path, claim.kind):
            continue
        on = claim.parent, claim.kind.name
        clash = first.get(on) if _alone(claim) else first_alone.get(on)
        first.setdefault(on, claim)
        if _alone(claim):
            first_alone.setdefault(on, claim)
        if clash is not None:
            who = claim if _alone(claim) else clash
            yield Problem(
                (*claim.path, "parent"),
                f"{claim.label} and {clash.label} share parent {claim.parent}, but "
                f"{who.label} ({_mode(who)}) must be alone on it",
                f"give one of them another parent, or {who.label} another mode",
                related=(*clash.path, "parent"),
            )


def _alone(claim: Claim) -> bool:
    return claim.kind.exclusive(claim.options)


def _mode(claim: Claim) -> str:
    return str(claim.options.get("mode", claim.kind.name))


def alone_in_network(index: RuleIndex) -> Iterator[Problem]:
    """A network of exclusive links has one endpoint."""
    first: dict[str, Place] = {}
    for place in index.places:
        if place.network is None or place.kind is None or not place.kind.exclusive(place.options):
            continue
        before = first.setdefault(place.network, place)
        if before is not place:
            yield Problem(
                (*place.path, "network"),
                f"{place.label} and {before.label} are both in network {place.network}, but a "
                f"{place.options.get('mode', place.kind.name)} network has room for one endpoint",
                "remove one of them, or give the network another mode",
                related=(*before.path, "network"),
            )


def link_twice(index: RuleIndex) -> Iterator[Problem]:
    """Links with an identity (a VLAN id) are unique on their parent."""
    seen: dict[object, Claim] = {}
    for claim in index.claims:
        fixed = [option for option in claim.kind.options if not option.live]
        if not any(option.required for option in fixed):
            continue
        if any(index.touched(*claim.path, option.key) for option in fixed):
            continue
        identity = tuple((option.key, claim.get(option.key)) for option in fixed)
        before = seen.setdefault((claim.kind.name, claim.parent, identity), claim)
        if before is not claim:
            same = ", ".join(f"{key} {value}" for key, value in identity)
            yield Problem(
                (*claim.path, fixed[0].key),
                f"{claim.label} and {before.label} are both {claim.kind.name} links on "
                f"{claim.parent} with {same}",
                "remove one of them, and use the other instead",
                related=(*before.path, fixed[0].key),
            )


def mtu_above_parent(index: RuleIndex) -> Iterator[Problem]:
    """A link's MTU is at most its parent's."""
    for path, label, mtu, parent in _mtus(index):
        below = index.on_host.get(parent)
        if below is not None and below.entry.mtu is not None and mtu > below.entry.mtu:
            yield Problem(
                (*path, "mtu"),
                f"{label} has MTU {mtu}, but its parent {parent} only {below.entry.mtu}",
                f"write mtu = {below.entry.mtu} or less, or raise the MTU of {parent}",
                related=(*below.path, "mtu"),
            )


def _mtus(index: RuleIndex) -> Iterator[tuple[Path, str, int, str]]:
    for name, network in index.topology.networks.items():
        if network.mtu is not None and network.parent is not None:
            yield ("networks", name), f"network {name}", network.mtu, network.parent
    for place in index.places:
        if place.entry.mtu is not None and place.parent is not None:
            yield place.path, place.label, place.entry.mtu, place.parent


def mtu_ipv6(index: RuleIndex) -> Iterator[Problem]:
    """Below the minimum MTU of IPv6 the kernel disables IPv6 on a link."""
    six = {one.place.path for one in index.given if one.ip.version == 6}
    for place in index.places:
        path, mtu = _mtu_of(index, place)
        if place.path in six and mtu is not None and mtu < IPV6_MINIMUM_MTU:
            yield Problem(
                path,
                f"MTU {mtu} is too small for the IPv6 addresses of {place.label}",
                f"write mtu = {IPV6_MINIMUM_MTU} or more, or remove the IPv6 addresses",
            )


def _mtu_of(index: RuleIndex, place: Place) -> tuple[Path, int | None]:
    network = index.network_of(place)
    if place.entry.mtu is None and network is not None:
        return ("networks", str(place.network), "mtu"), network.mtu
    return (*place.path, "mtu"), place.entry.mtu
