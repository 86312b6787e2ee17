"""The LAN around a change: parents to probe from, addresses probed, neighbours told."""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from vlanlink.desired.context import ProbeResults
from vlanlink.desired.duplicates import (
    AddressProbe,
    LanAnswers,
    gateway_probes,
    mac_probes,
    probing_parents,
)
from vlanlink.errors import Diagnostic
from vlanlink.kernel.packet.announce import Announcement
from vlanlink.kernel.packet.arp_nd import ArpProbe
from vlanlink.kernel.packet.beside import Beside
from vlanlink.kinds import KINDS, rx_handler
from vlanlink.model import HOST, Address, Link, LinkName, State
from vlanlink.planning.plan import plan, stage
from vlanlink.reconcile.apply import Progress, Transaction, Unfinished
from vlanlink.reconcile.observation import Observation
from vlanlink.reconcile.session import Session

ROUNDS = 8
"""How often other addresses are probed when those chosen turn out to be taken."""
CARRIER_SECONDS = 5.0
"""How long a parent that was just set up may take to find its carrier."""
_POLL_SECONDS = 0.05
_MAX_SIBLINGS_ANNOUNCED_LOCALLY = 256
"""Above so many siblings, announcements leave by the parent: each sibling would get a copy of each,
and the kernel's queues drop what is meant for the wire."""
_MAX_OTHERS_ANNOUNCED = 64
"""When the MAC of a link changes: announced addresses that are kept, but not desired."""
_ANNOUNCEMENTS = 3
"""Announcements on a LAN that was probed; one that must not be probed gets one."""


def create_parents(
    session: Session, seen: Observation, transaction: Transaction, progress: Progress | None
) -> State:
    """Create and set up the parents that probes are sent from; what is there then."""
    desired, name = seen.resolution.desired, seen.topology.name
    parents = probing_parents(seen.resolution.probes, desired)
    if not parents:
        return seen.observed
    links = (link for link in desired.links() if link.key in parents)
    first = stage(seen.observed, desired, name, links)
    todo = plan(seen.observed, first, name)
    if not todo.operations:
        return seen.observed
    return _await_carrier(session, seen, transaction.step(todo, first, progress))


def _await_carrier(session: Session, seen: Observation, now: State) -> State:
    deadline = time.monotonic() + CARRIER_SECONDS
    while (
        any(not link.carrier for link in _parents(now, seen.resolution.probes))
        and time.monotonic() < deadline
        and not session.machine.interrupted()
    ):
        time.sleep(_POLL_SECONDS)
        now = session.machine.snapshot()
    return now


def _parents(now: State, probes: Sequence[AddressProbe]) -> Iterator[Link]:
    for parent in {probe.parent for probe in probes}:
        link = now.link(parent)
        if link is not None:
            yield link


def probe(
    session: Session, seen: Observation, now: State, progress: Progress | None
) -> tuple[Observation, ProbeResults, tuple[Diagnostic, ...]]:
    """Probe the LAN until the chosen addresses are free.

    Returns what is resolved then, the answers, and warnings about parents without carrier. Raises
    Unfinished.
    """
    results: dict[tuple[str, str], str | None] = {}
    dead: set[str] = set()
    for _ in range(ROUNDS):
        probes = seen.resolution.probes
        if not probes:
            break
        text = f"probe the LAN for {_addresses(len(probes))}"
        if progress and progress(0, len(probes), text) is False:
            session.machine.interrupt()
        answers, silent = _probe_once(session, seen, now, probes)
        results |= answers
        dead |= silent
        seen = session.replan(seen, results)
        problems = (*seen.resolution.conflicts, *seen.todo.conflicts)
        if problems:
            raise Unfinished(problems)
    else:
        raise Unfinished("hosts on the LAN have every address that was tried")
    return seen, results, tuple(map(_unprobed, sorted(dead)))


