"""Two links of one name: what differs, and whether one can become the other in place. Pure."""

from vlanlink.kinds import COMMON, KINDS, Option
from vlanlink.kinds.common import LINK_SYSCTLS, NO_TOKEN, TOKEN
from vlanlink.model import HOST, SELF_VLAN, Link, LinkName, Setting, show
from vlanlink.planning.diff import Diff
from vlanlink.planning.inheritance import why_inherited


def changed_settings(seen: Link, want: Link) -> dict[str, Setting]:
    """The settings of an existing link that differ from the desired ones, with the latter."""
    new: dict[str, Setting] = {}
    kind = KINDS.get(seen.kind) if want.kind == seen.kind else None
    for option in (*(kind.options if kind else ()), *COMMON):
        value = _wanted(want, option)
        # A kernel that doesn't know an option ignores it, and reports none.
        ignored = option.key in want.settings and value != option.default
        differs = seen.settings[option.key] != value if option.key in seen.settings else ignored
        if value is not None and differs:
            new[option.key] = value
    for key, value in want.settings.items():
        if key.startswith(SELF_VLAN) and seen.settings.get(key, False) != value:
            new[key] = value
    for key in LINK_SYSCTLS:
        value = want.settings.get(key)
        if value is not None and seen.settings.get(key) != value:
            new[key] = value
    token = want.settings.get(TOKEN)
    hears = want.settings.get("accept_ra") != 0  # else the kernel takes none
    if token is not None and hears and seen.settings.get(TOKEN, NO_TOKEN) != token:
        new[TOKEN] = token
    return new


def _wanted(link: Link, option: Option) -> Setting:
    """The desired value; of a link of ours whose file leaves it out, the default."""
    if option.key in link.settings:
        return link.settings[option.key]
    if link.owner is None or link.kind not in KINDS:
        return None
    return link.defaults.get(option.key, option.default)


def why_new(seen: Link, want: Link) -> str | None:
    """Why ``seen`` can't become ``want`` in place; None if it can."""
    if seen.kind != want.kind:
        return f"{seen.kind} becomes {want.kind}"
    if seen.parent != want.parent:
        return f"parent {seen.parent or 'none'} → {want.parent or 'none'}"
    if seen.peer != want.peer:
        return f"peer {seen.peer or 'none'} → {want.peer or 'none'}"
    kind = KINDS[seen.kind]
    new = changed_settings(seen, want)
    for option in kind.options:
        if option.key in new and not option.live:
            old = show(seen.settings.get(option.key))
            return f"{option.key} {old} → {show(new[option.key])} needs a new link"
    return kind.recreate(seen.settings, {**seen.settings, **new})


def find_recreated(diff: Diff) -> dict[LinkName, str]:
    """The links that can't change in place, each with the reason."""
    found: dict[LinkName, str] = {}
    for link in diff.observed.links():
        want = diff.desired.link(link.key)
        if diff.mine(link) and want is not None:
            why = (
                why_new(link, want)
                or _why_advertised(diff, link, want)
                or why_inherited(diff, link, want)
                or _why_renumbered(diff, link, want)
            )
            if why:
                found[link.key] = why
    waiting = list(found)
    while waiting:
        key = waiting.pop()
        fallen = list(diff.observed.children(key))
        ending = diff.observed.link(key)
        peer = diff.observed.link(ending.peer) if ending else None
        fallen += [peer] if peer else []
        for other in fallen:
            if other.key not in found and diff.mine(other) and diff.desired.link(other.key):
                found[other.key] = f"recreated with {key}"
                waiting.append(other.key)
    return found


def _why_advertised(diff: Diff, seen: Link, want: Link) -> str | None:
    """What a router advertised stays for its lifetime, its prefix on the link among it."""
    if want.settings.get("accept_ra") != 0 or seen.settings.get("accept_ra") == 0:
        return None
    routes = diff.observed.namespaces[seen.namespace].routes
    taught = any(route.by_advertisement and route.dev == seen.name for route in routes)
    if taught or any(address.family == 6 and not address.permanent for address in seen.addresses):
        return "ipv6 slaac → static needs a new link"
    return None


def _why_renumbered(diff: Diff, seen: Link, want: Link) -> str | None:
    """Undo gives a link the ifindex it had: a link made in its place meanwhile goes."""
    if want.index in (0, seen.index):
        return None
    spaces = {HOST, seen.namespace}
    staying = [link for link in diff.observed.links() if not diff.mine(link)]
    for other in (*staying, *diff.desired.links()):
        if other.index == want.index and other.key != want.key and other.namespace in spaces:
            return None
    return f"it had ifindex {want.index}"
