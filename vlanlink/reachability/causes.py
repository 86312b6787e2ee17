"""Why a probe differs from what the topology promises: measured facts → cause. Pure.

A cause is named only where a measured fact shows it. Each has a test that makes it happen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vlanlink.kernel.packet.echo import EchoReply, FailureReason
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link, LinkName, State, family_of
from vlanlink.reachability.expected import GATEWAY, Pair
from vlanlink.reachability.paths import Outcome, Path, Paths, title
from vlanlink.reachability.segments import Block

Found = tuple[str, tuple[str, ...]]
"""A cause, and the facts that show it."""


class Cause(StrEnum):
    """What can be shown."""

    MISSING = "missing on this machine"
    DOWN = "link down"
    NO_CARRIER = "parent without carrier"
    NO_ROUTE = "missing route"
    NO_RETURN_ROUTE = "missing return route"
    NOT_FORWARDED = "router does not forward"
    CHANGED = "changed by hand"
    NOT_LISTED = "MAC not in source_macs"
    EXTRA_MACS = "switch drops extra MACs"
    GATEWAY_SILENT = "gateway silent"
    HAIRPIN_OFF = "switch does not send back (hairpin off)"
    HAIRPIN_ON = "switch sends back (hairpin on)"
    RP_FILTER = "rp_filter"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured besides the probe itself."""

    paths: Paths
    """The ways as they are on the machine."""
    heard: Mapping[tuple[LinkName, str], str | None] = field(default_factory=dict)
    """The MAC that answered a parent for an address; None if nobody did."""
    gateways: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The gateways that namespaces reached."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Packets that the reverse path filter of namespaces dropped while all was asked again."""

    @property
    def state(self) -> State:
        """The namespaces of the topology as they are."""
        return self.paths.state


@dataclass(frozen=True, slots=True)
class Case:
    """A probe that differs; ``answer`` is None where it could not be sent."""

    pair: Pair
    answer: EchoReply | None
    evidence: Evidence

    @property
    def link(self) -> Link | None:
        """The link that it is to be sent by, as it is."""
        promised = self.pair.way.link
        return self.evidence.state.link(promised)

    @property
    def parent(self) -> Link | None:
        """The parent of that link."""
        return self.evidence.state.link(self.link.parent) if self.link else None

    @property
    def way(self) -> Path:
        """The way as it is."""
        pair, paths = self.pair, self.evidence.paths
        if pair.target == GATEWAY:
            return paths.way(pair.source, pair.address, self.link)
        return paths.there_and_back(pair.source, pair.address)


def explain(case: Case) -> tuple[str | None, tuple[str, ...]]:
    """The cause of a difference and its facts; without one, the facts that are nearest."""
    rules = _NOT_REACHED if case.pair.promised else _REACHED
    for rule in rules:
        found = rule(case)
        if found:
            return found
    return None, tuple(_nearest(case))


def _nearest(case: Case) -> Iterator[str]:
    answer = case.answer
    if answer is None:
        return
    if answer.why:
        yield f"{title(case.pair.source)}: {answer.why}"
    if answer.detail:
        yield answer.detail
    if answer.reached and answer.neighbour:
        yield f"{case.pair.address} is reached by {answer.neighbour}"


# -- promised, and not reached ---------------------------------------------------------------------


def _missing(case: Case) -> Found | None:
    """What the topology makes is not there, or down."""
    pair, state = case.pair, case.evidence.state
    keys = [pair.way.link] if pair.way.link else []
    for space in (pair.source, *(key.namespace for key in pair.way.came_by)):
        if not state.namespaces[space].made:
            return Cause.MISSING, (f"there is no namespace {space}",)
    for key in (*keys, *pair.way.came_by):
        link = state.link(key)
        if link is None:
            return Cause.MISSING, (f"there is no link {key}",)
        if not link.up:
            return Cause.DOWN, (f"{key} is down",)
    wanted = [(pair.source, pair.way.source)]
    wanted += [(pair.target, pair.address)] if pair.target != GATEWAY else []
    for space, address in wanted:
        if address and address not in _addresses(state, space):
            return Cause.MISSING, (f"{title(space)} does not have {address}",)
    return None


def _addresses(state: State, namespace: str) -> set[str]:
    links = state.namespaces[namespace].links.values()
    return {address.bare for link in links for address in link.addresses}


def _no_carrier(case: Case) -> Found | None:
    ends = [case.link, *(case.evidence.state.link(key) for key in case.pair.way.came_by)]
    for link in ends:
        below = link and case.evidence.state.link(link.parent)
        while below:
            if not below.up:
                return Cause.DOWN, (f"{below.key} is down",)
            lower = case.evidence.state.link(below.parent)
            if not below.carrier and (lower is None or lower.carrier):
                return Cause.NO_CARRIER, (f"{below.key} has no carrier",)
            below = lower
    return None


