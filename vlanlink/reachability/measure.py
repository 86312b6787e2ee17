"""Probe pairs from inside their namespaces, and collect evidence where one differs.

All pairs are probed at the same time. Those that should answer and don't are retried, while the
reverse path filter's drops are counted. If one still differs, the parents probe for the gateways.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.desired.links import link_local_of
from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.netlink.rules import before_main
from vlanlink.kernel.packet.arp_nd import ArpProbe
from vlanlink.kernel.packet.echo import EchoReply, EchoRequest, FailureReason
from vlanlink.kernel.packet.neighbours import Hop
from vlanlink.kernel.policy import Policy, kernel_route, read_policy
from vlanlink.kernel.procfs import undelivered_packets
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, State
from vlanlink.reachability.case import Case, Evidence
from vlanlink.reachability.causes import explain
from vlanlink.reachability.expected import (
    GATEWAY,
    Pair,
    Reachability,
    endpoints,
    hairpins,
    observed_state,
    paths_of,
)
from vlanlink.reachability.paths import Paths, title
from vlanlink.reachability.result import Check, Verification
from vlanlink.reachability.sampling import LIMIT, sample
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session, kernel_errors
from vlanlink.sysctl import FORWARDING_KEYS

SECONDS, AGAIN_SECONDS = 1.0, 2.0
"""Timeout of the first probe, and of a retry: the kernel sends three neighbour solicitations a
second apart (arp(7), retrans_time_ms)."""


def measure(session: Session, look: Observation, *, everything: bool = False) -> Verification:
    """Probe every pair of an active topology, or of a sample of its endpoints."""
    desired = look.resolution.desired
    machine = session.machine
    with kernel_errors():
        whole = machine.with_sysctls(look.observed, _forwarding_keys(desired))
    observed = observed_state(whole, desired, look.topology.name)
    names = endpoints(desired)
    chosen = names
    if len(names) > LIMIT and not everything:
        chosen = sample(names, desired, look.topology)
    expected = Reachability(look.topology, observed, desired)
    measurement = _Measurement(machine, observed, session.on_progress)
    both = (expected.paths, paths_of(observed, look.topology))
    checks: list[Check] = []
    pairs: list[Pair] = []
    for pair in expected.pairs(chosen):
        why = _unmeasurable(pair, both)
        if why:
            checks.append(Check(pair, None, why))
        else:
            pairs.append(pair)
    checks += _checked(pairs, measurement.answers(pairs, SECONDS), measurement, look)
    return Verification(
        look.topology.name,
        "drifted" if look.todo.operations else "up",
        tuple(sorted((c for c in checks if c.judged), key=lambda check: check.ok)),
        tuple(c for c in checks if c.reached is not None and c.pair.expected is None),
        tuple(c for c in checks if c.reached is None),
        len(names),
        len(chosen),
    )


def _unmeasurable(pair: Pair, both: Iterable[Paths]) -> str | None:
    """Why an answer would not be the target's, by the expected or the observed paths."""
    found = (paths.answered_by_another(pair.source, pair.target, pair.address) for paths in both)
    return next(filter(None, found), None)


def _forwarding_keys(desired: State) -> dict[str, frozenset[str]]:
    """The forwarding sysctls of the host and of namespaces with several links."""
    several = {
        name
        for name, space in desired.namespaces.items()
        if name == HOST or len(space.links.keys() - {LOOPBACK}) > 1
    }
    return dict.fromkeys(sorted(several), FORWARDING_KEYS)


class _Measurement:
    """Sends pairs as echo requests."""

    def __init__(self, machine: Machine, observed: State, on_progress: Progress | None) -> None:
        self.machine = machine
        self.observed = observed
        self.on_progress = on_progress

    def answers(self, pairs: Iterable[Pair], seconds: float) -> dict[Pair, EchoReply]:
        """The reply of each pair that can be probed."""
        requests = {pair: one for pair in pairs if (one := self._request(pair)) is not None}
        ordered = in_turn(requests)
        total = len(requests)

        def report(done: int) -> None:
            if self.on_progress:
                self.on_progress(done, total, "probed")

        report(0)
        found = self.machine.ping(
            [requests[pair] for pair in ordered], seconds=seconds, progress=report
        )
        if self.machine.interrupted():
            raise Interrupted(Diagnostic("interrupted"))
        return {pair: found[sent] for pair, sent in requests.items() if sent in found}

    def _request(self, pair: Pair) -> EchoRequest | None:
        if not self.observed.namespaces[pair.source].made:
            return None
        if pair.interface is None:
            return EchoRequest(pair.source, None, None, pair.address)
        link = self.observed.link(LinkName(pair.source, pair.interface))
        return EchoRequest(pair.source, link.index, None, pair.address) if link else None


