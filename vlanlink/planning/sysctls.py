"""Sysctl writes: their order and side effects. Pure."""

from collections.abc import Iterator, Mapping

from vlanlink.kinds.common import LINK_SYSCTLS
from vlanlink.model import LOOPBACK, Link, LinkName, Namespace
from vlanlink.planning.changes import policy_write
from vlanlink.planning.diff import Diff
from vlanlink.planning.inheritance import inherited, setting_key
from vlanlink.planning.operations import WriteSysctl
from vlanlink.sysctl import (
    default_of,
    dotted,
    link_of,
    possible_effects,
    side_effects,
    write_order,
)


def write_sysctls(diff: Diff, *, late: bool) -> Iterator[WriteSysctl]:
    """Sysctl writes, allowing for what each changes with it; ``late``: those of new links."""
    for name, namespace in diff.desired.namespaces.items():
        seen = diff.observed.namespaces.get(name)
        links = seen.links if seen else ()
        staying = [] if late else list(_staying(diff, namespace))
        defaults = {i.key: i for link in staying for i in inherited(diff, link)}
        wanted = {key: one.value for key, one in defaults.items()} | dict(namespace.sysctls)
        before = _before(diff, namespace, late=late)
        now = dict(before)
        maybe: set[str] = set()
        for key in write_order(wanted, now):
            value = wanted[key]
            if _waits_for_link(diff, name, key) is not late or now.get(key) == value:
                continue
            if key in maybe and key not in defaults:
                continue  # whether the kernel changed it too, the next snapshot tells
            written = defaults[key].default if key in defaults else key
            yield WriteSysctl(
                namespace=name,
                key=key,
                old=now.get(key),
                new=value,
                origin=(*namespace.origin, "sysctls", dotted(written)),
            )
            now[key] = value
            now |= side_effects(key, value, links)
            maybe |= possible_effects(key, value, links).keys()
        changed = {key: value for key, value in now.items() if before.get(key) != value}
        yield from _settings_back(staying, changed)


def _staying(diff: Diff, namespace: Namespace) -> Iterator[Link]:
    for link in namespace.links.values():
        ours = link.owner == diff.topology and link.name != LOOPBACK
        if ours and diff.observed.link(link.key) and link.key not in diff.recreated:
            yield link


def _before(diff: Diff, namespace: Namespace, *, late: bool) -> dict[str, str]:
    """The observed values; once links were recreated (``late``), theirs are the defaults."""
    seen = diff.observed.namespaces.get(namespace.name)
    found = dict(seen.sysctls) if seen else {}
    for key in list(found) if late else ():
        if LinkName(namespace.name, link_of(key) or "") in diff.recreated:
            default = default_of(key)
            found[key] = namespace.sysctls.get(default, found.get(default, found[key]))
    return found


def _settings_back(links: list[Link], changed: Mapping[str, str]) -> Iterator[WriteSysctl]:
    """Restore the settings of links that a write to ``all`` has ``changed`` on them."""
    for link in links:
        for name in LINK_SYSCTLS:
            key, value = setting_key(link, name), link.settings.get(name)
            if value is not None and changed.get(key, str(value)) != str(value):
                yield policy_write(link, name, changed[key], value, quiet=True)


def _waits_for_link(diff: Diff, namespace: str, key: str) -> bool:
    link = LinkName(namespace, link_of(key) or "")
    wanted = diff.desired.link(link)
    return wanted is not None and (diff.observed.link(link) is None or link in diff.recreated)
