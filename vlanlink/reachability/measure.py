"""Pairs asked from inside their namespaces, and what shows why one differs.

Every pair is asked at the same time. What should answer and does not is asked again, while the
drops of the reverse path filter are counted. Where one differs still, parents ask for the gateways.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vlanlink.errors import Diagnostic, Interrupted
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.packet.arp_nd import ArpProbe
from vlanlink.kernel.packet.echo import EchoReply, EchoRequest
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
from vlanlink.reachability.paths import Paths
from vlanlink.reachability.result import Check, Verification, sorted_out
from vlanlink.reachability.sampling import LIMIT, sample
from vlanlink.reconcile.apply import Progress
from vlanlink.reconcile.session import Observation, Session, kernel_errors
from vlanlink.sysctl import FORWARDING_KEYS

SECONDS, AGAIN_SECONDS = 1.0, 2.0
"""How long an answer may take, and one that was promised and did not come. The kernel asks for a
neighbour three times, a second apart (arp(7), retrans_time_ms)."""


def measure(session: Session, look: Observation, *, everything: bool = False) -> Verification:
    """Ask every pair of a topology that is up, or those of a sample of its endpoints."""
    desired = look.resolution.desired
    machine = session.machine
    with kernel_errors():
        whole = machine.with_sysctls(look.observed, _sysctls_that_matter(desired))
    observed = observed_state(whole, desired, look.topology.name)
    names = endpoints(desired)
    chosen = names
    if len(names) > LIMIT and not everything:
        chosen = sample(names, desired, look.topology)
    pairs = tuple(Reachability(look.topology, observed, desired).pairs(chosen))
    asking = _Asking(machine, observed, session.on_progress)
    checks = _checked(pairs, asking.answers(pairs, SECONDS), asking, look)
    judged, unjudged = sorted_out(checks)
    name = look.topology.name
    state = "drifted" if look.todo.operations else "up"
    return Verification(name, state, judged, unjudged, len(names), len(chosen))  # type: ignore[arg-type]


def _sysctls_that_matter(desired: State) -> dict[str, frozenset[str]]:
    """Whether the host and the namespaces with several links forward."""
    several = {
        name
        for name, space in desired.namespaces.items()
        if name == HOST or len(space.links.keys() - {LOOPBACK}) > 1
    }
    return dict.fromkeys(sorted(several), FORWARDING_KEYS)


class _Asking:
    """Pairs as questions to the kernel."""

    def __init__(self, machine: Machine, observed: State, on_progress: Progress | None) -> None:
        self.machine = machine
        self.observed = observed
        self.on_progress = on_progress

    def answers(self, pairs: Iterable[Pair], seconds: float) -> dict[Pair, EchoReply]:
        """What came of each that could be asked, those that will answer first."""
        asks = {pair: ask for pair in pairs if (ask := self._ask(pair)) is not None}
        ordered = sorted(asks, key=lambda pair: pair.promised is not True)
        total = len(asks)

        def report(done: int) -> None:
            if self.on_progress:
                self.on_progress(done, total, "asked")

        report(0)
        found = self.machine.reach(
            [asks[pair] for pair in ordered], seconds=seconds, progress=report
        )
        if self.machine.interrupted():
            raise Interrupted(Diagnostic("interrupted"))
        return {pair: found[ask] for pair, ask in asks.items() if ask in found}

    def _ask(self, pair: Pair) -> EchoRequest | None:
        if not self.observed.namespaces[pair.source].made:
            return None
        if pair.interface is None:
            return EchoRequest(pair.source, None, None, pair.address)
        link = self.observed.link(LinkName(pair.source, pair.interface))
        return EchoRequest(pair.source, link.index, None, pair.address) if link else None


def _checked(
    pairs: Sequence[Pair], first: Mapping[Pair, EchoReply], asking: _Asking, look: Observation
) -> list[Check]:
    lost = [pair for pair in pairs if pair.promised and not _reached(first, pair)]
    again, dropped = _asked_again(lost, asking, look)
    answers = {**first, **again}
    checks = {pair: Check(pair, _reached(answers, pair)) for pair in pairs}
    differing = [pair for pair, check in checks.items() if not check.ok]
    if differing:
        evidence = _evidence(differing, answers, dropped, asking, look)
        for pair in differing:
            cause, facts = explain(Case(pair, answers.get(pair), evidence))
            checks[pair] = replace(checks[pair], cause=cause, facts=facts)
    return list(checks.values())


def _reached(answers: Mapping[Pair, EchoReply], pair: Pair) -> bool:
    return pair in answers and answers[pair].reached


def _asked_again(
    lost: Sequence[Pair], asking: _Asking, look: Observation
) -> tuple[dict[Pair, EchoReply], dict[str, int]]:
    """What gave no answer gets a second chance; what reverse path filters drop meanwhile."""
    if not lost:
        return {}, {}
    names = _namespaces_on_the_way(lost, paths_of(asking.observed, look.topology))
    before = asking.machine.filtered_packets(names)
    answers = asking.answers(lost, AGAIN_SECONDS)
    after = asking.machine.filtered_packets(names)
    return answers, {name: after[name] - before[name] for name in names}


def _evidence(
    differing: Sequence[Pair],
    answers: Mapping[Pair, EchoReply],
    dropped: Mapping[str, int],
    asking: _Asking,
    look: Observation,
) -> Evidence:
    gateways: dict[str, set[str]] = {}
    for pair, answer in answers.items():
        if pair.target == GATEWAY and answer.reached:
            gateways.setdefault(pair.source, set()).add(pair.address)
    machine, desired = asking.machine, look.resolution.desired
    keys = _sysctls_that_matter(desired)
    with kernel_errors():
        whole = machine.with_sysctls(machine.snapshot(), _filters(asking.observed, dropped, keys))
    state = observed_state(whole, desired, look.topology.name)
    return Evidence(
        paths_of(state, look.topology),
        _heard([pair for pair in differing if pair.promised], machine, state),
        {name: frozenset(found) for name, found in gateways.items()},
        dropped,
    )


def _namespaces_on_the_way(pairs: Iterable[Pair], paths: Paths) -> list[str]:
    """Those that a reverse path filter could stand in: of pairs that have a way."""
    found: set[str] = set()
    for pair in pairs:
        if pair.target != GATEWAY:
            way = paths.there_and_back(pair.source, pair.address)
            found |= {key.namespace for key in way.came_by}
    return sorted(found)


def _filters(
    observed: State, names: Iterable[str], keys: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    found = dict(keys)
    for name in names:
        links = ("all", *observed.namespaces[name].links)
        own = frozenset(f"net/ipv4/conf/{link}/rp_filter" for link in links)
        found[name] = own | found.get(name, frozenset())
    return found


def _heard(
    pairs: Iterable[Pair], machine: Machine, observed: State
) -> dict[tuple[LinkName, str], str | None]:
    """The gateways that gave no answer, asked by the parents themselves."""
    questions: dict[ArpProbe, tuple[LinkName, str]] = {}
    for pair in pairs:
        parent = _parent(observed, pair)
        if pair.target == GATEWAY and parent and parent.up and parent.carrier:
            mac = str(parent.settings.get("mac"))
            question = ArpProbe(parent.index, mac, pair.address)
            questions[question] = (parent.key, pair.address)
    if not questions:
        return {}
    answers = machine.probe_lan(list(questions))
    return {asked: answers.get(question) for question, asked in questions.items()}


def _parent(observed: State, pair: Pair) -> Link | None:
    link = observed.link(pair.way.link)
    parent = observed.link(link.parent) if link else None
    return parent if parent and parent.namespace == HOST else None