def in_turn(pairs: Collection[Pair]) -> list[Pair]:
    """The pairs in the order in which they are probed.

    Silent ones go first: they share a wait. Both directions of a pair go together: the second one
    needs no ARP request, which every link on the segment hears.
    """
    ranks = {name: rank for rank, name in enumerate(dict.fromkeys(p.source for p in pairs))}

    def turn(pair: Pair) -> tuple[bool, int, int]:
        low, high = sorted((ranks[pair.source], ranks.get(pair.target, -1)))
        return pair.expected is True, high, low

    return sorted(pairs, key=turn)


def _checked(
    pairs: Sequence[Pair],
    first: Mapping[Pair, EchoReply],
    measurement: _Measurement,
    look: Observation,
) -> list[Check]:
    unanswered = [pair for pair in pairs if pair.expected and not _reached(first, pair)]
    again, lost = _retry(unanswered, measurement, look)
    answers = {**first, **again}
    checks = {pair: _check(pair, answers.get(pair)) for pair in pairs}
    differing = [pair for pair, check in checks.items() if not check.ok]
    if differing:
        evidence = _evidence(differing, answers, lost, measurement, look)
        for pair in differing:
            cause, facts = explain(Case(pair, answers.get(pair), evidence))
            checks[pair] = replace(checks[pair], cause=cause, facts=facts)
    return list(checks.values())


def _check(pair: Pair, answer: EchoReply | None) -> Check:
    """A probe that was not sent measures nothing, unless an answer was expected."""
    if answer is None or (answer.why is FailureReason.NOT_SENT and not answer.reached):
        why = answer.detail if answer else f"{title(pair.source)} can't send a probe"
        return Check(pair, False) if pair.expected else Check(pair, None, why)
    return Check(pair, answer.reached)


def _reached(answers: Mapping[Pair, EchoReply], pair: Pair) -> bool:
    return pair in answers and answers[pair].reached


@dataclass(frozen=True, slots=True)
class _Lost:
    """Packets that namespaces dropped during the retry."""

    filtered: Mapping[str, int] = field(default_factory=dict)
    """By the reverse path filter."""
    undelivered: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """By family; those as well."""


def _retry(
    unanswered: Sequence[Pair], measurement: _Measurement, look: Observation
) -> tuple[dict[Pair, EchoReply], _Lost]:
    """Retry pairs without an answer; count what is dropped meanwhile."""
    if not unanswered:
        return {}, _Lost()
    machine = measurement.machine
    names = _namespaces_on_paths(unanswered, paths_of(measurement.observed, look.topology))
    spaces = measurement.observed.namespaces
    ends = sorted(name for name in {*names, *(p.source for p in unanswered)} if spaces[name].made)
    counters = [(name, family) for name in ends for family in (4, 6)]
    asked = [(name, partial(undelivered_packets, family)) for name, family in counters]
    before, came = machine.filtered_packets(names), machine.inside(asked)
    answers = measurement.answers(unanswered, AGAIN_SECONDS)
    after, now = machine.filtered_packets(names), machine.inside(asked)
    gone = {key: late - early for key, early, late in zip(counters, came, now, strict=True)}
    filtered = {name: after[name] - before[name] for name in names}
    for name, number in filtered.items():
        gone[name, 4] = gone.get((name, 4), 0) - number
    return answers, _Lost(filtered, gone)