def ask(session: Session, seen: Observation) -> tuple[Observation, LanAnswers]:
    """Ask what ``up`` would ask, from the parents that are there, and who has the gateways.

    Returns what is resolved by the answers, and the answers. Raises Unfinished.
    """
    results: dict[tuple[str, str], str | None] = {}
    parents: dict[tuple[str, str], LinkName] = {}
    for _ in range(ROUNDS):
        probes = seen.resolution.probes
        if not probes:
            break
        parents |= {probe.key: probe.parent for probe in probes}
        results |= _probe_once(session, seen, seen.observed, probes)[0]
        seen = session.replan(seen, results)
    gateways = gateway_probes(seen.topology, seen.resolution.desired, seen.observed)
    macs = mac_probes(seen.topology, seen.resolution.desired, seen.observed)
    more = (*gateways, *(probe for probe, _ in macs))
    others = _probe_once(session, seen, seen.observed, more)[0] if more else {}
    asked = {*parents.values(), *(probe.parent for probe in gateways)}
    unasked = {key for key in asked if not _has_carrier(seen.observed, key)}
    answers = LanAnswers(
        {(parents[key].name, key[1]): mac for key, mac in results.items() if mac},
        tuple(
            (probe.parent.name, probe.address)
            for probe in gateways
            if probe.parent not in unasked and others.get(probe.key) is None
        ),
        tuple(sorted(key.name for key in unasked)),
        tuple(
            (probe.parent.name, link.key, mac)
            for probe, link in macs
            if (mac := others.get(probe.key)) == link.settings.get("mac") and mac
        ),
    )
    return seen, answers


def _has_carrier(state: State, key: LinkName) -> bool:
    link = state.link(key)
    return link is not None and link.carrier


def _unprobed(parent: str) -> Diagnostic:
    message = f"{parent} has no carrier, so the LAN could not be probed for its addresses"
    return Diagnostic(message, severity="warning")


def _probe_once(
    session: Session, seen: Observation, now: State, probes: Sequence[AddressProbe]
) -> tuple[ProbeResults, set[str]]:
    """The answers, and the parents on which nobody can answer."""
    parents = {link.key: link for link in _parents(now, probes)}
    own = _own_macs(now, seen.topology.name)
    packets = _packets(session, parents, seen, now, probes)
    try:
        taken = session.machine.probe_lan(
            tuple(packets.values()),
            own=own,
            count=max(probe.probe.count for probe in probes),
            seconds=max(probe.probe.seconds for probe in probes),
        )
    except OSError as error:
        where = f" from {error.filename}" if error.filename else ""
        raise Unfinished(f"the LAN could not be probed{where}: {error.strerror}") from None
    if session.machine.interrupted():
        raise Unfinished(None)
    answers = {
        probe.key: taken.get(packets[probe]) if probe in packets else None for probe in probes
    }
    return answers, {key.name for key, link in parents.items() if not link.carrier}


def _own_macs(now: State, topology: str) -> frozenset[str]:
    mine = (link for link in now.links() if link.owner == topology)
    return frozenset(str(link.settings.get("mac")) for link in mine)


def _packets(
    session: Session,
    parents: Mapping[LinkName, Link],
    seen: Observation,
    now: State,
    probes: Sequence[AddressProbe],
) -> dict[AddressProbe, ArpProbe]:
    on_host, host_macs = _of_the_host(now, seen.topology.name)
    listed, mine = _listed(session, parents, probes), _own_macs(now, seen.topology.name)
    coming = frozenset(probe.mac for probe in probes if probe.mac)
    found: dict[AddressProbe, ArpProbe] = {}
    for probe in probes:
        link = parents.get(probe.parent)
        if link is None or not link.carrier:
            continue
        there = listed.get(link.key, frozenset())
        beside = Beside(probe.kind, probe.mac) if probe.mac and not there <= mine else None
        own = host_macs if probe.address in on_host else frozenset()
        own |= there & coming  # on links that are about to go: no two on a parent have one MAC
        mac = str(link.settings.get("mac"))
        found[probe] = ArpProbe(link.index, mac, probe.address, own, beside)
    return found


def _listed(
    session: Session, parents: Mapping[LinkName, Link], probes: Sequence[AddressProbe]
) -> dict[LinkName, frozenset[str]]:
    """The MACs of links on the parents that are asked beside links of others.

    Each link that is up is in its parent's list of unicast addresses.
    """
    asked = {probe.parent for probe in probes if probe.mac} & parents.keys()
    return {key: session.machine.unicast_macs((parents[key].index,)) for key in asked}


def _of_the_host(now: State, topology: str) -> tuple[frozenset[str], frozenset[str]]:
    """Addresses that only links of ``topology`` have on the host, and all MACs of the host.

    The kernel answers for an address on any link (arp_ignore 0, Documentation/networking/
    ip-sysctl.rst), even while the link that has it is down: also by another NIC on the same LAN.
    """
    links = [link for link in now.links() if link.namespace == HOST]
    ours = {a.bare for link in links if link.owner == topology for a in link.addresses}
    others = {a.bare for link in links if link.owner != topology for a in link.addresses}
    macs = (str(link.settings.get("mac")).lower() for link in links)
    return frozenset(ours - others), frozenset(macs)