_ENDS = {
    Outcome.NO_ROUTE: Cause.NO_ROUTE,
    Outcome.NO_WAY_BACK: Cause.NO_RETURN_ROUTE,
    Outcome.NOT_FORWARDED: Cause.NOT_FORWARDED,
    Outcome.BARRED: Cause.CHANGED,
    Outcome.NOBODY: Cause.CHANGED,
}


def _no_way(case: Case) -> Found | None:
    """The machine's own links, routes and sysctls do not lead there."""
    way = case.way
    if way.end in _ENDS:
        return _ENDS[way.end], (way.reason,)
    return None


def _by_the_parent(case: Case) -> Found | None:
    """Nobody answers for a gateway: what the parent hears when it asks for itself."""
    answer, parent, link = case.answer, case.parent, case.link
    if not (answer and parent and link) or case.pair.target != GATEWAY:
        return None
    asked = (parent.key, case.pair.address)
    if asked not in case.evidence.heard:
        return None
    mac = case.evidence.heard[asked]
    nobody = f"nobody answers {link.key} for {case.pair.address}"
    if mac is None:
        return Cause.GATEWAY_SILENT, (f"{nobody}, nor {parent.key} itself",)
    if answer.why is not FailureReason.NO_NEIGHBOUR:
        return None
    answered = f"{mac} answers {parent.key} itself"
    kind = KINDS.get(link.kind)
    if kind and not kind.accepts_source(link.settings, mac):
        return Cause.NOT_LISTED, (nobody, f"{answered}, and {link.key} does not list it")
    if link.settings.get("mac") == parent.settings.get("mac"):
        return None
    return Cause.EXTRA_MACS, (nobody, answered)


def _hairpin_off(case: Case) -> Found | None:
    """Endpoints reach their gateway by the switch, and what is on the same port not."""
    pair, answer = case.pair, case.answer
    if pair.way.barrier is not Block.SWITCH or not answer:
        return None
    if answer.why is not FailureReason.NO_NEIGHBOUR:
        return None
    ends = [name for name in (pair.source, pair.target) if name != HOST]
    by_it = {name: case.evidence.gateways.get(name, frozenset()) for name in ends}
    if not all(by_it.values()):
        return None
    reached = " and ".join(f"{name} reaches {min(found)}" for name, found in by_it.items())
    return Cause.HAIRPIN_OFF, (reached, answer.detail)


def _rp_filter(case: Case) -> Found | None:
    """What comes in by one link and would go back by another is dropped (RFC 3704, strict)."""
    way, pair, paths = case.way, case.pair, case.evidence.paths
    if way.end is not Outcome.ARRIVES or family_of(pair.address) != 4 or way.source is None:
        return None
    there = paths.way(pair.source, pair.address).came_by
    again = paths.way(pair.target, way.source).came_by
    for key, sender in [
        *((key, way.source) for key in there),
        *((key, pair.address) for key in again),
    ]:
        dropped = case.evidence.dropped.get(key.namespace, 0)
        back = paths.way(key.namespace, sender).link
        if dropped and back not in (None, key) and _is_strict(case.evidence.state, key):
            return Cause.RP_FILTER, (
                f"rp_filter is 1 on {key}, and the route back to {sender} is by {back}",
                f"{title(key.namespace)} dropped {dropped} packets for it meanwhile",
            )
    return None


def _is_strict(state: State, key: LinkName) -> bool:
    """The higher of the two values counts; 1 is strict (ip-sysctl.rst)."""
    values = state.namespaces[key.namespace].sysctls
    keys = (f"net/ipv4/conf/{name}/rp_filter" for name in ("all", key.name))
    return max(values.get(each, "0") for each in keys) == "1"


# -- reached, and not promised ---------------------------------------------------------------------


def _sent_back(case: Case) -> Found | None:
    """The kernel never delivers it on the machine, and the other end's own MAC answered."""
    pair, answer = case.pair, case.answer
    if not answer or pair.way.barrier not in (Block.SWITCH, Block.HIDDEN, Block.APART):
        return None
    if case.way.barrier is not pair.way.barrier:
        return None
    links = case.evidence.state.namespaces[pair.target].links.values()
    own = {link.settings.get("mac"): link for link in links}
    if answer.neighbour not in own:
        return None
    fact = f"{answer.neighbour} of {own[answer.neighbour].key} answers {title(pair.source)}"
    return Cause.HAIRPIN_ON, (fact, f"on the machine {pair.reason}")


def _joined_by_hand(case: Case) -> Found | None:
    way = case.way
    if way.end is Outcome.ARRIVES:
        reason = way.reason or "the address is its own"
        return Cause.CHANGED, (f"as the machine is now, {reason}",)
    return None


_Rule = Callable[[Case], Found | None]
_NOT_REACHED: tuple[_Rule, ...] = (
    _missing,
    _no_carrier,
    _no_way,
    _by_the_parent,
    _hairpin_off,
    _rp_filter,
)
_REACHED: tuple[_Rule, ...] = (_sent_back, _joined_by_hand)
