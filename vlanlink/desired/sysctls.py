"""Sysctls that a topology wants, and those it no longer wants, as they were. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from vlanlink.desired.lost_record import is_lost
from vlanlink.desired.shim.sources import sysctl_keys
from vlanlink.errors import Path, Problem
from vlanlink.model import HOST, LinkName, Namespace, State
from vlanlink.store.record import OriginalSysctl, Records
from vlanlink.sysctl import (
    FORWARDING,
    affected,
    default_of,
    dotted,
    link_of,
    possible_effects,
    proc_path,
    side_effects,
)
from vlanlink.topology import Topology

_DEFAULT_ROUTE = "::/0"


@dataclass(slots=True)
class Sysctls:
    """What shall be, and what the record must remember, by namespace and path."""

    wanted: dict[str, dict[str, str]] = field(default_factory=dict)
    priors: dict[str, dict[str, OriginalSysctl]] = field(default_factory=dict)
    conflicts: list[Problem] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """The command for each that should be as it was before, and nobody knows how that was."""


def asked_sysctls(topology: Topology, observed: State) -> dict[str, dict[str, str]]:
    """The sysctls that the file writes, by namespace and path."""
    found: dict[str, dict[str, str]] = {}
    written = {HOST: topology.host.sysctls} | {
        name: entry.sysctls for name, entry in topology.namespaces.items()
    }
    for space, values in written.items():
        found[space] = {proc_path(k): " ".join(v.split()) for k, v in values.items()}
    if found[HOST].get(FORWARDING[6], "0") != "0":
        found[HOST] = _guarded_advertisements(observed, HOST) | found[HOST]
    for space, values in found.items():
        if space != HOST and space in observed.namespaces and values.get(FORWARDING[6], "0") != "0":
            found[space] = _guarded_advertisements(observed, space) | values
    return found


def _guarded_advertisements(observed: State, space: str) -> dict[str, str]:
    """accept_ra=2 where turning forwarding on would cost a default route (ip-sysctl.rst)."""
    seen = observed.namespaces[space]
    devs = {r.dev for r in seen.routes if r.by_advertisement and r.to == _DEFAULT_ROUTE}
    return {f"net/ipv6/conf/{dev}/accept_ra": "2" for dev in sorted(devs)}


def keys_to_read(
    topology: Topology, observed: State, records: Records
) -> dict[str, frozenset[str]]:
    """The sysctls that the file, a record or a shim is about, with what a write changes besides."""
    keys: dict[str, set[str]] = {}
    for space, values in asked_sysctls(topology, observed).items():
        seen = observed.namespaces.get(space)
        for key in values:
            keys.setdefault(space, set()).update(affected(key, seen.links if seen else ()))
    for record in (*([records.own] if records.own else []), *records.others):
        for space, priors in record.sysctls.items():
            keys.setdefault(space, set()).update(priors)
    for network in topology.networks.values():
        keys.setdefault(HOST, set()).update(sysctl_keys(network))
    return {space: frozenset(values) for space, values in keys.items()}


def desired_sysctls(
    topology: Topology,
    observed: State,
    records: Records,
    staying: Collection[LinkName],
    warnings: list[Problem],
) -> Sysctls:
    """What the file asks for, and the way back for what it no longer asks for.

    ``staying`` are the links that are wanted.
    """
    result = Sysctls()
    lost = is_lost(topology.name, observed, records)
    for space, values in asked_sysctls(topology, observed).items():
        for key, value in values.items():
            _refuse_other_wish(result, records, topology, space, key, value)
            _refuse_unknown(result, observed, topology, space, key)
        result.wanted[space] = dict(values)
        result.priors[space] = _priors(observed, records, space, values)
        if lost:
            _forget_our_own(result, observed, records, space, values)
    _go_back(result, observed, records, staying, warnings)
    result.priors = {space: priors for space, priors in result.priors.items() if priors}
    return result


def _refuse_other_wish(
    result: Sysctls, records: Records, topology: Topology, space: str, key: str, value: str
) -> None:
    other = records.held_by(space, key)
    theirs = other.sysctls[space][key].written if other else value
    if other and theirs != value:
        origin = _origin(topology, space, key)
        message = f"topology {other.topology} has {origin[-1]} = {theirs} here, not {value}"
        result.conflicts.append(Problem(origin, message))


def _refuse_unknown(
    result: Sysctls, observed: State, topology: Topology, space: str, key: str
) -> None:
    seen = observed.namespaces.get(space)
    if seen is not None and key not in seen.sysctls and default_of(key) not in seen.sysctls:
        origin = _origin(topology, space, key)
        where = f"namespace {space}" if space != HOST else "the host"
        message = f"sysctl {origin[-1]} can't be read on {where}, so it could not be put back"
        hint = "is it spelled right? some keys can only be written, or are not in every namespace"
        result.conflicts.append(Problem(origin, message, hint, at_key=True))


def _origin(topology: Topology, space: str, key: str) -> Path:
    where = ("host", "sysctls") if space == HOST else ("namespaces", space, "sysctls")
    written = topology.host.sysctls if space == HOST else topology.namespaces[space].sysctls
    return (*where, next((k for k in written if proc_path(k) == key), key))


def _forget_our_own(
    result: Sysctls, observed: State, records: Records, space: str, asked: Iterable[str]
) -> None:
    """What reads as it was asked for may be our own doing, and no prior value."""
    seen = observed.namespaces.get(space)
    if seen is None or seen.owner is not None:
        return
    priors = result.priors[space]
    for key in asked:
        prior = priors.get(key)
        ours = prior and prior.before == prior.written and not _is_made(seen, key)
        if prior and ours and records.sysctl(space, key) is None:
            priors[key] = replace(prior, before=None)


def lost_sysctls(topology: Topology, observed: State) -> Iterator[str]:
    """The sysctls that can't be put back without a record: the command for each."""
    for space, values in asked_sysctls(topology, observed).items():
        seen = observed.namespaces.get(space)
        if seen is not None and seen.owner is None:
            yield from (_command(seen, key) for key in values if not _is_made(seen, key))


