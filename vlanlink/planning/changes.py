"""Changes in place: settings of links, and sysctls. Pure."""

from collections.abc import Iterator

from vlanlink.kinds import kind_options
from vlanlink.model import Link, LinkName, Setting
from vlanlink.planning.diff import Diff, depth
from vlanlink.planning.links import changed_settings
from vlanlink.planning.operations import LINK_SYSCTLS, Operation, SetLink, WriteSysctl
from vlanlink.sysctl import dotted, link_of, possible_effects, side_effects, write_order


def change_links(diff: Diff) -> Iterator[Operation]:
    """Changes of links in place, parents first: their MTU limits that of their children."""
    pairs = [
        (seen, want)
        for want in diff.desired.links()
        if (seen := diff.observed.link(want.key)) and want.key not in diff.recreated
    ]
    for seen, want in sorted(pairs, key=lambda pair: depth(diff.observed, pair[0])):
        new = changed_settings(seen, want)
        policy = {key: new.pop(key) for key in LINK_SYSCTLS if key in new}
        writes = [policy_write(want, k, seen.settings.get(k), v) for k, v in policy.items()]
        # The kernel derives the link-local address from the MAC when IPv6 goes on; and a link
        # whose MTU is too small has no IPv6 sysctls until it is raised.
        later = policy.get("disable_ipv6") == 0 or "disable_ipv6" not in seen.settings
        yield from () if later else writes
        marks = want.owner is not None and (want.owner != seen.owner or not seen.labelled)
        if new or marks:
            yield SetLink(
                namespace=want.namespace,
                name=want.name,
                kind=seen.kind,
                index=seen.index,
                old={key: seen.settings.get(key) for key in new},
                new=new,
                owner=want.owner if marks else None,
                options=kind_options(want.kind, want.settings),
                origin=want.origin,
            )
        yield from writes if later else ()


def write_sysctls(diff: Diff, *, late: bool) -> Iterator[Operation]:
    """Sysctl writes, allowing for what each changes with it; ``late``: those of new links."""
    for name, namespace in diff.desired.namespaces.items():
        seen = diff.observed.namespaces.get(name)
        links = seen.links if seen else ()
        now: dict[str, str] = dict(seen.sysctls) if seen else {}
        maybe: set[str] = set()
        for key in write_order(namespace.sysctls, now):
            value = namespace.sysctls[key]
            if _waits_for_link(diff, name, key) is not late or now.get(key) == value:
                continue
            if key in maybe:
                continue  # whether the kernel changed it too, the next snapshot tells
            yield WriteSysctl(
                namespace=name,
                key=key,
                old=now.get(key),
                new=value,
                origin=(*namespace.origin, "sysctls", dotted(key)),
            )
            now[key] = value
            now |= side_effects(key, value, links)
            maybe |= possible_effects(key, value, links).keys()


def _waits_for_link(diff: Diff, namespace: str, key: str) -> bool:
    link = LinkName(namespace, link_of(key) or "")
    wanted = diff.desired.link(link)
    return wanted is not None and (diff.observed.link(link) is None or link in diff.recreated)


def policy_write(
    link: Link, key: str, old: Setting, new: Setting, *, quiet: bool = False
) -> WriteSysctl:
    """The write of a link setting that is a sysctl."""
    return WriteSysctl(
        namespace=link.namespace,
        key=f"net/{LINK_SYSCTLS[key]}/conf/{link.name}/{key}",
        old=None if old is None else str(old),
        new=str(new),
        origin=link.origin,
        quiet=quiet,
    )
