"""Sysctls that a topology wants, and those it no longer wants, as they were. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vlanlink.errors import Problem
from vlanlink.model import HOST, Namespace, State
from vlanlink.record import PriorSysctl, Records
from vlanlink.sysctls import affected, link_of, side_effects, slashed
from vlanlink.topology import Topology

_FORWARDING = "net/ipv6/conf/all/forwarding"
_DEFAULT_ROUTE = "::/0"


@dataclass(slots=True)
class Sysctls:
    """What shall be, and what the record must remember, by namespace and slashed key."""

    wanted: dict[str, dict[str, str]] = field(default_factory=dict)
    priors: dict[str, dict[str, PriorSysctl]] = field(default_factory=dict)
    conflicts: list[Problem] = field(default_factory=list)


def asked_sysctls(topology: Topology, observed: State) -> dict[str, dict[str, str]]:
    """The sysctls that the file writes, by namespace and slashed key."""
    found: dict[str, dict[str, str]] = {}
    written = {HOST: topology.host.sysctls} | {
        name: entry.sysctls for name, entry in topology.namespaces.items()
    }
    for space, values in written.items():
        links = set(observed.namespaces[space].links) if space in observed.namespaces else set()
        entry = topology.namespaces.get(space)
        links |= set(entry.interfaces) if entry else set(topology.links)
        found[space] = {slashed(k, links): " ".join(v.split()) for k, v in values.items()}
    if found[HOST].get(_FORWARDING, "0") != "0":
        found[HOST] = _guarded_advertisements(observed, HOST) | found[HOST]
    for space, values in found.items():
        if space != HOST and space in observed.namespaces and values.get(_FORWARDING, "0") != "0":
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
    """Every sysctl that the file or a record is about, with what a write of it changes besides."""
    keys: dict[str, set[str]] = {}
    for space, values in asked_sysctls(topology, observed).items():
        seen = observed.namespaces.get(space)
        for key in values:
            keys.setdefault(space, set()).update(affected(key, seen.links if seen else ()))
    for record in (*([records.own] if records.own else []), *records.others):
        for space, priors in record.sysctls.items():
            keys.setdefault(space, set()).update(priors)
    return {space: frozenset(values) for space, values in keys.items()}


def desired_sysctls(
    topology: Topology, observed: State, records: Records, warnings: list[Problem]
) -> Sysctls:
    """What the file asks for, and the way back for what it no longer asks for."""
    result = Sysctls()
    for space, values in asked_sysctls(topology, observed).items():
        for key, value in values.items():
            _refuse_other_wish(result, records, topology, space, key, value)
        result.wanted[space] = dict(values)
        result.priors[space] = _priors(observed, records, space, values)
    _go_back(result, observed, records, warnings)
    result.priors = {space: priors for space, priors in result.priors.items() if priors}
    return result


def _refuse_other_wish(
    result: Sysctls, records: Records, topology: Topology, space: str, key: str, value: str
) -> None:
    other = records.held_by(space, key)
    theirs = other.sysctls[space][key].written if other else value
    if other and theirs != value:
        where = ("host", "sysctls") if space == HOST else ("namespaces", space, "sysctls")
        written = topology.host.sysctls if space == HOST else topology.namespaces[space].sysctls
        name = next((k for k in written if slashed(k) == key), key)
        result.conflicts.append(
            Problem(
                (*where, name), f"topology {other.topology} has {name} = {theirs} here, not {value}"
            )
        )


def _priors(
    observed: State, records: Records, space: str, values: Mapping[str, str]
) -> dict[str, PriorSysctl]:
    """How everything was that the writes of ``values`` change, and what it will be."""
    seen = observed.namespaces.get(space)
    now = seen.sysctls if seen else {}
    after: dict[str, str] = {}
    for key, value in values.items():
        after |= side_effects(key, value, seen)
    after |= values
    priors: dict[str, PriorSysctl] = {}
    for key, value in after.items():
        if _is_made(seen, key):
            continue
        known = records.sysctl(space, key)
        before = known.before if known else now.get(key)
        if before is not None:
            priors[key] = PriorSysctl(before, value)
    return priors


def _is_made(seen: Namespace | None, key: str) -> bool:
    """Whether the key is about a link that vlanlink made: it goes with the link."""
    link = seen.links.get(link_of(key) or "") if seen else None
    return link is not None and link.owner is not None


def _go_back(result: Sysctls, observed: State, records: Records, warnings: list[Problem]) -> None:
    own = records.own
    for space, priors in own.sysctls.items() if own else ():
        seen = observed.namespaces.get(space)
        if seen is None:
            continue
        for key, prior in priors.items():
            if key in result.priors.get(space, {}) or key in result.wanted.get(space, {}):
                continue
            if _is_made(seen, key):
                continue
            if records.held_by(space, key) is not None:
                continue
            now = seen.sysctls.get(key)
            if now == prior.written:
                result.wanted.setdefault(space, {})[key] = prior.before
            elif now is not None and now != prior.before:
                warnings.append(
                    Problem(
                        (),
                        f"sysctl {key.replace('/', '.')} is {now}, not the {prior.written} that "
                        "vlanlink wrote: left alone",
                    )
                )
