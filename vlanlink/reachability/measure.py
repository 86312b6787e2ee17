"""Probe pairs from inside their namespaces, and collect evidence where one differs.

All pairs are probed at the same time. Those that should answer and don't are retried, while the
reverse path filter's drops are counted. If one still differs, the parents probe for the gateways.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.packet.arp_nd import ArpProbe
from vlanlink.kernel.packet.echo import EchoReply, EchoRequest, FailureReason
from vlanlink.model import HOST, LOOPBACK, Link, LinkName, State
from vlanlink.reachability.causes import Case, Evidence, explain
from vlanlink.reachability.expected import (
    GATEWAY,
    Pair,
    Reachability,
    endpoints,
    observed_state,
    paths_of,
)
from vlanlink.reachability.paths import Paths, title
from vlanlink.reachability.result import Check, Verification
from vlanlink.reachability.sampling import LIMIT, sample
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.session import Observation, Session, kernel_errors
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
        """The reply of each pair that can be probed. Silent ones go first: they share a wait."""
        requests = {pair: one for pair in pairs if (one := self._request(pair)) is not None}
        ordered = sorted(requests, key=lambda pair: pair.expected is True)
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


def _checked(
    pairs: Sequence[Pair],
    first: Mapping[Pair, EchoReply],
    measurement: _Measurement,
    look: Observation,
) -> list[Check]:
    unanswered = [pair for pair in pairs if pair.expected and not _reached(first, pair)]
    again, dropped = _retry(unanswered, measurement, look)
    answers = {**first, **again}
    checks = {pair: _check(pair, answers.get(pair)) for pair in pairs}
    differing = [pair for pair, check in checks.items() if not check.ok]
    if differing:
        evidence = _evidence(differing, answers, dropped, measurement, look)
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


def _retry(
    unanswered: Sequence[Pair], measurement: _Measurement, look: Observation
) -> tuple[dict[Pair, EchoReply], dict[str, int]]:
    """Retry pairs without an answer; count the reverse path filters' drops meanwhile."""
    if not unanswered:
        return {}, {}
    names = _namespaces_on_paths(unanswered, paths_of(measurement.observed, look.topology))
    before = measurement.machine.filtered_packets(names)
    answers = measurement.answers(unanswered, AGAIN_SECONDS)
    after = measurement.machine.filtered_packets(names)
    return answers, {name: after[name] - before[name] for name in names}


def _evidence(
    differing: Sequence[Pair],
    answers: Mapping[Pair, EchoReply],
    dropped: Mapping[str, int],
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
        wanted = _filters(measurement.observed, dropped, keys)
        whole = machine.with_sysctls(machine.snapshot(), wanted)
    state = observed_state(whole, desired, look.topology.name)
    return Evidence(
        paths_of(state, look.topology),
        _gateway_macs([pair for pair in differing if pair.expected], machine, state),
        {name: frozenset(found) for name, found in gateways.items()},
        dropped,
    )


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


def _gateway_macs(
    pairs: Iterable[Pair], machine: Machine, observed: State
) -> dict[tuple[LinkName, str], str | None]:
    """The MACs of unanswering gateways, as the parents themselves resolve them."""
    probes: dict[ArpProbe, tuple[LinkName, str]] = {}
    for pair in pairs:
        parent = _parent(observed, pair)
        if pair.target == GATEWAY and parent and parent.up and parent.carrier:
            mac = str(parent.settings.get("mac"))
            probes[ArpProbe(parent.index, mac, pair.address)] = (parent.key, pair.address)
    if not probes:
        return {}
    answers = machine.probe_lan(list(probes))
    return {key: answers.get(probe) for probe, key in probes.items()}


def _parent(observed: State, pair: Pair) -> Link | None:
    link = observed.link(pair.path.link)
    parent = observed.link(link.parent) if link else None
    return parent if parent and parent.namespace == HOST else None
