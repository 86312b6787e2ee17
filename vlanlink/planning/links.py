"""Two links of one name: what differs, and whether the living one can become the other. Pure."""

import ipaddress

from vlanlink.kinds import KINDS
from vlanlink.kinds.kind import OptionValue
from vlanlink.model import HOST, Address, Link, LinkName, Setting, show
from vlanlink.planning.diff import Diff
from vlanlink.planning.operations import LINK_SYSCTLS


def _wanted_option(link: Link, key: str, default: OptionValue | None) -> Setting:
    """What the link shall have: what it says, else (if it is ours) the kernel's default."""
    if key in link.settings:
        return link.settings[key]
    return default if link.owner is not None else None


def changed_settings(seen: Link, want: Link) -> dict[str, Setting]:
    """The settings of a living link that shall be others, with their new values."""
    new: dict[str, Setting] = {}
    kind = KINDS.get(seen.kind)
    for option in kind.options if kind and want.kind == seen.kind else ():
        value = _wanted_option(want, option.key, option.default)
        # A kernel that does not know an option passes over it, and tells nothing of it.
        ignored = option.key in want.settings and value != option.default
        differs = seen.settings[option.key] != value if option.key in seen.settings else ignored
        if value is not None and differs:
            new[option.key] = value
    for key in ("mtu", "mac", "altnames", *LINK_SYSCTLS, "up"):
        value = want.settings.get(key, want.defaults.get(key))
        if value is not None and seen.settings.get(key) != value:
            new[key] = value
    return new


def why_new(seen: Link, want: Link) -> str | None:
    """Why ``seen`` can't become ``want`` while it lives, or None."""
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


def kept_addresses(seen: Link, want: Link) -> frozenset[Address]:
    """The addresses of ``seen`` that can stay on the way to ``want``.

    The first IPv4 address of a subnet is the one that packets leave with, and when it goes the
    kernel takes the others of the subnet along. So of each subnet those stay that are in the place
    where they are wanted; after the first that is not, all are put on anew.
    """
    if seen.addresses == want.addresses:
        return frozenset(seen.addresses)
    foreign = {address for address in seen.addresses if not address.ours}
    kept = foreign | {a for a in seen.addresses if a.family == 6 and a in want.addresses}
    have, asked = _by_subnet(seen, foreign), _by_subnet(want, foreign)
    for subnet, addresses in have.items():
        for there, wanted in zip(addresses, asked.get(subnet, ()), strict=False):
            if there != wanted:
                break
            kept.add(there)
    return frozenset(kept)


def _by_subnet(link: Link, foreign: set[Address]) -> dict[str, list[Address]]:
    found: dict[str, list[Address]] = {}
    for address in link.addresses:
        if address.family == 4 and address not in foreign:
            subnet = str(ipaddress.ip_interface(address.text).network)
            found.setdefault(subnet, []).append(address)
    return found


def find_recreated(between: Diff) -> dict[LinkName, str]:
    """The links that can't become what is wanted while they live, each with the reason."""
    found: dict[LinkName, str] = {}
    for link in between.observed.links():
        want = between.desired.link(link.key)
        if between.mine(link) and want is not None:
            why = why_new(link, want) or _why_renumbered(between, link, want)
            if why:
                found[link.key] = why
    waiting = list(found)
    while waiting:
        key = waiting.pop()
        fallen = list(between.observed.children(key))
        ending = between.observed.link(key)
        peer = between.observed.link(ending.peer) if ending else None
        fallen += [peer] if peer else []
        for other in fallen:
            if other.key not in found and between.mine(other) and between.desired.link(other.key):
                found[other.key] = f"goes with {key}, which is made anew"
                waiting.append(other.key)
    return found


def _why_renumbered(between: Diff, seen: Link, want: Link) -> str | None:
    """Undo knows the number that a link had: what was made in its place meanwhile goes."""
    if want.index in (0, seen.index):
        return None
    spaces = {HOST, seen.namespace}
    staying = [link for link in between.observed.links() if not between.mine(link)]
    for other in (*staying, *between.desired.links()):
        if other.index == want.index and other.key != want.key and other.namespace in spaces:
            return None
    return f"it had the number {want.index}"
