"""Values that links hand on in place: released by one link before another takes them. Pure.

Within a namespace an altname is unique; siblings on one parent can't have the same MAC. A link that
changes frees what others want first, so that swaps and rings of values need no order.
"""

from collections.abc import Iterator, Mapping, Sequence

from vlanlink.dataclass import dataclass
from vlanlink.digest import sha256
from vlanlink.kinds import rx_handler
from vlanlink.model import Link, LinkName, Setting


@dataclass(frozen=True, slots=True)
class InPlace:
    """An existing link, the desired one, and the settings that differ."""

    seen: Link
    want: Link
    new: Mapping[str, Setting]


def releases(changes: Sequence[InPlace]) -> dict[LinkName, dict[str, Setting]]:
    """By link, the settings to have in the meantime because another link takes their values."""
    found: dict[LinkName, dict[str, Setting]] = {}
    for key, names in _altnames_taken(changes):
        found.setdefault(key, {})["altnames"] = names
    for link in _macs_taken(changes):
        found.setdefault(link.key, {})["mac"] = _interim_mac(link)
    return found


def _altnames_taken(changes: Sequence[InPlace]) -> Iterator[tuple[LinkName, Setting]]:
    renamed = [
        (one.seen.key, _names(one.seen.settings.get("altnames")), _names(one.new["altnames"]))
        for one in changes
        if "altnames" in one.new
    ]
    coming = {(key.namespace, name) for key, had, wanted in renamed for name in wanted - had}
    for key, had, wanted in renamed:
        taken = {name for name in had - wanted if (key.namespace, name) in coming}
        if taken:
            yield key, tuple(sorted(had - taken))


def _macs_taken(changes: Sequence[InPlace]) -> Iterator[Link]:
    links = [change for change in changes if "mac" in change.new and change.seen.parent]
    wanted = {(change.seen.parent, change.new["mac"]) for change in links}
    for change in links:
        seen = change.seen
        if rx_handler(seen.kind) and (seen.parent, seen.settings.get("mac")) in wanted:
            yield seen


def _interim_mac(link: Link) -> str:
    """A MAC that no link has: made up from the link and its present one."""
    seed = f"{link.key} {link.settings.get('mac')}".encode()
    raw = bytearray(sha256(seed)[:6])
    raw[0] = raw[0] & 0xFC | 0x02
    return raw.hex(":")


def _names(value: Setting) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, tuple) else set()