def _evidence(
    differing: Sequence[Pair],
    answers: Mapping[Pair, EchoReply],
    lost: _Lost,
    measurement: _Measurement,
    look: Observation,
) -> Evidence:
    gateways: dict[str, set[str]] = {}
    for pair, answer in answers.items():
        if pair.target == GATEWAY and answer.reached:
            gateways.setdefault(pair.source, set()).add(pair.address)
    machine, desired = measurement.machine, look.resolution.desired
    keys = _forwarding_keys(desired)
    with kernel_errors():
        wanted = _filters(measurement.observed, lost.filtered, keys)
        whole = machine.with_sysctls(machine.snapshot(), wanted)
    state = observed_state(whole, desired, look.topology.name)
    paths, expected = paths_of(state, look.topology), [pair for pair in differing if pair.expected]
    names = {pair.source for pair in expected} | {*_namespaces_on_paths(expected, paths)}
    there = sorted(name for name in names if state.namespaces[name].made)
    policies = dict(zip(there, machine.inside([(n, read_policy) for n in there]), strict=True))
    macs = _macs(expected, machine, state, hairpins(look.topology))
    return Evidence(
        paths,
        macs.gateways,
        {name: frozenset(found) for name, found in gateways.items()},
        lost.filtered,
        lost.undelivered,
        policies,
        dict(_routes(expected, paths, policies, machine)),
        macs.doubles,
    )


def _routes(
    pairs: Iterable[Pair], paths: Paths, policies: Mapping[str, Policy], machine: Machine
) -> Iterator[tuple[tuple[str, str], Hop | None]]:
    """The kernel's own routes, there and back, from namespaces with rules before table main."""
    asked: dict[tuple[str, str], partial[Hop | None]] = {}
    for pair in pairs:
        to_gateway = pair.target == GATEWAY
        link = paths.state.link(pair.path.link)
        index = link.index if link and to_gateway else None
        asked[pair.source, pair.address] = partial(kernel_route, pair.address, index, None)
        source = paths.path(pair.source, pair.address).source
        if source and not to_gateway:
            asked[pair.target, source] = partial(kernel_route, source, None, pair.address)
    ruled = {
        name for name, one in policies.items() if any(before_main(one.rules, f) for f in (4, 6))
    }
    wanted = [key for key in asked if key[0] in ruled]
    found = machine.inside([(key[0], asked[key]) for key in wanted])
    return zip(wanted, found, strict=True)


def _namespaces_on_paths(pairs: Iterable[Pair], paths: Paths) -> list[str]:
    """The namespaces whose reverse path filter could drop packets of the pairs."""
    found: set[str] = set()
    for pair in pairs:
        if pair.target != GATEWAY:
            path = paths.round_trip(pair.source, pair.address)
            found |= {key.namespace for key in path.ingress_links}
    return sorted(found)


_ARP_IGNORE = "net/ipv4/conf/all/arp_ignore"
"""Of a link, it is among the link's settings."""


def _filters(
    observed: State, names: Iterable[str], keys: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    found = dict(keys)
    for name in names:
        links = ("all", *observed.namespaces[name].links)
        own = frozenset(f"net/ipv4/conf/{link}/rp_filter" for link in links) | {_ARP_IGNORE}
        found[name] = own | found.get(name, frozenset())
    return found


@dataclass(frozen=True, slots=True)
class _Macs:
    gateways: Mapping[tuple[LinkName, str], str | None]
    """The MACs of unanswering gateways, as the parents themselves resolve them."""
    doubles: frozenset[tuple[LinkName, str]]
    """Parents, and MACs of links on them that a station on their LAN has, too."""


def _macs(
    pairs: Iterable[Pair], machine: Machine, observed: State, reflected: frozenset[LinkName]
) -> _Macs:
    """Ask from the parents. A switch that reflects frames makes a link answer its own parent."""
    gateways: dict[ArpProbe, tuple[LinkName, str]] = {}
    doubles: dict[ArpProbe, tuple[LinkName, str]] = {}
    for pair in pairs:
        parent, link = _parent(observed, pair), observed.link(pair.path.link)
        if pair.target == GATEWAY and link and parent and parent.up and parent.carrier:
            mac, own = (str(one.settings.get("mac")) for one in (parent, link))
            gateways[ArpProbe(parent.index, mac, pair.address)] = (parent.key, pair.address)
            if link.key not in reflected:
                doubles[ArpProbe(parent.index, mac, link_local_of(own))] = (parent.key, own)
    if not gateways:
        return _Macs({}, frozenset())
    answers = machine.probe_lan([*gateways, *doubles])
    return _Macs(
        {key: answers.get(probe) for probe, key in gateways.items()},
        frozenset(key for probe, key in doubles.items() if answers.get(probe) == key[1]),
    )


def _parent(observed: State, pair: Pair) -> Link | None:
    link = observed.link(pair.path.link)
    parent = observed.link(link.parent) if link else None
    return parent if parent and parent.namespace == HOST else None
