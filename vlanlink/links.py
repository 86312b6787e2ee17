"""Two links of one name: what differs, and whether the living one can become the other. Pure."""

from vlanlink.kinds import KINDS
from vlanlink.kinds._kind import OptionValue
from vlanlink.model import Link, Setting
from vlanlink.operations import IPV6_POLICY, show


def kind_options(link: Link) -> dict[str, Setting]:
    """Those of a link's settings that are options of its kind."""
    kind = KINDS.get(link.kind)
    if kind is None:
        return {}
    return {o.key: link.settings[o.key] for o in kind.options if o.key in link.settings}


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
        if value is not None and option.key in seen.settings and seen.settings[option.key] != value:
            new[option.key] = value
    for key in ("mtu", "mac", "altnames", *IPV6_POLICY, "up"):
        value = want.settings.get(key, want.defaults.get(key))
        if value is not None and seen.settings.get(key) != value:
            new[key] = value
    return new


def why_new(seen: Link, want: Link) -> str | None:
    """Why ``seen`` can't become ``want`` while it lives, or None."""
    if seen.kind != want.kind:
        return f"{seen.kind} becomes {want.kind}"
    if seen.parent != want.parent:
        return f"parent {seen.parent} → {want.parent}"
    if seen.peer != want.peer:
        return f"peer {seen.peer} → {want.peer}"
    kind = KINDS[seen.kind]
    new = changed_settings(seen, want)
    for option in kind.options:
        if option.key in new and not option.live:
            old = show(seen.settings.get(option.key))
            return f"{option.key} {old} → {show(new[option.key])} needs a new link"
    return kind.recreate(seen.settings, {**seen.settings, **new})
