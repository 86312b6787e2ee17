"""An operation in a user's words: ``Change``, a line of a plan, and ``Drift``, its cause. Pure."""

from collections import defaultdict
from functools import cached_property
from typing import Any, Literal

from vlanlink.dataclass import dataclass, field
from vlanlink.kinds import COMMON, KINDS, Option
from vlanlink.kinds.common import NO_TOKEN, TOKEN
from vlanlink.model import Link, LinkName, Setting, show

Action = Literal["create", "change", "delete"]
Thing = Literal["namespace", "link", "address", "route", "sysctl", "file", "keeper"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference for the user: a line of ``plan``."""

    action: Action
    object: Thing
    namespace: str
    name: str
    summary: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; the host's own namespace is null."""
        return {
            "action": self.action,
            "object": self.object,
            "namespace": self.namespace or None,
            "name": self.name,
            "summary": self.summary,
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that differs from the file."""

    thing: str
    """The subject: ``address 172.16.3.15/24 of web/eth0``."""
    how: str

    def __str__(self) -> str:
        """``address 172.16.3.15/24 of web/eth0 is gone``."""
        return f"{self.thing} {self.how}"


@dataclass  # without slots: what is asked for each operation is worked out once
class Causes:
    """What a plan makes and changes: other operations of the plan may only follow from it."""

    namespaces: set[str] = field(default_factory=set)
    """Those made."""
    made: set[LinkName] = field(default_factory=set)
    changed: set[LinkName] = field(default_factory=set)
    addresses: defaultdict[tuple[LinkName, str], list[str | None]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """The broadcast addresses of those added and removed."""

    @cached_property
    def readdressed(self) -> set[LinkName]:
        """Links with other addresses, which their routes depend on."""
        return {link for link, _ in self.addresses}

    @cached_property
    def reordered(self) -> set[LinkName]:
        """Links that get the same addresses in another order: some are removed and added again."""
        others = (link for (link, _), n in self.addresses.items() if len(n) == 1 or len(set(n)) > 1)
        return self.readdressed - set(others)


def summarise(link: Link) -> str:
    """Return a link in one line: ``macvlan bridge on eth0.50, mac 02:…, mtu 1400``."""
    kind = KINDS.get(link.kind)
    settings = link.settings
    options = kind.options if kind else ()
    words = [link.kind]
    words += [str(settings[o.key]) for o in options if o.always and o.key == "mode"]
    words += [f"on {link.parent}"] if link.parent else []
    words += [f"to {link.peer}"] if link.peer else []
    head = " ".join(words)
    parts = [
        f"{o.key} {show(settings[o.key])}"
        for o in options
        if o.key in settings and o.key != "mode" and settings[o.key] != o.default
    ]
    parts += [
        _in_words(o, settings[o.key])
        for o in COMMON
        if settings.get(o.key) is not None and settings[o.key] != o.default
    ]
    token = settings.get(TOKEN, NO_TOKEN)
    parts += [f"{TOKEN} {token}"] if token != NO_TOKEN else []
    return ", ".join([head, *parts])


def _in_words(option: Option, value: Setting) -> str:
    if option.key == "up":
        return "up" if value else "down"
    return f"{option.key} {show(value)}"