def _command(namespace: Namespace, key: str) -> str:
    enter = f"nsenter --net={namespace.path} " if namespace.path else ""
    return f"{enter}sysctl -w {dotted(key)}=VALUE"


def _priors(
    observed: State, records: Records, space: str, values: Mapping[str, str]
) -> dict[str, OriginalSysctl]:
    """How everything was that the writes of ``values`` change, and what it will be."""
    seen = observed.namespaces.get(space)
    now = seen.sysctls if seen else {}
    links = seen.links if seen else ()
    after: dict[str, str] = {}
    for key, value in values.items():
        known = records.sysctl(space, key)
        changes = value != (known.before if known else now.get(key))
        if changes or not key.startswith("net/ipv4/"):  # IPv4's forwarding spreads on a change
            after |= possible_effects(key, value, links) | side_effects(key, value, links)
    after |= values
    priors: dict[str, OriginalSysctl] = {}
    for key, value in after.items():
        known = records.sysctl(space, key)
        before = known.before if known else now.get(key)
        if _is_made(seen, key) or (before is None and link_of(key)):
            # It goes with its link; only if the link outlives the wish it goes back to this.
            before = now.get(default_of(key)) if key in values else None
        if before is not None or (known and known.before is None):
            priors[key] = OriginalSysctl(before, value)
    return priors


def _is_made(seen: Namespace | None, key: str) -> bool:
    """Whether the key is about a link that vlanlink made: it goes with the link."""
    link = seen.links.get(link_of(key) or "") if seen else None
    return link is not None and link.owner is not None


def _go_back(
    result: Sysctls,
    observed: State,
    records: Records,
    staying: Collection[LinkName],
    warnings: list[Problem],
) -> None:
    own = records.own
    for space, priors in own.sysctls.items() if own else ():
        seen = observed.namespaces.get(space)
        if seen is None or not seen.made:
            continue
        for key, prior in priors.items():
            if key in result.priors.get(space, {}) or key in result.wanted.get(space, {}):
                continue
            if link_of(key) and key not in seen.sysctls:
                continue
            if _is_made(seen, key) and LinkName(space, str(link_of(key))) not in staying:
                continue
            if records.held_by(space, key) is not None:
                continue
            now = seen.sysctls.get(key)
            if prior.is_ours(now) and prior.before is None:
                result.lost.append(_command(seen, key))
            elif prior.is_ours(now):
                result.wanted.setdefault(space, {})[key] = str(prior.before)
            elif now is not None and now != prior.before:
                warnings.append(
                    Problem(
                        (),
                        f"sysctl {key.replace('/', '.')} is {now}, not the {prior.written} that "
                        "vlanlink wrote: left alone",
                    )
                )
