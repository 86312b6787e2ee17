"""What links have from their namespace's sysctls: those that stay follow them as new ones do. Pure.

A new link starts with the values of ``conf/default``; one that exists keeps what it has (IPv6), or
follows if its own value was never set (IPv4). What a file leads to must not depend on that.
"""

from collections.abc import Iterator

from vlanlink.dataclass import dataclass
from vlanlink.kinds.common import LINK_SYSCTLS
from vlanlink.model import Link
from vlanlink.planning.diff import Diff
from vlanlink.sysctl import dotted, heirs, side_effects


@dataclass(frozen=True, slots=True)
class Inherited:
    """A sysctl of a link, its value, and the default that the value comes from."""

    key: str
    value: str
    default: str


def inherited(diff: Diff, link: Link) -> Iterator[Inherited]:
    """What an existing link of ours would start with, where its namespace's defaults are set.

    The link's own settings go first.
    """
    wanted = diff.desired.namespaces[link.namespace].sysctls
    now = diff.observed.namespaces[link.namespace].sysctls
    own = {setting_key(link, name) for name in LINK_SYSCTLS if name in link.settings}
    for default, value in wanted.items():
        for key in heirs(default, [link.name]).values():
            if key in now and key not in own and key not in wanted:
                yield Inherited(key, value, default)


def setting_key(link: Link, name: str) -> str:
    """The path of a link setting that is a sysctl."""
    return f"net/{LINK_SYSCTLS.get(name, 'ipv6')}/conf/{link.name}/{name}"


def why_inherited(diff: Diff, seen: Link, want: Link) -> str | None:
    """Why a link with other sysctls has to be new: these cost addresses, or come too late."""
    if seen.settings.get("disable_ipv6") != 0 or want.settings.get("disable_ipv6") != 0:
        return None
    now = diff.observed.namespaces[seen.namespace].sysctls
    spread = _spread(diff, seen)
    off = setting_key(seen, "disable_ipv6")
    if spread.get(off, "0") != "0":
        return "net.ipv6.conf.all.disable_ipv6 takes its IPv6 addresses"
    fresh = spread | {one.key: one.value for one in inherited(diff, want)}
    changed = [key for key, value in fresh.items() if now.get(key) not in (None, value)]
    generates = setting_key(seen, "addr_gen_mode")
    learns = want.settings.get("accept_ra") != 0
    for key in changed:
        if key == generates or (learns and key.startswith("net/ipv6/conf/") and key not in spread):
            return f"{dotted(key)} {now[key]} → {fresh[key]} needs a new link"
    return None


def _spread(diff: Diff, link: Link) -> dict[str, str]:
    """What the kernel writes to the link's sysctls along with those to be written."""
    space = link.namespace
    now = diff.observed.namespaces[space].sysctls
    mine = f"/{link.name}/"
    return {
        key: value
        for cause, written in diff.desired.namespaces[space].sysctls.items()
        if now.get(cause) != written
        for key, value in side_effects(cause, written, [link.name]).items()
        if mine in key
    }
