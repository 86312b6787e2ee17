"""Sysctls that a topology asks for, and the original values of those it no longer does. Pure."""

from collections.abc import Iterator, Mapping

from vlanlink.dataclass import dataclass, field, replace
from vlanlink.desired.builder import Builder
from vlanlink.desired.shim.sources import sysctl_keys
from vlanlink.errors import Path, Problem, shell_word
from vlanlink.model import HOST, LinkName, Namespace, State
from vlanlink.store.record import OriginalSysctl, Records
from vlanlink.sysctl import (
    FORWARDING,
    affected,
    default_of,
    dotted,
    heirs,
    is_default,
    link_of,
    possible_effects,
    proc_path,
    side_effects,
)
from vlanlink.topology import Topology

_DEFAULT_ROUTE = "::/0"
_UNPRIVILEGED = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
}
"""Ports below 1024 and echo requests for every user (ip-sysctl.rst)."""


@dataclass(slots=True)
class Sysctls:
    """Desired values, and original values for the record, by namespace and path."""

    wanted: dict[str, dict[str, str]] = field(default_factory=dict)
    originals: dict[str, dict[str, OriginalSysctl]] = field(default_factory=dict)
    restore_commands: list[str] = field(default_factory=list)
    """The command for each whose original value is unknown."""


def asked_sysctls(topology: Topology, observed: State) -> dict[str, dict[str, str]]:
    """The sysctls that the file writes, by namespace and path."""
    found: dict[str, dict[str, str]] = {}
    written = {HOST: topology.host.sysctls} | {
        name: entry.sysctls for name, entry in topology.namespaces.items()
    }
    for space, values in written.items():
        found[space] = {proc_path(k): " ".join(v.split()) for k, v in values.items()}
    for name, entry in topology.namespaces.items():
        found[name] = (_UNPRIVILEGED if entry.unprivileged else {}) | found[name]
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
    """The sysctls that the file, a record or a shim depends on, and the side effects of writes."""
    keys: dict[str, set[str]] = {}
    for space, values in asked_sysctls(topology, observed).items():
        seen = observed.namespaces.get(space)
        for key in values:
            keys.setdefault(space, set()).update(affected(key, seen.links if seen else ()))
    for record in (*([records.own] if records.own else []), *records.others):
        for space, originals in record.sysctls.items():
            seen = observed.namespaces.get(space)
            found = keys.setdefault(space, set())
            for key in originals:
                found.update((key, *heirs(key, seen.links if seen else ()).values()))
    for network in topology.networks.values():
        keys.setdefault(HOST, set()).update(sysctl_keys(network))
    return {space: frozenset(values) for space, values in keys.items()}


def desired_sysctls(builder: Builder) -> Sysctls:
    """The values that the file asks for, and the originals of what it no longer asks for."""
    result = Sysctls()
    asked = asked_sysctls(builder.topology, builder.observed)
    own = builder.records.own
    for space in builder.aside:
        result.originals[space] = dict(own.sysctls.get(space, {})) if own else {}
    for space in asked.keys() - builder.ended.keys() - builder.aside:
        values = asked[space]
        for key, value in values.items():
            _refuse_other_value(builder, space, key, value)
            _refuse_unknown(builder, space, key)
            link = LinkName(space, link_of(key) or "")
            builder.refuse_leaving(link, _origin(builder.topology, space, key))
        result.wanted[space] = dict(values)
        result.originals[space] = _originals(builder, space, values)
        if builder.record_lost:
            _forget_our_own(builder, space, result.originals[space])
    _restore(builder, result)
    _leave_to_defaults(builder, result, asked)
    result.originals = {space: found for space, found in result.originals.items() if found}
    return result


def _refuse_other_value(builder: Builder, space: str, key: str, value: str) -> None:
    other = builder.records.held_by(space, key)
    theirs = other.sysctls[space][key].written if other else value
    if other and theirs != value:
        origin = _origin(builder.topology, space, key)
        name = _spelled(builder.topology, space, key)
        message = f"topology {other.topology} has {name} = {theirs} here, not {value}"
        builder.conflicts.append(Problem(origin, message))


def _refuse_unknown(builder: Builder, space: str, key: str) -> None:
    seen = builder.observed.namespaces.get(space)
    if seen is not None and key not in seen.sysctls and default_of(key) not in seen.sysctls:
        origin = _origin(builder.topology, space, key)
        where = f"namespace {space}" if space != HOST else "the host"
        name = _spelled(builder.topology, space, key)
        message = f"sysctl {name} can't be read on {where}, so it could not be restored"
        hint = "check the spelling; some keys are write-only or missing in other namespaces"
        builder.conflicts.append(Problem(origin, message, hint, at_key=True))


