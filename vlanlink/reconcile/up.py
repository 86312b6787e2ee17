"""Bring a topology up: parents first, then the LAN is asked, then all the rest; or nothing of it.

Most topologies need one step. Where addresses are new on a LAN, the parents that are missing are
made in a step of their own, for it is from them that the LAN is asked.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from vlanlink.desired.addressing import ProbeResults
from vlanlink.desired.duplicates import AddressProbe, parents_asked_from
from vlanlink.errors import Diagnostic
from vlanlink.kernel.machine import Machine
from vlanlink.kernel.packet.arp_nd import Announcement, ArpProbe
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link, State
from vlanlink.planning.plan import Plan, with_links
from vlanlink.planning.plan import plan as difference
from vlanlink.reconcile.apply import Progress, Transaction, Unfinished
from vlanlink.reconcile.session import (
    Observation,
    checked,
    close_change,
    need_privilege,
    need_visible_names,
    replan,
    translated,
    write_down,
    write_down_again,
)
from vlanlink.store.files import Store

ROUNDS = 8
"""How often the LAN is asked about other addresses, when those chosen turn out to be taken."""
CARRIER_SECONDS = 5.0
"""How long a parent that was just set up may take to find its carrier."""
_POLL_SECONDS = 0.05
_MAX_SIBLINGS_ANNOUNCED_LOCALLY = 256
"""Siblings from which on neighbours are told by way of the parent: each of them would get a copy of
each announcement, and the kernel's queues drop what is meant for the wire."""
_ANNOUNCEMENTS = 3
"""Where the LAN was asked; a LAN that is not to be asked is told once."""


def bring_up(
    machine: Machine, look: Observation, store: Store, on_progress: Progress | None
) -> Plan:
    """Make the machine what was resolved; what was done, with its warnings.

    Raises ConflictError where the machine stands in the way or an address is taken, ApplyError,
    PrivilegeError and Interrupted, all of them after undoing.
    """
    checked(look)
    need_visible_names(machine, look)
    if look.resolution.probes:
        need_privilege("asking the LAN whether an address is taken", "CAP_NET_RAW")
    change = Transaction(look.topology.name, look.observed, machine)
    with translated(look, store), change.undone_if_it_fails():
        write_down(store, look)
        now = _parents_first(machine, look, change)
        final, heard, unheard = _asked(machine, look, now, on_progress)
        if final.resolution.record != look.resolution.record or (
            final.resolution.leases != look.resolution.leases
        ):
            write_down_again(store, final)
        todo = final.todo
        if now is not look.observed:
            todo = difference(now, final.resolution.desired, look.topology.name)
        if todo.operations:
            now = change.step(todo, final.resolution.desired, on_progress)
        deaf = _announce(machine, look, now, frozenset(address for _, address in heard))
        close_change(machine, final, store)
    done = checked(final)
    return replace(done, notes=(*done.notes, *unheard, *deaf))


def _parents_first(machine: Machine, look: Observation, change: Transaction) -> State:
    """Make and set up what the LAN is to be asked from; what is there then."""
    desired, name = look.resolution.desired, look.topology.name
    parents = parents_asked_from(look.resolution.probes, desired)
    if not parents:
        return look.observed
    stage = with_links(
        look.observed, name, (link for link in desired.links() if link.key in parents)
    )
    todo = difference(look.observed, stage, name)
    if not todo.operations:
        return look.observed
    now = change.step(todo, stage)
    deadline = time.monotonic() + CARRIER_SECONDS
    while (
        any(not link.carrier for link in _links(now, look.resolution.probes))
        and time.monotonic() < deadline
        and not machine.interrupted()
    ):
        time.sleep(_POLL_SECONDS)
        now = machine.snapshot()
    return now


def _links(now: State, probes: Sequence[AddressProbe]) -> Iterator[Link]:
    for parent in {probe.parent for probe in probes}:
        link = now.link(parent)
        if link is not None:
            yield link


def _asked(
    machine: Machine, look: Observation, now: State, on_progress: Progress | None
) -> tuple[Observation, ProbeResults, tuple[Diagnostic, ...]]:
    """What is resolved once the LAN has said which addresses are free; what it could not say."""
    heard: dict[tuple[str, str], str | None] = {}
    dead: set[str] = set()
    for _ in range(ROUNDS):
        probes = look.resolution.probes
        if not probes:
            break
        if on_progress:
            on_progress(0, len(look.todo.operations), f"ask the LAN about {len(probes)} addresses")
        answers, silent = _ask(machine, look, now, probes)
        heard |= answers
        dead |= silent
        look = replan(look, machine.host.identity(), heard)
        problems = (*look.resolution.conflicts, *look.todo.conflicts)
        if problems:
            raise Unfinished(problems)
    else:
        raise Unfinished("stations on the LAN have every address that was tried")
    notes = (
        f"{name} has no carrier: nobody could be asked whether its addresses are free"
        for name in sorted(dead)
    )
    return look, heard, tuple(Diagnostic(note, severity="warning") for note in notes)