def announce(
    session: Session,
    seen: Observation,
    now: State,
    probed: ProbeResults,
    progress: Progress | None,
) -> tuple[Diagnostic, ...]:
    """Tell neighbours who has the new addresses; warnings for those that can't be told."""
    asked = {address for _, address in probed}
    new = list(_new_addresses(seen, now, _older_siblings(session, seen, now)))
    often = [each for each in new if each.address in asked]
    if progress and new:
        progress(0, len(new), f"announce {_addresses(len(new))}")
    failed = session.machine.announce([each for each in new if each.address not in asked])
    if often:
        failed |= session.machine.announce(often, times=_ANNOUNCEMENTS)
    if progress and new:
        progress(len(new), len(new), f"announced {_addresses(len(new))}")
    return tuple(
        Diagnostic(
            f"neighbours could not be told of {_some(failed, why)}: {why}", severity="warning"
        )
        for why in sorted(set(failed.values()))
    )


def _addresses(number: int) -> str:
    return f"{number} address{'es' * (number != 1)}"


def _some(failed: Mapping[Announcement, str], why: str) -> str:
    addresses = [each.address for each, reason in failed.items() if reason == why]
    more = f" and {len(addresses) - 3} more addresses" if len(addresses) > 3 else ""
    return ", ".join(addresses[:3]) + more


def _new_addresses(
    seen: Observation, now: State, with_older: Collection[LinkName | None]
) -> Iterator[Announcement]:
    """``with_older`` are the parents on which somebody may know another MAC."""
    siblings = Counter(link.parent for link in now.links() if rx_handler(link.kind))
    for link in now.links():
        kind = KINDS.get(link.kind)
        if link.owner != seen.topology.name or not link.up or kind is None:
            continue
        if link.namespace in seen.context.aside:
            continue
        if kind.layer3(link.settings) or not (kind.has_parent or kind.has_peer):
            continue
        mac = str(link.settings.get("mac"))
        parent = now.link(link.parent) if kind.rx_handler else None
        below = parent.index if parent and parent.namespace == HOST else 0
        many = siblings[link.parent] > _MAX_SIBLINGS_ANNOUNCED_LOCALLY
        by_parent = below > 0 and (many or link.parent not in with_older)
        for address in _untold(seen, link):
            yield Announcement(link.namespace, link.index, mac, address.bare, below, by_parent)


def _untold(seen: Observation, link: Link) -> Iterator[Address]:
    """The addresses whose MAC neighbours don't know yet.

    Desired ones that are new, and if the link's MAC changed, others that it keeps. A process in the
    namespace can add any number of these.
    """
    before, want = seen.observed.link(link.key), seen.resolution.desired.link(link.key)
    held = frozenset(before.addresses if before else ())
    known = held if before and _same_link(before, link) else frozenset()
    wanted = frozenset(address.bare for address in want.addresses) if want else frozenset()
    new = [one for one in link.addresses if one not in known and not _of_the_link(one)]
    yield from (one for one in new if one.bare in wanted)
    others = (one for one in new if one in held and one.bare not in wanted)
    yield from islice(others, _MAX_OTHERS_ANNOUNCED)


def _of_the_link(address: Address) -> bool:
    return address.link_local or address.text.startswith("169.254.")


def _older_siblings(session: Session, seen: Observation, now: State) -> set[LinkName | None]:
    """Parents with links from before. Where there are none, the wire alone is told.

    Links in namespaces that can't be read show by MACs in the parent's list that no other has.
    """
    found = {link.parent for link in seen.observed.links() if rx_handler(link.kind)}
    mine = (link for link in now.links() if link.owner == seen.topology.name)
    fresh = {link.parent for link in mine if rx_handler(link.kind)} - found
    macs = {str(link.settings.get("mac")) for link in now.links()}
    for parent in filter(None, map(now.link, fresh)):
        if parent.namespace == HOST and session.machine.unicast_macs((parent.index,)) - macs:
            found.add(parent.key)
    return found


def _same_link(before: Link, link: Link) -> bool:
    return before.index == link.index and before.settings.get("mac") == link.settings.get("mac")
