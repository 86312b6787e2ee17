"""What links on one parent may be to each other, and to the parent."""

from collections.abc import Iterator
from itertools import pairwise

from vlanlink.errors import Path, Problem
from vlanlink.kinds.kind import IPV6_MINIMUM_MTU, OptionValue
from vlanlink.topology.problems import quote
from vlanlink.topology.rules.index import Claim, Place, RuleIndex


def parent_cycle(facts: RuleIndex) -> Iterator[Problem]:
    """No link stands on itself, not even by way of others."""
    told: set[str] = set()
    for path, name in facts.parents():
        if path[0] != "links" or name in told:
            continue
        chain = _chain(facts, str(path[1]))
        if chain is not None and chain[0] == chain[-1]:
            told.update(chain)
            yield Problem(path, _loop(chain), "let one of them have another parent")


def _chain(facts: RuleIndex, name: str) -> list[str] | None:
    """The names from a link down to its last parent, or to the first that comes again."""
    chain = [name]
    while (below := facts.below(chain[-1])) is not None:
        chain.append(below)
        if below in chain[:-1]:
            return chain
    return None


def _loop(chain: list[str]) -> str:
    if len(chain) == 2:
        return f"{quote(chain[0])} is its own parent"
    steps = ", ".join(f"{above} stands on {below}" for above, below in pairwise(chain))
    return f"these links are their own parents: {steps}"


def kinds_on_parent(facts: RuleIndex) -> Iterator[Problem]:
    """Of the kinds that take over what the parent receives, only one fits on a parent."""
    first: dict[str, Claim] = {}
    for claim in facts.claims:
        if not claim.kind.rx_handler:
            continue
        before = first.setdefault(claim.parent, claim)
        if before.kind.rx_handler != claim.kind.rx_handler:
            yield Problem(
                (*claim.path, "kind"),
                f"{claim.label} ({claim.kind.name}) and {before.label} ({before.kind.name}) are "
                f"both on {claim.parent}, and only one of the two kinds can be",
                f'write kind = "{before.kind.name}", or give it another parent',
                related=(*before.path, "kind"),
            )


def shared_option(facts: RuleIndex) -> Iterator[Problem]:
    """Some options belong to the parent: what one link says, all have."""
    first: dict[tuple[str, str, str], Claim] = {}
    for claim in facts.claims:
        for option in claim.kind.options:
            if not option.per_parent or facts.touched(*claim.path, option.key):
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
        f"{claim.label} has {key} {mine}, {before.label} has {other}, and all {claim.kind.name} "
        f"links on {claim.parent} have the same",
        f'write {key} = "{other}", or give it another parent',
        related=(*before.path, key),
    )


def alone_on_parent(facts: RuleIndex) -> Iterator[Problem]:
    """Some links suffer no second one of their kind on their parent."""
    first: dict[tuple[str, str], Claim] = {}
    first_alone: dict[tuple[str, str], Claim] = {}
    for claim in facts.claims:
        if not facts.chosen(claim.path, claim.kind):
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
                f"{claim.label} and {clash.label} are both on {claim.parent}, and "
                f"{who.label} ({_mode(who)}) needs it to itself",
                "give it another parent, or another mode to the one",
                related=(*clash.path, "parent"),
            )


def _alone(claim: Claim) -> bool:
    return claim.kind.exclusive(claim.options)


def _mode(claim: Claim) -> str:
    return str(claim.options.get("mode", claim.kind.name))


def alone_in_network(facts: RuleIndex) -> Iterator[Problem]:
    """So a network of such links has one endpoint."""
    first: dict[str, Place] = {}
    for place in facts.places:
        if place.network is None or place.kind is None or not place.kind.exclusive(place.options):
            continue
        before = first.setdefault(place.network, place)
        if before is not place:
            yield Problem(
                (*place.path, "network"),
                f"{place.label} and {before.label} are both in network {place.network}, and a "
                f"{place.options.get('mode', place.kind.name)} network has room for one",
                "leave one of them out, or give the network another mode",
                related=(*before.path, "network"),
            )


def link_twice(facts: RuleIndex) -> Iterator[Problem]:
    """Links of a kind with an identity (a VLAN id) differ in it on one parent."""
    seen: dict[object, Claim] = {}
    for claim in facts.claims:
        fixed = [option for option in claim.kind.options if not option.live]
        if not any(option.required for option in fixed):
            continue
        if any(facts.touched(*claim.path, option.key) for option in fixed):
            continue
        identity = tuple((option.key, claim.get(option.key)) for option in fixed)
        before = seen.setdefault((claim.kind.name, claim.parent, identity), claim)
        if before is not claim:
            same = ", ".join(f"{key} {value}" for key, value in identity)
            yield Problem(
                (*claim.path, fixed[0].key),
                f"{claim.label} and {before.label} are both {claim.kind.name} links on "
                f"{claim.parent} with {same}",
                "leave one of them out, and use the other in its place",
                related=(*before.path, fixed[0].key),
            )


def mtu_above_parent(facts: RuleIndex) -> Iterator[Problem]:
    """No frame is larger than the parent's."""
    for path, label, mtu, parent in _mtus(facts):
        below = facts.on_host.get(parent)
        if below is not None and below.entry.mtu is not None and mtu > below.entry.mtu:
            yield Problem(
                (*path, "mtu"),
                f"{label} has MTU {mtu}, and its parent {parent} only {below.entry.mtu}",
                f"write mtu = {below.entry.mtu} or less, or raise that of {parent}",
                related=(*below.path, "mtu"),
            )


def _mtus(facts: RuleIndex) -> Iterator[tuple[Path, str, int, str]]:
    for name, network in facts.topology.networks.items():
        if network.mtu is not None and network.parent is not None:
            yield ("networks", name), f"network {name}", network.mtu, network.parent
    for place in facts.places:
        if place.entry.mtu is not None and place.parent is not None:
            yield place.path, place.label, place.entry.mtu, place.parent


def mtu_ipv6(facts: RuleIndex) -> Iterator[Problem]:
    """Below IPV6_MINIMUM_MTU the kernel turns IPv6 off on a link."""
    six = {one.place.path for one in facts.given if one.ip.version == 6}
    for place in facts.places:
        path, mtu = _mtu_of(facts, place)
        if place.path in six and mtu is not None and mtu < IPV6_MINIMUM_MTU:
            yield Problem(
                path,
                f"MTU {mtu} is too small for the IPv6 addresses of {place.label}",
                f"write mtu = {IPV6_MINIMUM_MTU} or more, or leave the IPv6 addresses out",
            )


def _mtu_of(facts: RuleIndex, place: Place) -> tuple[Path, int | None]:
    network = facts.network_of(place)
    if place.entry.mtu is None and network is not None:
        return ("networks", str(place.network), "mtu"), network.mtu
    return (*place.path, "mtu"), place.entry.mtu