def _ask(
    machine: Machine, look: Observation, now: State, probes: Sequence[AddressProbe]
) -> tuple[ProbeResults, set[str]]:
    """The answers, and the parents on which nobody can answer."""
    parents = {link.key: link for link in _links(now, probes)}
    had, of_the_host = _had_by_the_host(now, look.topology.name)
    questions = {
        probe: ArpProbe(
            link.index,
            str(link.settings.get("mac")),
            probe.address,
            of_the_host if probe.address in had else frozenset(),
        )
        for probe in probes
        if (link := parents.get(probe.parent)) and link.carrier
    }
    own = {
        str(link.settings.get("mac")) for link in now.links() if link.owner == look.topology.name
    }
    try:
        taken = machine.probe_lan(
            tuple(questions.values()),
            own=own,
            count=max(probe.probe.count for probe in probes),
            seconds=max(probe.probe.seconds for probe in probes),
        )
    except OSError as error:
        where = f" from {error.filename}" if error.filename else ""
        raise Unfinished(f"the LAN could not be asked{where}: {error.strerror}") from None
    if machine.interrupted():
        raise Unfinished(None)
    answers = {
        probe.key: taken.get(questions[probe]) if probe in questions else None for probe in probes
    }
    return answers, {key.name for key, link in parents.items() if not link.carrier}


def _had_by_the_host(now: State, topology: str) -> tuple[frozenset[str], frozenset[str]]:
    """Addresses that links of ``topology`` alone have on the host, and all MACs of the host.

    The kernel answers for an address on any link (arp_ignore 0, Documentation/networking/
    ip-sysctl.rst), also while the one that has it is down: by another NIC on the same LAN, too.
    """
    links = [link for link in now.links() if link.namespace == HOST]
    ours = {a.bare for link in links if link.owner == topology for a in link.addresses}
    others = {a.bare for link in links if link.owner != topology for a in link.addresses}
    macs = (str(link.settings.get("mac")).lower() for link in links)
    return frozenset(ours - others), frozenset(macs)


def _announce(
    machine: Machine, look: Observation, now: State, asked: frozenset[str]
) -> tuple[Diagnostic, ...]:
    """Tell neighbours who has the new addresses now; warnings for those who can't be told."""
    new = list(_new_addresses(look, now))
    often = [each for each in new if each.address in asked]
    failed = machine.announce([each for each in new if each.address not in asked])
    if often:
        failed |= machine.announce(often, times=_ANNOUNCEMENTS)
    return tuple(
        Diagnostic(
            f"neighbours could not be told of {_some(failed, why)}: {why}", severity="warning"
        )
        for why in sorted(set(failed.values()))
    )


def _some(failed: Mapping[Announcement, str], why: str) -> str:
    addresses = [each.address for each, reason in failed.items() if reason == why]
    more = f" and {len(addresses) - 3} more addresses" if len(addresses) > 3 else ""
    return ", ".join(addresses[:3]) + more


def _new_addresses(look: Observation, now: State) -> Iterator[Announcement]:
    siblings = Counter(link.parent for link in now.links())
    for link in now.links():
        kind = KINDS.get(link.kind)
        if link.owner != look.topology.name or not link.up or kind is None:
            continue
        if kind.layer3(link.settings) or not (kind.has_parent or kind.has_peer):
            continue
        before = look.observed.link(link.key)
        had = before.addresses if before and _same_station(before, link) else ()
        mac = str(link.settings.get("mac"))
        parent = now.link(link.parent)
        by_parent = (
            parent.index
            if parent and siblings[link.parent] > _MAX_SIBLINGS_ANNOUNCED_LOCALLY
            else 0
        )
        for address in link.addresses:
            of_the_link = address.link_local or address.text.startswith("169.254.")
            if not of_the_link and address not in had:
                yield Announcement(link.namespace, link.index, mac, address.bare, by_parent)


def _same_station(before: Link, link: Link) -> bool:
    return before.index == link.index and before.settings.get("mac") == link.settings.get("mac")