def _origin(topology: Topology, space: str, key: str) -> Path:
    where: Path = ("host",) if space == HOST else ("namespaces", space)
    written = topology.host.sysctls if space == HOST else topology.namespaces[space].sysctls
    spelled = next((k for k in written if proc_path(k) == key), None)
    if spelled is None and key in _UNPRIVILEGED:
        return (*where, "unprivileged")
    return (*where, "sysctls", spelled or key)


def _spelled(topology: Topology, space: str, key: str) -> str:
    """The key as the file has it."""
    origin = _origin(topology, space, key)
    return str(origin[-1]) if "sysctls" in origin else dotted(key)


def _forget_our_own(builder: Builder, space: str, originals: dict[str, OriginalSysctl]) -> None:
    """A value that already reads as asked for may be vlanlink's own, not the original."""
    seen = builder.observed.namespaces.get(space)
    if seen is None or seen.owner is not None:
        return
    for key in asked_sysctls(builder.topology, builder.observed)[space]:
        original = originals.get(key)
        ours = original and original.before == original.written and not _is_made(seen, key)
        if original and ours and builder.records.sysctl(space, key) is None:
            originals[key] = replace(original, before=None)


def lost_sysctls(topology: Topology, observed: State) -> Iterator[str]:
    """The command for each sysctl that can't be restored without a record."""
    for space, values in asked_sysctls(topology, observed).items():
        seen = observed.namespaces.get(space)
        if seen is not None and seen.owner is None:
            yield from (_command(seen, key) for key in values if not _is_made(seen, key))


def _command(namespace: Namespace, key: str) -> str:
    enter = f"nsenter --net={shell_word(namespace.path)} " if namespace.path else ""
    return f"{enter}sysctl -w {shell_word(dotted(key))}=VALUE"


def _originals(
    builder: Builder, space: str, values: Mapping[str, str]
) -> dict[str, OriginalSysctl]:
    """The original value of everything that writing ``values`` changes, and its new value."""
    seen, records = builder.observed.namespaces.get(space), builder.records
    now = seen.sysctls if seen else {}
    links = seen.links if seen else ()
    after: dict[str, str] = {}
    for key, value in values.items():
        known = records.sysctl(space, key)
        changes = value != (known.before if known else now.get(key))
        if changes or not key.startswith("net/ipv4/"):  # IPv4's forwarding spreads on a change
            after |= possible_effects(key, value, links) | side_effects(key, value, links)
    after |= values
    originals: dict[str, OriginalSysctl] = {}
    for key, value in after.items():
        known = records.sysctl(space, key)
        before = known.before if known else now.get(key)
        if _is_made(seen, key) or (before is None and link_of(key)):
            # It goes with its link; a link that stays gets this back.
            before = now.get(default_of(key)) if key in values else None
        if before is not None or (known and known.before is None):
            originals[key] = OriginalSysctl(before, value)
    return originals


def _is_made(seen: Namespace | None, key: str) -> bool:
    """Whether the key belongs to a link that vlanlink made, and goes with it."""
    link = seen.links.get(link_of(key) or "") if seen else None
    return link is not None and link.owner is not None


def _restore(builder: Builder, result: Sysctls) -> None:
    own = builder.records.own
    for space, originals in own.sysctls.items() if own else ():
        seen = builder.observed.namespaces.get(space)
        for key, original in originals.items() if seen and seen.made else ():
            if key in result.originals.get(space, {}) or key in result.wanted.get(space, {}):
                continue
            if seen and not _goes_with_its_link(builder, seen, key):
                _restore_one(builder, result, seen, key, original)


def _leave_to_defaults(
    builder: Builder, result: Sysctls, asked: Mapping[str, Mapping[str, str]]
) -> None:
    """A link of ours whose own value is no longer asked for inherits a default that is set."""
    for space, values in result.wanted.items():
        seen = builder.observed.namespaces.get(space)
        for key in values.keys() - asked.get(space, {}).keys():
            if _is_made(seen, key) and default_of(key) in values:
                del values[key]


def _goes_with_its_link(builder: Builder, seen: Namespace, key: str) -> bool:
    """Whether the key is gone, or goes with a link that is no longer desired."""
    link = link_of(key)
    gone = bool(link) and key not in seen.sysctls
    return gone or (_is_made(seen, key) and LinkName(seen.name, str(link)) not in builder.links)


def _restore_one(
    builder: Builder, result: Sysctls, seen: Namespace, key: str, original: OriginalSysctl
) -> None:
    now = seen.sysctls.get(key)
    if builder.records.held_by(seen.name, key) is not None:
        return
    if original.is_ours(now) and original.before is None:
        result.restore_commands.append(_command(seen, key))
    elif original.is_ours(now) or (now == original.before and is_default(key)):
        # A killed run may have restored a default, and not yet the links that had inherited it.
        result.wanted.setdefault(seen.name, {})[key] = str(original.before)
    elif now is not None and now != original.before:
        message = f"sysctl {dotted(key)} is {now}, not the {original.written} that vlanlink wrote"
        builder.warnings.append(Problem((), f"{message}: left alone"))
