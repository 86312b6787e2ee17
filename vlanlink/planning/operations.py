"""Operations: what a plan consists of, one frozen value for each request to the kernel. Pure.

An operation is plain data with the ifindexes that it needs; that of a new link is allocated
beforehand.
"""

import errno
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import ClassVar, Final

from vlanlink.dataclass import dataclass, field
from vlanlink.kinds import KINDS, per_parent
from vlanlink.model import HOST, Address, Link, LinkName, Route, Setting, show
from vlanlink.planning.change import Action, Causes, Change, Drift, summarise
from vlanlink.planning.namespace_operations import (
    MakeNamespace,
    RemoveFile,
    RemoveNamespace,
    WriteFile,
)
from vlanlink.planning.operation import Operation, Refused, errno_name
from vlanlink.sysctl import dotted, heirs, link_of, possible_effects, side_effects

__all__ = [
    "AddAddress",
    "AddRoute",
    "MakeLink",
    "MakeNamespace",
    "Operation",
    "Refused",
    "RemoveAddress",
    "RemoveFile",
    "RemoveLink",
    "RemoveNamespace",
    "RemoveRoute",
    "SetLink",
    "WriteFile",
    "WriteSysctl",
    "errno_name",
    "touched",
]

_GONE: Final = frozenset({errno.ENODEV, errno.EADDRNOTAVAIL, errno.ESRCH})


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeLink(Operation):
    """Make a link, and its peer if its kind has one: down, marked, with its ifindex."""

    apart = True  # what follows names it by its ifindex, its own only once the kernel said so
    transient = frozenset({errno.EBUSY, errno.EEXIST, errno.EINVAL})
    lacking = frozenset({errno.EOPNOTSUPP})

    link: Link
    peer: Link | None = None
    why: str = ""

    def changes(self) -> Iterator[Change]:
        """A line for the link and one for its peer."""
        summary = summarise(self.link) + (f" ({self.why})" if self.why else "")
        yield Change("create", "link", self.namespace, self.link.name, summary)
        if self.peer:
            yield Change(
                "create", "link", self.peer.namespace, self.peer.name, summarise(self.peer)
            )

    def describe(self) -> str:
        """What is being tried."""
        on = f" on {self.link.parent}" if self.link.parent else ""
        return f"make {self.link.kind} {self.link.key}{on}"

    @property
    def socket(self) -> str:
        """The host's, where its parent is; its own namespace's without one."""
        return HOST if self.link.parent else self.namespace

    @property
    def touches(self) -> frozenset[str] | None:
        """Those of its ends; any where it sets options of all links on its parent."""
        ends = frozenset(end.namespace for end in self._ends())
        return None if per_parent(self.link.kind) else ends

    def note(self, causes: Causes) -> None:
        """Note both ends."""
        causes.made |= self._ends()

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The link, unless its namespace or its parent is made too."""
        ends = self._ends()
        if self.link.parent in causes.made - ends:
            return
        if not any(end.namespace in causes.namespaces for end in ends):
            yield Drift(f"link {self.link.key}", f"differs: {self.why}" if self.why else "is gone")

    def _ends(self) -> set[LinkName]:
        return {self.link.key, *([self.peer.key] if self.peer else [])}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLink(Operation):
    """Change an existing link: ``old`` and ``new`` hold the settings that differ."""

    transient = frozenset({errno.EADDRINUSE})  # macvlan has a MAC once on a parent

    name: str
    kind: str
    index: int
    old: Mapping[str, Setting]
    new: Mapping[str, Setting]
    owner: str | None = None
    """The owner to mark it for; None leaves the mark."""
    options: Mapping[str, Setting] = field(default_factory=dict)
    """All desired options of the link: the kernel wants some sent together."""
    interim: Mapping[str, Setting] = field(default_factory=dict)
    """Settings that an earlier operation changed, to release a value for another link."""

    def changes(self) -> Iterator[Change]:
        """One line with what changes from what to what."""
        parts = [f"{key} {show(self.old.get(key))} → {show(self.new[key])}" for key in self.new]
        parts += [f"owner → {self.owner}"] if self.owner else []
        if not self.quiet:
            yield Change("change", "link", self.namespace, self.name, ", ".join(parts))

    def describe(self) -> str:
        """What is being tried."""
        where = self.key
        others = [f"{key} {show(value)}" for key, value in self.new.items() if key != "up"]
        if "up" not in self.new:
            return f"set {', '.join(others) or 'mark'} of {where}"
        state = "up" if self.new["up"] else "down"
        return f"set {where} {state}" + (f", {', '.join(others)}" if others else "")

    @property
    def key(self) -> LinkName:
        """Namespace and name of the link."""
        return LinkName(self.namespace, self.name)

    @property
    def touches(self) -> frozenset[str] | None:
        """Its own; any if it is the host's, has a peer, or sets options of all on its parent."""
        kind = KINDS.get(self.kind)
        alone = self.namespace != HOST and not (kind and kind.has_peer)
        return frozenset({self.namespace}) if alone and not per_parent(self.kind) else None

    def note(self, causes: Causes) -> None:
        """Note the link."""
        causes.changed.add(self.key)

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """Each setting, unless the link is made too."""
        if self.quiet or self.key in causes.made:
            return
        for key, wanted in self.new.items():
            if key == "up":
                yield Drift(f"link {self.key}", "is down" if wanted else "is up")
            else:
                how = f"is {show(self.old.get(key))}, not {show(wanted)}"
                yield Drift(f"{key} of {self.key}", how)
        if self.owner:
            yield Drift(f"mark of {self.key}", "is gone")

    def touched_settings(self) -> Iterator[tuple[LinkName, str]]:
        """Those that differ."""
        return ((self.key, key) for key in self.new)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLink(Operation):
    """Delete a link of ours; its peer goes with it."""

    apart = True  # those on the host go by group
    harmless = _GONE

    name: str
    kind: str
    index: int
    peer: LinkName | None = None
    """The other end, if it has a line of its own."""
    peer_index: int = 0
    """The ifindex of a peer on the host."""
    why: str = ""

    def changes(self) -> Iterator[Change]:
        """A line for the link and one for its peer."""
        yield Change("delete", "link", self.namespace, self.name, self.why or self.kind)
        if self.peer:
            yield Change("delete", "link", *self.peer, self.why or self.kind)

    def describe(self) -> str:
        """What is being tried."""
        return f"delete {self.kind} {LinkName(self.namespace, self.name)}"

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The link, unless it is made again."""
        key = LinkName(self.namespace, self.name)
        if key not in causes.made:
            yield Drift(f"link {key}", "is not in the file")


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnAddress(Operation):
    phase = "addresses"
    missing: ClassVar[bool]
    """The address is what the machine lacks."""

    dev: str
    index: int
    address: Address

    @property
    def link(self) -> LinkName:
        """Namespace and name of the link."""
        return LinkName(self.namespace, self.dev)

    @property
    def touches(self) -> frozenset[str]:
        """That of the link."""
        return frozenset({self.namespace})

    def note(self, causes: Causes) -> None:
        """Note the address."""
        causes.addresses[self.link, self.address.text].append(self.address.broadcast)

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The address, unless its link changes, or it is removed only to be added again."""
        if self.link in causes.made | causes.changed:
            return
        thing = f"address {self.address.text} of {self.link}"
        noted = causes.addresses[self.link, self.address.text]
        if len(noted) == 1:
            yield Drift(thing, _presence(self.missing))
        elif len(set(noted)) > 1 and not self.missing:
            yield Drift(thing, f"has the broadcast address {self.address.broadcast or 'none'}")
        elif self.link in causes.reordered:
            yield Drift(f"addresses of {self.link}", "are in another order")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress(_OnAddress):
    """Add an address to a link, without the kernel's own duplicate detection."""

    missing = True
    harmless = frozenset({errno.EEXIST})
    transient = frozenset({errno.EADDRINUSE})  # ipvlan has an address once on a parent

    restored: bool = False
    """Foreign and there before: restored without a mark."""

    def changes(self) -> Iterator[Change]:
        """One line."""
        how = ", if free on the LAN" if self.address.unproven and self.address.chosen else ""
        how = ", by DHCP" if self.address.by_dhcp else how
        yield Change("create", "address", self.namespace, self.address.text, f"on {self.dev}{how}")

    def describe(self) -> str:
        """What is being tried."""
        return f"add address {self.address.text} to {self.link}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAddress(_OnAddress):
    """Remove an address from a link."""

    missing = False
    harmless = _GONE

    def changes(self) -> Iterator[Change]:
        """One line."""
        if not self.quiet:
            yield Change("delete", "address", self.namespace, self.address.text, f"on {self.dev}")

    def describe(self) -> str:
        """What is being tried."""
        return f"remove address {self.address.text} from {self.link}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnRoute(Operation):
    phase = "routes"
    missing: ClassVar[bool]
    """The route is what the machine lacks."""

    route: Route
    index: int

    @property
    def touches(self) -> frozenset[str]:
        """That of the route."""
        return frozenset({self.namespace})

    def _change(self, action: Action) -> Change:
        to, _, rest = str(self.route).partition(" ")
        return Change(action, "route", self.namespace, to, rest)

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The route, unless its link or the addresses there change."""
        link = LinkName(self.namespace, self.route.dev)
        if link not in causes.made | causes.changed | causes.readdressed:
            yield Drift(f"route {self.route}{self.inside}", _presence(self.missing))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoute(_OnRoute):
    """Add a route."""

    missing = True
    # The link-local address that the kernel gives a new link is tentative for a moment, and no
    # source until then.
    transient = frozenset({errno.EINVAL})

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield self._change("create")

    def describe(self) -> str:
        """What is being tried."""
        return f"add route {self.route}{self.inside}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRoute(_OnRoute):
    """Delete a route."""

    missing = False
    harmless = _GONE

    def changes(self) -> Iterator[Change]:
        """One line."""
        yield self._change("delete")

    def describe(self) -> str:
        """What is being tried."""
        return f"delete route {self.route}{self.inside}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSysctl(Operation):
    """Write one sysctl; ``key`` is its path: net/ipv4/ip_forward."""

    phase = "sysctls"
    sent = False

    key: str
    old: str | None
    new: str
    switch: bool = False
    """A later operation of the plan writes the old value again."""

    @property
    def touches(self) -> frozenset[str] | None:
        """Its own; any if it is the host's, whose sysctls may be everybody's."""
        return None if self.namespace == HOST else frozenset({self.namespace})

    def changes(self) -> Iterator[Change]:
        """One line."""
        if not self.quiet:
            summary = f"{self.old if self.old is not None else '?'} → {self.new}"
            yield Change("change", "sysctl", self.namespace, dotted(self.key), summary)

    def describe(self) -> str:
        """What is being tried."""
        return f"write {dotted(self.key)} = {self.new}{self.inside}"

    def drifts(self, causes: Causes) -> Iterator[Drift]:
        """The sysctl, unless its namespace or its link is made too."""
        link = LinkName(self.namespace, link_of(self.key) or "")
        if self.quiet or self.namespace in causes.namespaces or link in causes.made:
            return
        now = "unknown" if self.old is None else self.old
        yield Drift(f"sysctl {dotted(self.key)}{self.inside}", f"is {now}, not {self.new}")

    def touched_sysctls(self, links: Collection[str]) -> Iterator[str]:
        """The sysctl, what the write changes with it, and what links inherit from it."""
        yield self.key
        yield from side_effects(self.key, self.new, links)
        yield from possible_effects(self.key, self.new, links)
        yield from heirs(self.key, links).values()

    def unmet(self) -> str:
        """What it reads."""
        if self.old is None:
            return super().unmet()
        return (
            f"{dotted(self.key)} reads {self.old!r} after {self.new!r} was written; "
            "write it as the kernel reads it"
        )


def touched(operations: Iterable[Operation]) -> frozenset[str] | None:
    """The namespaces that operations can change anything in; None: any."""
    found: set[str] = set()
    for operation in operations:
        one = operation.touches
        if one is None:
            return None
        found |= one
    return frozenset(found)


def _presence(missing: bool) -> str:
    return "is gone" if missing else "is not in the file"
